package settings

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

const day = 24 * time.Hour

// options is the table of everything that is said once for the whole agent.
var options = []option[Settings]{
	{
		key: "state", meta: "DIR", usage: "keep state in `DIR` (default: /var/lib/abide for root, else below the user's state directory)",
		add: text(func(s *Settings) *string { return &s.State }),
	},
	{
		key: "listen.host", flag: "host", meta: "ADDR", usage: "serve on this address; with --daemon (default 127.0.0.1)",
		add: checked(func(s *Settings) *string { return &s.Listen.Host }, hostOnly),
	},
	{
		key: "listen.port", flag: "port", meta: "PORT", usage: "serve on this port, 0 for any free one (default 8081)",
		add: number(func(s *Settings) *int { return &s.Listen.Port }, 0, 65535),
	},
	list(option[Settings]{key: "sockets", flag: "socket", meta: "PATH", usage: "serve on this Unix socket as well; may be repeated"},
		func(s *Settings) *[]string { return &s.Sockets }, nil),
	uids(option[Settings]{key: "admin_uids", flag: "admin-uid", meta: "UID", usage: "local user who is admin beside root and the agent's own; may be repeated"}),
	list(option[Settings]{key: "allow_origins", flag: "allow-origin", meta: "ORIGIN", usage: "web origin that may call the API from a browser; may be repeated"},
		func(s *Settings) *[]string { return &s.AllowOrigins }, origin),
	list(option[Settings]{key: "allow_hosts", flag: "allow-host", meta: "NAME", usage: "Host header to answer beside loopback's; may be repeated"},
		func(s *Settings) *[]string { return &s.AllowHosts }, nil),
	{
		key: "external_url", meta: "URL", usage: "where this agent is reached from elsewhere, for the links of commit statuses",
		add: checked(func(s *Settings) *string { return &s.ExternalURL }, webAddress),
	},
	{
		key: "insecure", shape: toggle, usage: "serve beyond loopback without any token: whoever reaches the port runs containers here",
		add: on(func(s *Settings) *bool { return &s.Insecure }),
	},
	{
		key: "docker.host", meta: "URL", usage: "container engine (default: DOCKER_HOST, else the local socket)",
		add: checked(func(s *Settings) *string { return &s.Docker.Host }, dockerHost),
	},
	{
		key: "executor", meta: "NAME", usage: "run jobs in docker, or on the host as plain processes: docker, host (default docker)",
		add: choice(func(s *Settings) *string { return &s.Executor }, "docker", "host"),
	},
	{
		key: "units.engine", flag: "units", meta: "NAME", usage: "what starts units: auto, systemd, process, off (default auto)",
		add: choice(func(s *Settings) *string { return &s.Units.Engine }, "auto", "systemd", "process", "off"),
	},
	{
		key: "units.dir", flag: "unit-dir", meta: "DIR", usage: "where unit files are placed (default /etc/systemd/system)",
		add: checked(func(s *Settings) *string { return &s.Units.Dir }, absolute),
	},
	{
		key: "units.drift", flag: "unit-drift", meta: "TIME", usage: "how often units are looked at for drift (default 30s)",
		add: duration(func(s *Settings) *time.Duration { return &s.Units.Drift }, time.Second, day),
	},
	{
		key: "netconf.socket", meta: "PATH", usage: "socket of the service API (default: in the state directory)",
		add: text(func(s *Settings) *string { return &s.NETCONF.Socket }),
	},
	{
		key: "netconf.confirm_timeout", meta: "TIME", usage: "a device rolls back unless confirmed within this (default 1m)",
		add: duration(func(s *Settings) *time.Duration { return &s.NETCONF.ConfirmTimeout }, time.Second, day),
	},
	{
		key: "netconf.service_timeout", meta: "TIME", usage: "how long service code may take (default 1m)",
		add: duration(func(s *Settings) *time.Duration { return &s.NETCONF.ServiceTimeout }, time.Second, day),
	},
	{
		key: "netconf.parallel", meta: "N", usage: "devices at the same time (default 32)",
		add: number(func(s *Settings) *int { return &s.NETCONF.Parallel }, 1, 4096),
	},
	{
		key: "netconf.atomic", meta: "HOW", usage: "a change is taken by all devices or by none (all), or by each on its own (per-device)",
		add: choice(func(s *Settings) *string { return &s.NETCONF.Atomic }, "all", "per-device"),
	},
	{
		key: "trigger.root", meta: "DIR", usage: "directory that dockerfile and copyFiles of a POST /trigger body may read (default: none)",
		add: checked(func(s *Settings) *string { return &s.Trigger.Root }, absolute),
	},
	list(option[Settings]{key: "trigger.docker_hosts", flag: "trigger-docker-host", meta: "URL", usage: "docker.host that a POST /trigger body may name; may be repeated"},
		func(s *Settings) *[]string { return &s.Trigger.DockerHosts }, dockerHost),
	{
		key: "grace", meta: "TIME", usage: "how long running jobs may go on after SIGTERM (default 10s)",
		add: duration(func(s *Settings) *time.Duration { return &s.Grace }, 0, day),
	},
	{
		key: "max_jobs", meta: "N", usage: "jobs at the same time (default: twice the processors, at least 10)",
		add: number(func(s *Settings) *int { return &s.MaxJobs }, 1, 10_000),
	},
	{
		key: "max_prune", meta: "N", usage: "resources that one step may remove without a question (default: at most half of five or more)",
		add: number(func(s *Settings) *int { return &s.MaxPrune }, 0, 1_000_000),
	},
	{
		key: "baseline", shape: toggle, usage: "record what is seen for the first time as done instead of running it",
		add: on(func(s *Settings) *bool { return &s.Baseline }),
	},
	{
		key: "retention.events", flag: "keep-events", meta: "N", usage: "numbered events to keep (default 100000)",
		add: number(func(s *Settings) *int { return &s.Retention.Events }, 100, 100_000_000),
	},
	{
		key: "retention.runs", flag: "keep-runs", meta: "N", usage: "ended runs to keep with their output (default 2000)",
		add: number(func(s *Settings) *int { return &s.Retention.Runs }, 1, 10_000_000),
	},
	{
		key: "retention.age", later: true, flag: "keep-age", meta: "TIME", usage: "how long runs and events are kept, 0s for ever (default 30d)",
		add: duration(func(s *Settings) *time.Duration { return &s.Retention.Age }, 0, 36500*day),
	},
	{
		key: "retention.bytes", later: true, flag: "keep-bytes", meta: "SIZE", usage: "job output to keep in all (default 1GiB)",
		add: size(func(s *Settings) *int64 { return &s.Retention.Bytes }, 1<<20),
	},
	labels(option[Settings]{key: "labels", flag: "label", meta: "KEY=VALUE", usage: "label of this machine; may be repeated"},
		func(s *Settings) *map[string]string { return &s.Labels }),
	{
		key: "log_level", meta: "LEVEL", usage: "how much the daemon logs: debug, info, warn, error (default info)",
		add: choice(func(s *Settings) *string { return &s.LogLevel }, "debug", "info", "warn", "error"),
	},
}

