package reconcile

import (
	"path"
	"slices"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/units"
)

// Policy is what a source is granted. Pointing the agent at a source grants
// the kinds named and nothing more: whoever can commit there would otherwise
// own the host. The zero Policy grants all kinds and no privilege.
type Policy struct {
	Kinds       []string // empty: all
	DockerHosts []string // values of docker.host, besides the agent's own engine
	AnyHost     bool     // every docker.host: for a file that its reader names himself
	UnitNames   []string // globs over the names of units; empty: any
	Devices     []string // globs over the devices of other sources that its services may configure
	// HostExecutor lets jobs run as plain processes, where the agent does that.
	HostExecutor bool
	Units        UnitDefaults // grants nothing
}

// UnitDefaults hold for those units of a source that don't say it themselves.
// What is empty is left to the agent.
type UnitDefaults struct {
	Desired units.State
	Drift   units.Drift
}

// GrantsKind says whether resources of kind may come from this source.
func (p Policy) GrantsKind(kind string) bool {
	if kind == DeviceKind {
		kind = ServiceKind // one family: who may configure devices says which there are
	}
	return len(p.Kinds) == 0 || slices.Contains(p.Kinds, kind) || slices.Contains(p.Kinds, kind+"s")
}

// UnitName gives the violation of a unit's name, if it is one.
func (p Policy) UnitName(name string) (problem.Problem, bool) {
	for _, glob := range p.UnitNames {
		if ok, err := path.Match(glob, name); ok && err == nil {
			return problem.Problem{}, false
		}
	}
	if len(p.UnitNames) == 0 {
		return problem.Problem{}, false
	}
	return problem.Problem{
		Severity: problem.Error, Rule: "unit_names",
		Message: "the name " + name + " is outside the unit names that the policy of this source grants",
		Hint:    "rename the unit, or add a glob to policy.unit_names of the source",
	}, true
}

// Device says whether a device of another source may be configured.
func (p Policy) Device(name string) bool {
	return slices.ContainsFunc(p.Devices, func(glob string) bool {
		ok, err := path.Match(glob, name)
		return ok && err == nil
	})
}

// Host gives the violation of running jobs as plain processes, if it is one.
func (p Policy) Host(onHost bool) (problem.Problem, bool) {
	if !onHost || p.HostExecutor {
		return problem.Problem{}, false
	}
	return problem.Problem{
		Severity: problem.Error, Rule: "host_executor",
		Message: "this agent runs jobs as plain processes of the host, which the policy of this source does not grant",
		Hint:    "set policy.host_executor of the source, or use executor: docker",
	}, true
}

// DockerHost gives the violation of using host, if it is one. own is the
// engine that the agent uses anyway.
func (p Policy) DockerHost(host, own string) (problem.Problem, bool) {
	if host == "" || host == own || p.AnyHost || slices.Contains(p.DockerHosts, host) {
		return problem.Problem{}, false
	}
	return problem.Problem{
		Severity: problem.Error, Field: "docker.host", Rule: "docker_hosts",
		Message: "docker.host names another engine than the agent's own, which the policy of this source does not grant",
		Hint:    "list it under policy.docker_hosts of the source, or remove docker.host",
	}, true
}
