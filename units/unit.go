package units

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
)

// Part is one file of a unit as its source holds it. A drop-in is named by the
// last element of its path.
type Part struct {
	Path string
	Text []byte
}

// Unit is one unit as files declare it, complete and ready to be placed: what
// stands in Text and DropIns is kept byte for byte.
type Unit struct {
	Name    string
	Text    []byte
	DropIns []DropIn // in the order of their names
	Fleet   XFleet
	Abide   XAbide
	Deps    Deps
	Content string // see [Content]
	Meaning string // see [MeaningfulDigest]
}

// Load makes a unit of its file and drop-ins. An instance is loaded under its
// own name from the file of its template, which systemd and the specifiers of
// both sections need no other form of. Problems name the part they are in; the
// unit is sound when the list has no error.
func Load(name string, file Part, dropIns []Part) (*Unit, problem.List) {
	u := &Unit{Name: name, Text: file.Text}
	faults := nameFaults(name, file.Path)
	settings, more := Read(file.Path, string(file.Text))
	if faults = append(faults, more...); more.Err() == nil {
		faults = append(faults, shownFaults(file, settings)...)
	}
	parts := slices.SortedFunc(slices.Values(dropIns), func(a, b Part) int { return strings.Compare(path.Base(a.Path), path.Base(b.Path)) })
	for _, p := range parts {
		u.DropIns = append(u.DropIns, DropIn{Name: path.Base(p.Path), Text: p.Text})
		s, more := Read(p.Path, string(p.Text))
		settings, faults = append(settings, s...), append(faults, more...)
	}
	options := optionsOf(settings)
	u.Fleet, u.Deps = XFleetOf(name, options), DepsOf(name, options)
	faults = append(faults, fleetFaults(u.Fleet, settings)...)
	u.Abide, more = XAbideOf(name, settings)
	faults = append(faults, more...)
	u.Content, u.Meaning = Content(u.Text, u.DropIns), MeaningfulDigest(u.Text, u.DropIns)
	return u, atMost(faults)
}

// atMost keeps the first problems of a file that has nothing but problems.
func atMost(faults problem.List) problem.List {
	const most = 50
	if len(faults) <= most {
		return faults
	}
	rest := faults[most]
	rest.Severity = problem.Warning
	if faults[most:].Err() != nil {
		rest.Severity = problem.Error
	}
	rest.Message, rest.Hint = fmt.Sprintf("there are %d more problems", len(faults)-most), "mend those before it first"
	return append(faults[:most:most], rest)
}

func nameFaults(name, file string) problem.List {
	err := ValidateName(name)
	if err == nil && len(name) > maxPlacedName {
		err = fmt.Errorf("the name has %d bytes, systemd takes %d", len(name), maxPlacedName)
	}
	if err == nil {
		return nil
	}
	return problem.List{{Severity: problem.Error, File: file, Message: err.Error(), Hint: "rename the file, as in web.service or web@.service"}}
}

// shownFaults says what fleet's API, which reads a unit file in its own way, would
// make of one that systemd reads well.
func shownFaults(p Part, settings []Setting) problem.List {
	options, err := Parse(string(p.Text))
	fault := problem.Problem{Severity: problem.Error, File: p.Path, Hint: "look at what stands before its first section, and at comments that end in a backslash"}
	if err != nil {
		fault.Message = "fleet's API can't show it: " + err.Error()
		return problem.List{fault}
	}
	if err := sameReading(settings, options); err != nil {
		fault.Severity, fault.Message = problem.Warning, "fleet's API shows it otherwise: "+err.Error()
		return problem.List{fault}
	}
	return nil
}

// fleetFaults places what [XFleet.Check] finds at the first setting of the section.
func fleetFaults(x XFleet, settings []Setting) problem.List {
	err := x.Check()
	i := slices.IndexFunc(settings, func(s Setting) bool { return s.Section == fleetSection })
	if err == nil || i < 0 {
		return nil
	}
	p := settings[i].fault(problem.Error, err.Error(), "remove one of the two")
	p.Field = fleetSection
	return problem.List{p}
}