// sourceOptions is the table of one element of `sources`. Those with a flag
// hold for every source that the command line names.
var sourceOptions = append([]option[Source]{
	{key: "name", flag: noFlag, add: checked(func(s *Source) *string { return &s.Name }, sourceName)},
	{key: "git", flag: noFlag, add: text(func(s *Source) *Location { return &s.Git })},
	{key: "dir", flag: noFlag, add: text(func(s *Source) *string { return &s.Dir })},
	{key: "file", flag: noFlag, add: text(func(s *Source) *string { return &s.File })},
	{
		key: "branch", meta: "NAME", usage: "follow this branch of the --git sources (default: the remote's HEAD)",
		add: text(func(s *Source) *string { return &s.Branch }),
	},
	{
		key: "tag", meta: "NAME", usage: "stay at this tag of the --git sources",
		add: text(func(s *Source) *string { return &s.Tag }),
	},
	{
		key: "commit", meta: "HASH", usage: "stay at this commit of the --git sources",
		add: checked(func(s *Source) *string { return &s.Commit }, hash),
	},
	{
		key: "path", meta: "DIR", usage: "look only below this directory of each source",
		add: checked(func(s *Source) *string { return &s.Path }, below),
	},
	{
		key: "interval", meta: "TIME", usage: "how often each source is polled (default 30s)",
		add: duration(func(s *Source) *time.Duration { return &s.Interval }, 100*time.Millisecond, 365*day),
	},
	list(option[Source]{key: "kinds", meta: "KIND", usage: "families that each source is granted: pipelines, units, services (default: all)"},
		func(s *Source) *[]string { return &s.Kinds }, kind),
	{key: "policy.host_executor", flag: noFlag, shape: toggle, add: on(func(s *Source) *bool { return &s.Policy.HostExecutor })},
	{key: "policy.privileged", later: true, flag: noFlag, shape: toggle, add: on(func(s *Source) *bool { return &s.Policy.Privileged })},
	{key: "policy.host_namespaces", later: true, flag: noFlag, shape: toggle, add: on(func(s *Source) *bool { return &s.Policy.HostNamespaces })},
	{key: "policy.docker_socket", later: true, flag: noFlag, shape: toggle, add: on(func(s *Source) *bool { return &s.Policy.DockerSocket })},
	list(option[Source]{key: "policy.docker_hosts", flag: noFlag}, func(s *Source) *[]string { return &s.Policy.DockerHosts }, dockerHost),
	list(option[Source]{key: "policy.bind_mounts", later: true, flag: noFlag}, func(s *Source) *[]string { return &s.Policy.BindMounts }, absolute),
	list(option[Source]{key: "policy.devices", flag: noFlag}, func(s *Source) *[]string { return &s.Policy.Devices }, glob),
	list(option[Source]{key: "policy.unit_names", flag: noFlag}, func(s *Source) *[]string { return &s.Policy.UnitNames }, glob),
	{key: "units.desired_state", flag: noFlag, add: choice(func(s *Source) *string { return &s.Units.Desired }, "inactive", "loaded", "launched")},
	{key: "units.drift", flag: noFlag, add: choice(func(s *Source) *string { return &s.Units.Drift }, "repair", "report", "off")},
	labels(option[Source]{key: "labels", flag: noFlag}, func(s *Source) *map[string]string { return &s.Labels }),
}, slices.Concat(authOptions(), hookOptions())...)

