package reconcile

import (
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

// servicesName is the element that holds the instances.
var servicesName = tree.Name{Space: service.Namespace, Local: "services"}

// list gives what the models say of an instance's list, or nil.
func (c *catalogue) list(i service.Instance) *tree.Def {
	if c.models == nil {
		return nil
	}
	return c.models.Root().Child(servicesName).Child(i.Config.Name)
}

// mostFaults is how many faults one judging of the models tells.
const mostFaults = 100

// judge holds instances against the models of their services, all together, so
// that one may refer to another. A service without a model is not judged.
func judge(models *yang.Schema, all []service.Instance) map[string]problem.List {
	if models == nil || len(all) == 0 {
		return nil
	}
	var judged []service.Instance
	for _, i := range all {
		if models.Node(servicesName, i.Config.Name) != nil {
			judged = append(judged, i)
		}
	}
	out := map[string]problem.List{}
	faults := models.Validate(wrapped(judged))
	whole := len(faults) < mostFaults // else not all were told
	for _, f := range faults {
		i, ok := ownerOf(f, judged)
		if whole = whole && ok; !whole {
			break
		}
		out[i.Name()] = append(out[i.Name()], faultProblem(i, f))
	}
	if whole {
		return out
	}
	clear(out)
	for n := range judged {
		for _, f := range models.Validate(wrapped(judged[n : n+1])) {
			out[judged[n].Name()] = append(out[judged[n].Name()], faultProblem(judged[n], f))
		}
	}
	return out
}

// wrapped puts instances into a document as the models know it.
func wrapped(list []service.Instance) *tree.Node {
	services := &tree.Node{Name: servicesName}
	for _, i := range list {
		services.Children = append(services.Children, i.Config)
	}
	return &tree.Node{Name: tree.Name{Local: "config"}, Children: []*tree.Node{services}}
}

// ownerOf finds the instance that a fault is in, by its path.
func ownerOf(f yang.Fault, list []service.Instance) (service.Instance, bool) {
	for _, i := range list {
		_, rest, _ := strings.Cut(f.Path, ":services/")
		_, rest, found := strings.Cut(rest, ":")
		if !found {
			continue
		}
		for _, quote := range []string{"'", `"`} {
			want := i.Service + "[" + i.KeyLeaf + "=" + quote + i.Key + quote + "]"
			if strings.HasPrefix(rest, want) {
				return i, true
			}
		}
	}
	return service.Instance{}, false
}

func faultProblem(i service.Instance, f yang.Fault) problem.Problem {
	return problem.Problem{
		Severity: problem.Error, File: i.File, Line: f.Line, Column: f.Column, Field: f.Path, Message: f.Message, Hint: f.Hint,
	}
}
