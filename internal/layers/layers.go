// Package layers knows the house rules that a compiler does not: which package
// may import which, and why, and which library belongs to whom. Its tests hold
// the whole module to them. It never knows what a package does.
package layers

// Row is one package of the module, with its path below the module. The rows
// stand in order: a package imports only what stands above it.
type Row struct {
	Package string
	Imports []Arrow
}

// Arrow is one import that is allowed, with the reason. An import that nobody
// uses any more is an error like one that is not listed.
type Arrow struct{ To, Why string }

// Rows lists every package that ships, the lowest first. Tests may import what
// is [Unshipped] besides.
var Rows = []Row{
	{Package: "internal/problem"},
	{Package: "internal/failpoint"},
	{Package: "internal/atomicfile"},

	{"internal/store", []Arrow{
		{"internal/atomicfile", "a backup is whole or not there"},
		{"internal/failpoint", "a commit is a step of the journal"},
	}},
	{"sse", []Arrow{
		{"internal/atomicfile", "what the log knows of itself is whole or not there"},
		{"internal/failpoint", "writing an event is a step of the journal"},
	}},
	{Package: "sources"},
	{Package: "sources/forge"},

	{"runner", []Arrow{
		{"internal/problem", "the faults of a pipeline are problems"},
		{"internal/failpoint", "the outcome of a job is a step of the journal"},
		{"sse", "the words of the events that a run tells, and their type; never the log"},
	}},
	{"runner/output", []Arrow{
		{"runner", "the lines of a job are the model's"},
	}},
	{"runner/filecopy", []Arrow{
		{"runner", "what a job copies is the model's"},
	}},
	{Package: "runner/owner"},
	{"runner/script", []Arrow{
		{"runner", "a job's script is the model's"},
		{"runner/output", "what marks the end of a script is read from its output"},
	}},
	{"runner/host", []Arrow{
		{"runner", "it implements the executor"},
		{"runner/filecopy", "files go into the scratch directory in the same way as elsewhere"},
		{"runner/output", "lines come out of processes in the same way as elsewhere"},
		{"runner/owner", "processes carry the mark of the agent that made them"},
		{"runner/script", "scripts start in the same way as elsewhere"},
		{"sse", "it tells its progress in the words of the events"},
	}},
	{"runner/docker", []Arrow{
		{"runner", "it implements the executor"},
		{"runner/filecopy", "files go into containers in the same way as elsewhere"},
		{"runner/output", "lines come out of containers in the same way as elsewhere"},
		{"runner/owner", "containers carry the mark of the agent that made them"},
		{"runner/script", "scripts start in the same way as elsewhere"},
		{"sse", "pulling and building tell their progress in the words of the events"},
	}},

	{"units", []Arrow{
		{"internal/problem", "the faults of a unit file are problems"},
	}},
	{"units/probe", []Arrow{
		{"units", "what a probe asks is the model's"},
	}},
	{"units/systemd", []Arrow{
		{"internal/atomicfile", "unit files and marks are whole or not there"},
		{"internal/failpoint", "placing files is a step that a crash may cut in two"},
		{"units", "it implements the engine"},
		{"units/probe", "a started unit is asked whether it is well in the same way by every engine"},
	}},

	{"units/process/spec", []Arrow{
		{"units", "a unit file reads in the same way everywhere"},
	}},
	{"units/process/supervisor", []Arrow{
		{"runner/owner", "a pid alone doesn't say which process it is"},
		{"units/process/spec", "what it runs is the specification's"},
	}},
	{"units/process", []Arrow{
		{"internal/atomicfile", "unit files and marks are whole or not there"},
		{"units", "it implements the engine"},
		{"units/probe", "a started unit is asked whether it is well in the same way by every engine"},
		{"units/process/spec", "units are judged before they are touched"},
		{"units/process/supervisor", "it starts and finds supervisors"},
	}},

	{Package: "netconf/tree"},
	{"netconf/yang", []Arrow{
		{"internal/problem", "a fault names what was meant"},
		{"netconf/tree", "a schema describes the nodes of trees"},
	}},
	{"netconf", []Arrow{
		{"netconf/tree", "messages are trees"},
	}},
	{"netconf/sim", []Arrow{
		{"netconf", "it speaks the protocol's other side"},
		{"netconf/tree", "its datastores are trees"},
		{"netconf/yang", "it judges edits by its models"},
	}},
	{"netconf/service", []Arrow{
		{"internal/problem", "the faults of a document are problems"},
		{"netconf", "handlers speak the protocol's framing"},
		{"netconf/tree", "service code makes trees"},
		{"netconf/yang", "instances are judged by their models"},
	}},
	{"netconf/device", []Arrow{
		{"internal/failpoint", "each step of a transaction has one"},
		{"internal/problem", "the faults of an inventory are problems"},
		{"netconf", "it drives sessions"},
		{"netconf/tree", "what is wanted of a device is a tree"},
		{"netconf/yang", "devices tell their models"},
	}},

	{"fleetapi", []Arrow{
		{"units", "it shows and changes units"},
	}},

	{"reconcile", []Arrow{
		{"internal/failpoint", "each step of the journal has one"},
		{"internal/problem", "loading gives problems"},
		{"internal/store", "records are kept there"},
		{"runner", "the kind of the pipelines plans and runs them"},
		{"sources", "desired state comes as snapshots"},
		{"sse", "every step is an event"},
		{"units", "the kind of the units reads them and drives their engine"},
		{"netconf/tree", "what service code makes are trees"},
		{"netconf/yang", "instances of services are judged by their models"},
		{"netconf/service", "the kind of the services runs their code"},
		{"netconf/device", "the kind of the services drives the devices"},
	}},

	{"internal/settings", []Arrow{
		{"internal/problem", "a fault of the settings file is a problem"},
	}},
	{"internal/api", []Arrow{
		{"internal/atomicfile", "a token is whole or not there"},
		{"internal/problem", "the details of an error are problems"},
		{"reconcile", "the types that it shows"},
		{"runner", "the types that it shows"},
		{"sse", "the types that it shows"},
	}},
	{"internal/api/client", []Arrow{
		{"fleetapi", "the types of fleet's wire, so that both sides agree"},
		{"internal/api", "the types of requests and answers, so that both sides agree"},
		{"internal/problem", "the details of an error are problems"},
		{"reconcile", "the types that the API shows"},
		{"runner", "the types that the API shows"},
		{"sse", "the types that the API shows"},
	}},
	{"internal/terminal", []Arrow{
		{"internal/problem", "it shows problems"},
		{"reconcile", "it shows plans and records"},
		{"sse", "it shows events"},
	}},
	{"cmd/abide", []Arrow{
		{"fleetapi", "wiring"},
		{"internal/api", "wiring"},
		{"internal/api/client", "commands that ask a daemon"},
		{"internal/atomicfile", "wiring"},
		{"internal/problem", "commands show problems"},
		{"internal/settings", "flags and files become settings"},
		{"internal/store", "wiring"},
		{"internal/terminal", "commands show things"},
		{"netconf", "wiring"},
		{"netconf/device", "wiring"},
		{"netconf/service", "wiring"},
		{"netconf/sim", "wiring"},
		{"netconf/tree", "the inventory of simulated devices, and what they begin with"},
		{"reconcile", "wiring"},
		{"runner", "wiring"},
		{"runner/docker", "wiring"},
		{"runner/host", "wiring"},
		{"sources", "wiring"},
		{"sources/forge", "wiring"},
		{"sse", "wiring"},
		{"units", "wiring"},
		{"units/process", "wiring"},
		{"units/systemd", "wiring"},
	}},
}