// tokenOptions is the table of one element of `tokens`.
var tokenOptions = []option[Token]{
	{key: "name", flag: noFlag, add: checked(func(t *Token) *string { return &t.Name }, sourceName)},
	{key: "role", flag: noFlag, add: choice(func(t *Token) *string { return &t.Role }, "read", "trigger", "admin")},
	{key: "token_file", flag: noFlag, add: checked(func(t *Token) *string { return &t.File }, absolute)},
	{key: "sha256", flag: noFlag, add: checked(func(t *Token) *string { return &t.SHA256 }, sha256Hex)},
}

func list[T any](o option[T], field func(*T) *[]string, check func(string) error) option[T] {
	o.shape = many
	o.reset, o.add = words(field, check)
	return o
}

func labels[T any](o option[T], field func(*T) *map[string]string) option[T] {
	o.shape = pairs
	o.reset, o.add = labelled(field)
	return o
}

func uids(o option[Settings]) option[Settings] {
	o.shape = many
	o.reset = func(s *Settings) { s.AdminUIDs = nil }
	o.add = func(s *Settings, v string) error {
		n, err := strconv.ParseUint(v, 10, 32)
		if err != nil {
			return fault{fmt.Sprintf("%q is not a user's number", v), "write what `id -u NAME` prints"}
		}
		s.AdminUIDs = append(s.AdminUIDs, int(n))
		return nil
	}
	return o
}
