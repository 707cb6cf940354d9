package units

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// Drift says what is done about a unit that is no longer as it was made.
type Drift string

// The policies of drift.
const (
	DriftRepair Drift = "repair"
	DriftReport Drift = "report"
	DriftOff    Drift = "off"
)

// XAbide is what the section [X-Abide] of a unit asks for. What it doesn't say
// is empty, so that the source's settings can.
type XAbide struct {
	Desired   State
	Probe     *Probe
	Rollback  bool
	Drift     Drift
	DependsOn []string // keys of resources of any kind, as `pipeline/build` or `db.service`
	Hosts     []string // names, globs over them, or labels key=value
}

const abideSection = "X-Abide"

// maxWords bounds the lists of our own section and of fleet's.
const maxWords = 1000

var abideKeys = []string{"DesiredState", "Probe", "ProbeWindow", "Rollback", "Drift", "DependsOn", "Hosts"}

// XAbideOf reads the section [X-Abide]; the name is for its specifiers. A key
// that is unknown is a warning, the near miss of a known one an error: a
// misspelled Rollback= must not go unnoticed until it is needed.
func XAbideOf(name string, settings []Setting) (XAbide, problem.List) {
	p := abideParser{replace: specifiers(name), seen: map[string]bool{fleetSection: true}}
	for _, s := range settings {
		if s.Section == abideSection {
			s.Value = p.replace.Replace(s.Value)
			p.take(s)
		} else {
			p.otherSection(s)
		}
	}
	if p.window > 0 {
		if p.x.Probe == nil {
			p.faults = append(p.faults, p.windowAt.fault(problem.Warning, "there is no Probe= for the window", "write a Probe=, or remove it"))
		} else {
			p.x.Probe.Window = p.window
		}
	}
	return p.x, p.faults
}

type abideParser struct {
	x        XAbide
	replace  *strings.Replacer
	faults   problem.List
	seen     map[string]bool // other sections that were looked at
	window   time.Duration
	windowAt Setting
}

func (p *abideParser) take(s Setting) {
	switch s.Name {
	case "DesiredState":
		p.oneOf(s, (*string)(&p.x.Desired), string(Inactive), string(Loaded), string(Launched))
	case "Drift":
		p.oneOf(s, (*string)(&p.x.Drift), string(DriftRepair), string(DriftReport), string(DriftOff))
	case "Rollback":
		p.rollback(s)
	case "DependsOn":
		p.list(s, &p.x.DependsOn)
	case "Hosts":
		before := len(p.x.Hosts)
		p.list(s, &p.x.Hosts)
		p.globs(s, p.x.Hosts[min(before, len(p.x.Hosts)):])
	case "Probe":
		p.probe(s)
	case "ProbeWindow", "Window":
		d, err := parseWindow(s.Value)
		if err != nil {
			p.wrong(s, fmt.Sprintf("%s %v", clip(s.Value), err), "write it as in ProbeWindow=30s")
			return
		}
		p.window, p.windowAt = d, s
	default:
		p.unknown(s)
	}
}

func (p *abideParser) wrong(s Setting, message, hint string) {
	p.faults = append(p.faults, s.fault(problem.Error, message, hint))
}

func (p *abideParser) unknown(s Setting) {
	if near := problem.Nearest(s.Name, abideKeys); near != "" {
		p.wrong(s, fmt.Sprintf("%s is not a key of [X-Abide]", clip(s.Name)), "did you mean "+near+"=?")
		return
	}
	p.faults = append(p.faults, s.fault(problem.Warning, fmt.Sprintf("%s is not a key of [X-Abide] and is ignored", clip(s.Name)),
		"the keys are "+strings.Join(abideKeys, ", ")))
}

// otherSection looks for sections that were meant to be ours or fleet's.
func (p *abideParser) otherSection(s Setting) {
	if p.seen[s.Section] {
		return
	}
	p.seen[s.Section] = true
	switch near := problem.Nearest(s.Section, []string{abideSection, fleetSection, "Abide", "Fleet"}); near {
	case abideSection, "Abide":
		p.wrong(s, "systemd and abide know no section "+clip(s.Section), "did you mean [X-Abide]?")
	case fleetSection, "Fleet":
		p.faults = append(p.faults, s.fault(problem.Warning, "fleet and abide ignore the section "+clip(s.Section), "did you mean [X-Fleet]?"))
	}
}

func (p *abideParser) oneOf(s Setting, to *string, known ...string) {
	if s.Value != "" && !slices.Contains(known, s.Value) {
		hint := "write " + strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
		p.wrong(s, fmt.Sprintf("%s is not a value of %s=", clip(s.Value), s.Name), hint)
		return
	}
	*to = s.Value
}

func (p *abideParser) rollback(s Setting) {
	switch strings.ToLower(s.Value) {
	case "1", "yes", "y", "true", "t", "on":
		p.x.Rollback = true
	case "0", "no", "n", "false", "f", "off", "":
		p.x.Rollback = false
	default:
		p.wrong(s, fmt.Sprintf("%s is neither true nor false", clip(s.Value)), "write Rollback=true or Rollback=false")
	}
}

// list takes a list of words; an empty assignment begins it anew, as systemd's do.
func (p *abideParser) list(s Setting, to *[]string) {
	names, err := words(strings.ReplaceAll(s.Value, ",", " "), false)
	if err != nil {
		p.wrong(s, err.Error(), "close it")
		return
	}
	if len(names) == 0 {
		*to = nil
	}
	for _, n := range names {
		if len(*to) == maxWords {
			p.wrong(s, fmt.Sprintf("there are more than %d names", maxWords), "shorten the list")
			return
		}
		if !slices.Contains(*to, n) {
			*to = append(*to, n)
		}
	}
}

func (p *abideParser) globs(s Setting, hosts []string) {
	for _, h := range hosts {
		if _, err := path.Match(h, ""); err != nil {
			p.wrong(s, fmt.Sprintf("%s is not a pattern", clip(h)), "close its bracket")
		}
	}
}

func (p *abideParser) probe(s Setting) {
	p.x.Probe = nil
	if s.Value == "" {
		return
	}
	probe, err := parseProbe(s.Value)
	if err != nil {
		p.wrong(s, fmt.Sprintf("the probe %v", err),
			"write Probe=http://HOST:PORT/PATH, Probe=tcp://HOST:PORT or Probe=exec:/PROGRAM ARGUMENTS")
		return
	}
	p.x.Probe = probe
}
