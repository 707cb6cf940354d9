package reconcile

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/units"
)

// unitSpec is the parsed form of a unit's resource.
type unitSpec struct {
	unit        *units.Unit
	want        units.State
	drift       units.Drift
	shown       []units.Option // as fleet's API shows the file
	ignored     []string       // directives without effect in this engine
	unsupported bool           // the engine doesn't have what the file asks for
}

// Wants implements [Kind]: unit files directly in the source or below units/.
func (k *Units) Wants(name string) bool {
	dir, _, nested := strings.Cut(name, "/")
	if nested && dir != "units" || strings.HasSuffix(path.Dir(name), ".d") {
		return false
	}
	return units.IsUnit(path.Base(name))
}

// Claims implements [Kind].
func (k *Units) Claims(File) (bool, string) { return true, "" }

// readUnit is what is kept of a file: the unit that it is without any drop-in,
// which most are. It is never changed.
type readUnit struct {
	unit   *units.Unit
	shown  []units.Option
	faults problem.List
}

// Parse implements [Kind].
func (k *Units) Parse(file File) any {
	u, faults := units.Load(path.Base(file.Path), units.Part{Path: file.Path, Text: file.Data}, nil)
	return &readUnit{u, units.Effective(u.Text, nil), faults}
}

// stater is a tree that says itself what is wanted of its units, as the
// registry of units created over the API does.
type stater interface {
	Desired(name string) (units.State, bool)
}

// Load implements [Kind].
func (k *Units) Load(snap *sources.Snapshot, file File, parsed any, policy Policy) Resource {
	name := path.Base(file.Path)
	read := parsed.(*readUnit)
	dropIns, faults := readDropIns(snap.Tree, file.Path+".d")
	if template := units.TemplateOf(name); template != "" {
		theirs, more := readDropIns(snap.Tree, path.Join(path.Dir(file.Path), template+".d"))
		dropIns, faults = withTemplate(dropIns, theirs), append(faults, more...)
	}
	u, more := read.unit, read.faults
	if len(dropIns) > 0 {
		u, more = units.Load(name, units.Part{Path: file.Path, Text: file.Data}, dropIns)
	}
	r := Resource{Kind: UnitKind, Name: name, Problems: append(faults, more...)}
	if v, violated := policy.UnitName(name); violated {
		v.File = file.Path
		r.Problems = append(r.Problems, v)
	}
	spec := &unitSpec{unit: u, shown: read.shown, want: u.Abide.Desired, drift: u.Abide.Drift}
	if s, ok := snap.Tree.(stater); ok {
		if want, known := s.Desired(name); known {
			spec.want = want
		}
	}
	spec.want = cmp.Or(spec.want, policy.Units.Desired, units.Launched)
	if units.IsTemplate(name) && spec.want == units.Launched {
		spec.want = units.Loaded // a template is only placed
	}
	spec.drift = cmp.Or(spec.drift, policy.Units.Drift, k.Drift)
	if !r.Broken() {
		r.Problems = append(r.Problems, k.check(spec, file.Path)...)
	}
	r.Spec, r.After, r.Hosts = spec, u.Abide.DependsOn, u.Abide.Hosts
	if spec.want == units.Launched {
		for _, name := range u.Deps.Needs() {
			r.Needs = append(r.Needs, UnitKind+"/"+name)
		}
	}
	r.Text, r.Digest = bundle(u.Text, u.DropIns), wish(u.Content, spec.want)
	return r
}

// check lets the engine judge a unit that is to be there: what it can't honour is
// a problem of the plan, not of the attempt.
func (k *Units) check(spec *unitSpec, file string) problem.List {
	checker, ok := k.Engine.(units.Checker)
	if !ok || spec.want == units.Inactive {
		return nil
	}
	ignored, err := checker.Check(spec.unit.Name, spec.unit.Text, spec.unit.DropIns)
	spec.ignored = ignored
	if err == nil {
		return nil
	}
	spec.unsupported = errors.Is(err, units.ErrNotSupported)
	p := problem.Problem{Severity: problem.Error, File: file, Message: err.Error(), Hint: "change the file; what was last applied stays in force until then"}
	if line, ok := errors.AsType[*units.LineError](err); ok {
		p.Line, p.Column, p.Message = line.Line, line.Column, line.Err.Error()
		if _, dropIn, ok := strings.Cut(line.File, ".d/"); ok {
			p.File = file + ".d/" + dropIn
		}
	}
	return problem.List{p}
}

// wish is the digest of what is wanted of a unit: its files and its state.
func wish(content string, state units.State) string { return content + "+" + string(state) }

func contentOf(digest string) string {
	content, _ := unwish(digest)
	return content
}

// unwish takes a wish apart.
func unwish(digest string) (content string, state units.State) {
	content, word, _ := strings.Cut(digest, "+")
	return content, units.State(word)
}

// readDropIns reads NAME.d/*.conf beside a unit file.
func readDropIns(tree fs.FS, dir string) (parts []units.Part, faults problem.List) {
	entries, err := fs.ReadDir(tree, dir)
	if err != nil {
		return nil, nil // most units have none
	}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".conf" {
			continue
		}
		file := dir + "/" + e.Name()
		text, err := readBounded(tree, file)
		if err != nil {
			faults = append(faults, problem.Problem{Severity: problem.Error, File: file, Message: "the drop-in can't be read: " + err.Error(), Hint: "mend it"})
			continue
		}
		parts = append(parts, units.Part{Path: file, Text: text})
	}
	return parts, faults
}

// withTemplate adds the drop-ins of a template to those of its instance, so that
// a change of theirs is one of the instance: as in systemd.unit(5), one of the
// same name takes the template's place.
func withTemplate(own, theirs []units.Part) []units.Part {
	for _, t := range theirs {
		if !slices.ContainsFunc(own, func(p units.Part) bool { return path.Base(p.Path) == path.Base(t.Path) }) {
			own = append(own, t)
		}
	}
	return own
}

// bundle joins a unit file and its drop-ins for people to read and for a
// rollback to take apart again.
func bundle(text []byte, dropIns []units.DropIn) []byte {
	out := bytes.Clone(text)
	for _, d := range dropIns {
		if len(out) > 0 && out[len(out)-1] != '\n' {
			out = append(out, '\n')
		}
		out = append(append(out, dropInMark+d.Name+"\n"...), d.Text...)
	}
	return out
}

const dropInMark = "# --- drop-in "

func unbundle(text []byte) (file []byte, dropIns []units.DropIn) {
	parts := strings.Split("\n"+string(text), "\n"+dropInMark)
	file = []byte(strings.TrimPrefix(parts[0], "\n"))
	if len(parts) > 1 {
		file = append(file, '\n')
	}
	for i, p := range parts[1:] {
		name, body, _ := strings.Cut(p, "\n")
		if i < len(parts)-2 {
			body += "\n"
		}
		dropIns = append(dropIns, units.DropIn{Name: name, Text: []byte(body)})
	}
	return file, dropIns
}
