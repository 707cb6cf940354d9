// Package settings knows how abide is configured: every setting's name, its
// flag, its ABIDE_* variable, its key in the file, its default and its bounds,
// all in one table, and how the three are laid over each other. It never knows
// what a setting does, and it prints no secret.
package settings

import (
	"encoding/json"
	"runtime"
	"time"
)

// Settings is the whole configuration of one agent. What [Load] gives is
// complete and checked: defaults are filled in. It is not changed afterwards.
type Settings struct {
	Sources []Source `json:"sources,omitempty"`
	// Files are the pipeline files given with -f, "-" being standard input: each
	// is an explicit request that runs every time, not a source that is watched.
	Files []string `json:"files,omitempty"`
	Name  string   `json:"name,omitempty"` // -n: what the one pipeline of Files is called

	Listen       Listen            `json:"listen"`
	Sockets      []string          `json:"sockets,omitempty"` // paths of Unix sockets to serve as well
	Tokens       []Token           `json:"tokens,omitempty"`
	AdminUIDs    []int             `json:"admin_uids,omitempty"` // local users who are admin beside root and the agent's own
	AllowOrigins []string          `json:"allow_origins,omitempty"`
	AllowHosts   []string          `json:"allow_hosts,omitempty"`
	ExternalURL  string            `json:"external_url,omitempty"` // where others reach the agent, for links
	Insecure     bool              `json:"insecure,omitempty"`     // serve beyond loopback without any token
	Docker       Docker            `json:"docker"`
	Executor     string            `json:"executor"` // docker or host
	Units        Units             `json:"units"`
	NETCONF      NETCONF           `json:"netconf"`
	Trigger      Trigger           `json:"trigger"`
	Grace        time.Duration     `json:"grace"`    // how long running jobs may go on after SIGTERM
	MaxJobs      int               `json:"max_jobs"` // jobs at the same time over all runs
	Retention    Retention         `json:"retention"`
	Labels       map[string]string `json:"labels,omitempty"`    // of this machine
	State        string            `json:"state,omitempty"`     // empty: see [Settings.StateDir]
	MaxPrune     int               `json:"max_prune,omitempty"` // resources that one step may remove; 0: at most half of five or more
	Baseline     bool              `json:"baseline,omitempty"`  // record what is first seen as done
	LogLevel     string            `json:"log_level"`           // debug, info, warn or error
}

// Listen is the TCP listener. Port 0 takes any free one.
type Listen struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

// Docker says which engine runs jobs; an empty Host means what Docker's own
// client would take (DOCKER_HOST, then the local socket).
type Docker struct {
	Host string `json:"host,omitempty"`
}

// Token lets a caller in with a role (read, trigger or admin). Its value stands
// in File or is known by SHA256 (64 hex digits) only, never in the settings.
type Token struct {
	Name   string `json:"name"`
	Role   string `json:"role"`
	File   string `json:"token_file,omitempty"`
	SHA256 string `json:"sha256,omitempty"`

	at place
}

// Units says how systemd units are placed.
type Units struct {
	Engine string        `json:"engine"` // auto, systemd, process or off
	Dir    string        `json:"dir"`
	Drift  time.Duration `json:"drift"` // how often units are looked at for drift
}

// NETCONF says how devices are spoken to.
type NETCONF struct {
	Socket         string        `json:"socket,omitempty"` // of the service API; empty: in the state directory
	ConfirmTimeout time.Duration `json:"confirm_timeout"`
	ServiceTimeout time.Duration `json:"service_timeout"`
	Parallel       int           `json:"parallel"`
	Atomic         string        `json:"atomic"` // all or per-device
}

// Trigger is what the body of a POST /trigger may reach on this machine.
type Trigger struct {
	Root        string   `json:"root,omitempty"` // directory that dockerfile and copyFiles may read; empty: none
	DockerHosts []string `json:"docker_hosts,omitempty"`
}

// Retention bounds what is kept of the past. Whichever bound is reached first
// counts; runs under way are always kept.
type Retention struct {
	Events int           `json:"events"` // numbered events without job output
	Runs   int           `json:"runs"`
	Age    time.Duration `json:"age"`   // 0: without limit
	Bytes  int64         `json:"bytes"` // of all job output together
}

// Default gives the settings that hold where nothing else is said.
func Default() Settings {
	return Settings{
		Listen:   Listen{Host: "127.0.0.1", Port: 8081},
		Executor: "docker",
		Units:    Units{Engine: "auto", Dir: "/etc/systemd/system", Drift: 30 * time.Second},
		NETCONF: NETCONF{
			ConfirmTimeout: time.Minute, ServiceTimeout: time.Minute,
			Parallel: 32, Atomic: "all",
		},
		Grace:     10 * time.Second,
		MaxJobs:   max(10, 2*runtime.NumCPU()), // starting a container is mostly waiting, also on a small machine
		Retention: Retention{Events: 100_000, Runs: 2000, Age: 30 * 24 * time.Hour, Bytes: 1 << 30},
		LogLevel:  "info",
	}
}

// String gives the settings as one line of JSON, without any secret.
func (s Settings) String() string {
	b, err := json.Marshal(s)
	if err != nil {
		return "settings that can't be shown: " + err.Error()
	}
	return string(b)
}
