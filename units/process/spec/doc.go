// Package spec turns the options of a service unit into what a supervisor
// without systemd has to do: commands, environment, limits, timeouts, policies.
// It knows systemd's syntax and defaults (systemd.service(5), systemd.exec(5),
// systemd.kill(5)), and which directives can be honoured by plain system calls.
// It never knows how a process is started or watched.
package spec

import "time"

// Type is what Type= says of when a service counts as started.
type Type string

// The types that can be honoured. The others (forking, dbus, idle) are refused.
const (
	Simple  Type = "simple"
	Exec    Type = "exec"
	OneShot Type = "oneshot"
	Notify  Type = "notify"
)

// Service is one service unit, complete but for what only the moment of a start
// can tell: the values of variables and the contents of environment files. It
// is written to disk for the supervisor, hence the plain fields.
type Service struct {
	Name string
	Type Type

	Pre, Start, Post, Stop, StopPost, Reload []Command `json:",omitempty"`

	Conditions     []Condition `json:",omitempty"`
	ExecConditions []Command   `json:",omitempty"`

	Environment []string  `json:",omitempty"` // NAME=value
	Files       []EnvFile `json:",omitempty"`
	Pass        []string  `json:",omitempty"` // names of variables of the agent's
	Unset       []string  `json:",omitempty"` // names, or NAME=value

	Dir         string   // "" is the default, "~" the user's home
	DirOptional bool     `json:",omitempty"`
	User, Group string   `json:",omitempty"`
	Groups      []string `json:",omitempty"`
	UMask       int

	Stdout, Stderr Output

	Restart        string // no, always, on-success, on-failure, on-abnormal, on-abort, on-watchdog
	RestartSec     time.Duration
	StartInterval  time.Duration
	StartBurst     int
	Success        Exits
	RestartPrevent Exits
	RestartForce   Exits
	RemainAfter    bool `json:",omitempty"`

	KillMode    string // control-group, mixed, process, none
	KillSignal  int
	FinalSignal int
	SendHUP     bool `json:",omitempty"`
	SendKill    bool

	// 0 is no limit.
	TimeoutStart, TimeoutStop, RuntimeMax, Watchdog time.Duration
	WatchdogSignal                                  int
	NotifyAccess                                    string // none, main, exec, all

	Nice        *int    `json:",omitempty"`
	OOMScore    *int    `json:",omitempty"`
	Limits      []Limit `json:",omitempty"`
	NoNewPrivs  bool    `json:",omitempty"`
	KeepSIGPIPE bool    `json:",omitempty"`
}

// Condition is one Condition…= or Assert…= about a path.
type Condition struct {
	Kind    string // the word after Condition or Assert
	Path    string
	Not     bool `json:",omitempty"` // "!"
	Trigger bool `json:",omitempty"` // "|": one of these must hold
	Assert  bool `json:",omitempty"` // its failure is one of the start
}

func (c Condition) String() string {
	text, sign := "Condition", ""
	if c.Assert {
		text = "Assert"
	}
	if c.Not {
		sign = "!"
	}
	return text + c.Kind + "=" + sign + c.Path
}

// Command is one command of an Exec…= line.
type Command struct {
	Path   string   // absolute, or a name to look up
	Args   []string // with argv[0]; variables not yet expanded
	Ignore bool     `json:",omitempty"` // "-": a failure doesn't count
	Raw    bool     `json:",omitempty"` // ":": no variables
	Full   bool     `json:",omitempty"` // "+" and "!": not as User=
}

// EnvFile is one EnvironmentFile=; Path may be a pattern.
type EnvFile struct {
	Path     string
	Optional bool `json:",omitempty"`
}

// Output is where a stream goes: "log", "null", "file", "append", "truncate",
// and for the standard error "inherit".
type Output struct {
	To   string
	Path string `json:",omitempty"`
}

// Limit is one resource limit; Resource is RLIMIT_… of setrlimit(2).
type Limit struct {
	Resource   int
	Soft, Hard uint64
}

// Exits is a set of exit codes and signals.
type Exits struct {
	Codes   []int `json:",omitempty"`
	Signals []int `json:",omitempty"`
}
