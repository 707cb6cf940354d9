package spec

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/abide-agent/abide/units"
)

// A File is a unit file or one of its drop-ins.
type File struct {
	Name string // for the place in an error
	Text []byte
}

// Compiled is a unit that this engine can run.
type Compiled struct {
	Service Service
	// Ignored lists the directives that have no effect here, without harm,
	// each as "Section/Name", sorted.
	Ignored []string
	// Install says that there is an [Install] section.
	Install bool
}

// Compile reads a unit file and its drop-ins, in the order that systemd reads
// them. An error wraps [units.ErrNotSupported] and names the directive where
// the unit would mean something else without it; any other error is a fault of
// the file. It is a [units.LineError] where one line is to blame.
func Compile(name string, files []File, host Host) (Compiled, error) {
	if units.Type(name) != "service" {
		return Compiled{}, fmt.Errorf("%s is a unit of the type %s, which is %w; only services are, so run it on a machine with systemd", name, units.Type(name), units.ErrNotSupported)
	}
	b := &builder{specifiers: specifiers{name: name, host: host}, out: Compiled{Service: defaults(name)}}
	for _, f := range files {
		settings, faults := units.Read(f.Name, string(f.Text))
		if err := faults.Err(); err != nil {
			return Compiled{}, err
		}
		for _, s := range settings {
			if err := b.setting(s); err != nil {
				return Compiled{}, &units.LineError{File: f.Name, Line: s.Line, Column: s.Column, Err: err}
			}
		}
	}
	if err := b.finish(); err != nil {
		return Compiled{}, fmt.Errorf("%s: %w", name, err)
	}
	slices.Sort(b.out.Ignored)
	b.out.Ignored = slices.Compact(b.out.Ignored)
	return b.out, nil
}

// builder holds a unit while its settings are read.
type builder struct {
	specifiers specifiers
	out        Compiled
	typed      bool
	timeout    bool // TimeoutStartSec= was given
}

func (b *builder) setting(s units.Setting) error {
	if strings.HasPrefix(s.Section, "X-") || strings.HasPrefix(s.Name, "X-") {
		return nil
	}
	switch s.Section {
	case "Unit", "Service":
	case "Install":
		b.out.Install = true
		b.ignore(s)
		return nil
	default:
		return fmt.Errorf("the section [%s] is %w; a service has [Unit], [Service] and [Install]", s.Section, units.ErrNotSupported)
	}
	d, known := directives[s.Section][s.Name]
	var err error
	switch {
	case !known:
		err = errMeaning
	case d == nil:
		b.ignore(s)
	default:
		err = d(b, s.Value)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errMeaning):
		return fmt.Errorf("%s=%s is %w, and the unit would mean something else without it; take it out, or run the unit on a machine with systemd", s.Name, clip(s.Value), units.ErrNotSupported)
	case errors.Is(err, errIgnore):
		b.ignore(s)
		return nil
	}
	return fmt.Errorf("%s=%s: %w", s.Name, clip(s.Value), err)
}

func (b *builder) ignore(s units.Setting) {
	b.out.Ignored = append(b.out.Ignored, s.Section+"/"+s.Name)
}

// What a directive's function answers besides nil and a fault of the value.
var (
	errMeaning = errors.New("the meaning would change")
	errIgnore  = errors.New("without effect")
)

func clip(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// finish fills in what depends on other settings, and checks them together.
func (b *builder) finish() error {
	s := &b.out.Service
	if !b.typed && len(s.Start) == 0 {
		s.Type = OneShot // systemd.service(5): no Type= and no ExecStart=
	}
	if s.Type == OneShot && !b.timeout {
		s.TimeoutStart = 0
	}
	if s.Type == Notify && s.NotifyAccess == "none" {
		s.NotifyAccess = "main"
	}
	if s.Dir == "~" && s.User == "" {
		s.Dir = b.specifiers.host.Home
	}
	switch {
	case len(s.Start) == 0 && len(s.Stop) == 0:
		return errors.New("it has neither ExecStart= nor ExecStop=; name the program to run in ExecStart=")
	case len(s.Start) == 0 && !(s.Type == OneShot && s.RemainAfter):
		return errors.New("it has no ExecStart=, which only Type=oneshot with RemainAfterExit=yes allows; name the program to run")
	case len(s.Start) > 1 && s.Type != OneShot:
		return errors.New("it has more than one ExecStart=, which only Type=oneshot allows; keep one, or set the type")
	case s.Type == OneShot && (s.Restart == "always" || s.Restart == "on-success"):
		return fmt.Errorf("Restart=%s would run a Type=oneshot for ever; use on-failure or no", s.Restart)
	}
	return nil
}

func defaults(name string) Service {
	return Service{
		Name: name, Type: Simple, UMask: 0o022,
		Stdout: Output{To: "log"}, Stderr: Output{To: "inherit"},
		Restart: "no", RestartSec: defaultRestart, StartInterval: defaultInterval, StartBurst: 5,
		KillMode: "control-group", KillSignal: sigTERM, FinalSignal: sigKILL, SendKill: true, WatchdogSignal: sigABRT,
		TimeoutStart: defaultTimeout, TimeoutStop: defaultTimeout, NotifyAccess: "none",
	}
}

// Files gives a unit and its drop-ins in the order in which they count.
func Files(name string, text []byte, dropIns []units.DropIn) []File {
	out := []File{{name, text}}
	for _, d := range slices.SortedFunc(slices.Values(dropIns), func(a, b units.DropIn) int { return strings.Compare(a.Name, b.Name) }) {
		out = append(out, File{filepath.Join(name+".d", d.Name), d.Text})
	}
	return out
}
