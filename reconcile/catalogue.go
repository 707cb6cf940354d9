package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/netconf/yang"
	"github.com/abide-agent/abide/sources"
)

// catalogue is what one source's snapshot holds for the family of services
// beside the instances: the devices, the templates, and the models of the
// services.
type catalogue struct {
	devices   map[string]device.Device
	visible   string // digest of what service code sees of the devices
	templates map[string]*codeFile
	models    *service.Models         // nil: the source has no YANG
	judged    string                  // the files and models that faults are of; "": it can't be told
	faults    map[string]problem.List // of instances, by their models
}

// codeFile is a template, or why it can't be used.
type codeFile struct {
	file     string
	hash     string
	template *service.Template
	problems problem.List
}

// catalogues keeps each source's latest catalogue, and what was parsed for as
// long as the files' hashes stay.
type catalogues struct {
	mu    sync.Mutex
	of    map[string]*catalogue
	codes map[string]*codeFile // by source and file
	known map[string]compiled  // by the digest of all their texts
}

// compiled are the models of services with what was said of them.
type compiled struct {
	digest   string // of the models' texts
	models   *service.Models
	warnings problem.List
}

func newCatalogues() *catalogues {
	return &catalogues{of: map[string]*catalogue{}, codes: map[string]*codeFile{}, known: map[string]compiled{}}
}

// get gives the latest catalogue of a source, never nil.
func (c *catalogues) get(source string) *catalogue {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cat := c.of[source]; cat != nil {
		return cat
	}
	return &catalogue{}
}

// putDevices replaces one source's devices, and gives what is wrong with its
// groups and profiles; the faults of a device are told with it.
func (c *catalogues) putDevices(source string, docs []device.Inventory) (faults problem.List) {
	inv, faults := device.Merge(docs...)
	list, more := device.Resolve(inv)
	own := map[string]bool{}
	for _, d := range list {
		for _, f := range d.Faults {
			own[f.String()] = true
		}
	}
	faults = append(faults, slices.DeleteFunc(more, func(p problem.Problem) bool { return own[p.String()] })...)
	byName := make(map[string]device.Device, len(list))
	var seen []service.Device
	for _, d := range list {
		byName[d.Name] = d
		if d.Faults.Err() == nil && !d.Disabled {
			seen = append(seen, seenByCode(d))
		}
	}
	c.change(source, func(cat *catalogue) { cat.devices, cat.visible = byName, visibleDigest(seen) })
	return faults
}

// change makes a new catalogue out of a source's latest, so that who has the old
// one may go on reading it.
func (c *catalogues) change(source string, f func(*catalogue)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := catalogue{}
	if old := c.of[source]; old != nil {
		next = *old
	}
	f(&next)
	c.of[source] = &next
}

// putCode replaces one source's templates and models by what its snapshot holds,
// and gives what is wrong with the models.
func (c *catalogues) putCode(snap *sources.Snapshot, names []string, all []service.Instance, hashes []string) problem.List {
	templates := map[string]*codeFile{}
	var models []yang.Module
	for _, name := range names {
		if !ofServices(name) {
			continue
		}
		switch path.Ext(name) {
		case ".tmpl":
			code := c.template(snap, name)
			called := strings.TrimSuffix(strings.TrimSuffix(path.Base(name), ".tmpl"), ".xml")
			if other := templates[called]; other != nil {
				twice := *other
				twice.problems = append(slices.Clone(other.problems), problem.Problem{
					Severity: problem.Error, File: name,
					Message: fmt.Sprintf("the service %s has a template in %s already", called, other.file), Hint: "remove one of the two",
				})
				templates[called] = &twice
				continue
			}
			templates[called] = code
		case ".yang":
			if text, err := readBounded(snap.Tree, name); err == nil {
				models = append(models, yang.Module{File: name, Name: strings.TrimSuffix(path.Base(name), ".yang"), Text: string(text)})
			}
		}
	}
	by := c.compile(models)
	was := c.get(snap.Source)
	judged := judgedBy(by.digest, hashes)
	faults := was.faults
	if judged == "" || judged != was.judged {
		faults = judge(by.models, all)
	}
	c.change(snap.Source, func(cat *catalogue) {
		cat.templates, cat.models, cat.judged, cat.faults = templates, by.models, judged, faults
	})
	return slices.Clone(by.warnings)
}

// judgedBy identifies what instances are judged by and which; "" where that can't
// be told.
func judgedBy(models string, hashes []string) string {
	for _, h := range hashes {
		if strings.HasSuffix(h, "\x00") {
			return ""
		}
	}
	return fmt.Sprintf("%s %q", models, hashes)
}

// judge holds all instances against the models, and gives the faults of each.
func judge(schema *service.Models, all []service.Instance) map[string]problem.List {
	faults := schema.Validate(all)
	if rest := faults[""]; len(rest) > 0 { // nobody can say whose they are: everybody's
		for _, i := range all {
			faults[i.Name()] = append(faults[i.Name()], rest...)
		}
	}
	return faults
}

// ofServices says whether a file may belong to the services: directly in the
// source or below services/.
func ofServices(name string) bool {
	dir, _, nested := strings.Cut(name, "/")
	return !nested || dir == "services" || dir == "devices"
}

func (c *catalogues) template(snap *sources.Snapshot, name string) *codeFile {
	key, hash := snap.Source+"\x00"+name, contentHash(snap.Tree, name)
	c.mu.Lock()
	known := c.codes[key]
	c.mu.Unlock()
	if known != nil && hash != "" && known.hash == hash {
		return known
	}
	code := &codeFile{file: name, hash: hash}
	text, err := readBounded(snap.Tree, name)
	if err != nil {
		code.problems = problem.List{{Severity: problem.Error, File: name, Message: "the template can't be read: " + err.Error(), Hint: "mend it"}}
		return code
	}
	if hash == "" {
		code.hash = textDigest(text)
	}
	if code.template, err = service.ParseTemplate(name, text); err != nil {
		code.problems = problem.List{templateProblem(name, err)}
	}
	c.mu.Lock()
	c.codes[key] = code
	c.mu.Unlock()
	return code
}

// templateProblem puts the error of a template in its place.
func templateProblem(file string, err error) problem.Problem {
	p := problem.Problem{Severity: problem.Error, File: file, Message: err.Error(), Hint: "mend the template"}
	if t, ok := errors.AsType[*service.TemplateError](err); ok {
		p.Line, p.Message = t.Line, t.Message
		if t.Hint != "" {
			p.Hint = t.Hint
		}
	}
	return p
}

// compile gives the models of services, once for the same texts.
func (c *catalogues) compile(models []yang.Module) compiled {
	if len(models) == 0 {
		return compiled{}
	}
	h := sha256.New()
	for _, m := range models {
		fmt.Fprintf(h, "%s\x00%d\x00%s", m.File, len(m.Text), m.Text)
	}
	key := hex.EncodeToString(h.Sum(nil))
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.known[key]
	if !ok {
		known.digest = key
		known.models, known.warnings = service.NewModels(models)
		if len(c.known) > 32 {
			clear(c.known)
		}
		c.known[key] = known
	}
	return known
}

// visibleDigest identifies what service code sees of the devices: when it
// changes, the services are to run again. How a device is reached is no part of it.
func visibleDigest(list []service.Device) string {
	h := sha256.New()
	for _, d := range list {
		fmt.Fprintf(h, "%q %q %q\n", d.Name, d.Addr, d.Groups)
		for _, k := range slices.Sorted(maps.Keys(d.Vars)) {
			fmt.Fprintf(h, " %q=%q\n", k, d.Vars[k])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