// Unshipped lists what serves the making of the agent, each with all below it:
// it may import anything, and nothing that ships may import it.
var Unshipped = []string{
	"internal/bench",
	"internal/demo",
	"internal/e2e",
	"internal/layers",
	"internal/testimage",
	"internal/testkit",
	"internal/store/storetest",
	"netconf/devicetest",
	"runner/executortest",
	"units/enginetest",
	"sources/sourcetest",
}

// Library says who may use a library, or a part of the standard library, that
// the design gives to few. Path covers all packages below it; of two that fit,
// the longer counts. Tests, and what is [Unshipped], may use any.
type Library struct {
	Path  string
	Users []string
	Why   string
}

// Libraries lists the libraries that are not for everybody.
var Libraries = []Library{
	{"github.com/docker", []string{"runner/docker"}, "what runs a job is the executor's secret"},
	{"github.com/fsnotify/fsnotify", []string{"sources", "units/process", "units/systemd"}, "hints come from sources, drift of files from the engines"},
	{"github.com/go-git", []string{"sources"}, "Git is the sources' secret"},
	{"github.com/go-git/go-git/v5/plumbing/format/gitignore", []string{"reconcile"}, ".abideignore has that syntax"},
	{"github.com/godbus", []string{"units/systemd"}, "how systemd is spoken to is its engine's secret"},
	{"github.com/openconfig/goyang", []string{"netconf/yang"}, "only its parser of statements is sound, so one package wraps it"},
	{"github.com/robfig/cron", []string{"runner"}, "only its parser is sound, so one package wraps it"},
	{"github.com/rs/zerolog", []string{"cmd/abide", "internal/api"}, "others return errors and publish events"},
	{"github.com/skeema/knownhosts", []string{"sources"}, "which Git server is meant is the sources' business"},
	{"github.com/spf13", []string{"cmd/abide"}, "commands and flags are known in one place"},
	{"go.etcd.io", []string{"internal/store"}, "another store can stand behind the interface"},
	{"go.yaml.in", []string{"runner", "internal/settings"}, "their files are YAML"},
	{"golang.org/x/crypto/ssh", []string{"netconf", "netconf/sim", "sources"}, "how a device or a Git server is reached is the session's secret, and the simulated device's"},
	{"mvdan.cc/sh", nil, "the agent runs no script itself"},
	{"net/http", []string{"fleetapi", "internal/api", "internal/api/client", "sse", "sources", "sources/forge", "units/probe", "cmd/abide"}, "reconcile and runner never know HTTP; a probe may ask over it"},
	{"os/exec", []string{"runner/host", "units/probe", "units/systemd"}, "the agent itself executes nothing: a job's script runs in its executor; a probe may be a program, and only journalctl reads the journal"},
}
