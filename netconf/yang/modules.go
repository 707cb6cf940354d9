package yang

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// controllerStub stands in for the module that services augment, so that a repo
// of services needs no copy of the original.
//
//go:embed modules/clixon-controller.yang
var controllerStub string

const controller = "clixon-controller"

const leftOut = "the module is left out until then"

// library is what texts were given, by name.
type library struct {
	modules    map[string][]*source // the newest revision first
	submodules map[string][]*source
	texts      map[*stmt]Module
}

// read takes the texts in. Of two texts of one name and revision the first
// counts.
func (c *compiler) read(modules []Module) {
	c.lib = &library{map[string][]*source{}, map[string][]*source{}, map[*stmt]Module{}}
	if len(modules) > maxModules {
		c.warn(Warning{
			Message: fmt.Sprintf("there are %d modules, more than %d; those after are left out", len(modules), maxModules),
			Hint:    "take away those that nobody needs",
		})
		modules = modules[:maxModules]
	}
	wanted, total := false, 0
	for _, m := range modules {
		if total += len(m.Text); total > maxTexts {
			c.warn(Warning{
				Module: m.Name, File: m.File,
				Message: fmt.Sprintf("the modules are larger than %d MiB together; this one and those after it are left out", maxTexts>>20),
				Hint:    "take away those that nobody needs",
			})
			break
		}
		if at := c.take(m); at != nil {
			for _, i := range all(at, "import") {
				wanted = wanted || i.Argument == controller
			}
		}
	}
	if wanted && len(c.lib.modules[controller]) == 0 {
		c.take(Module{Name: controller, File: controller + ".yang", Text: controllerStub})
	}
}

// take parses one text and files it.
func (c *compiler) take(m Module) *stmt {
	file := m.File
	if file == "" {
		file = m.Name + ".yang"
	}
	at, err := parse(file, m.Text)
	if err != nil {
		c.warnErr(m.Name, err, leftOut)
		return nil
	}
	shelf := c.lib.modules
	if at.Keyword == "submodule" {
		shelf = c.lib.submodules
	}
	revision := revisionOf(at)
	i, known := slices.BinarySearchFunc(shelf[at.Argument], revision, func(s *source, r string) int {
		return strings.Compare(r, s.revision) // the newest first
	})
	if known {
		if other := c.lib.texts[shelf[at.Argument][i].at]; other.Text != m.Text {
			c.warnAt(at, "keep one of the two", "this is another text of %s, which %s has already", nameAt(at.Argument, revision), other.File)
		}
		return nil
	}
	m.Name, m.Revision, m.File = at.Argument, revision, file
	c.lib.texts[at] = m
	shelf[at.Argument] = slices.Insert(shelf[at.Argument], i, &source{at: at, revision: revision})
	return at
}

// revisionOf gives the newest revision that a text tells, or "".
func revisionOf(at *stmt) string {
	newest := ""
	for _, r := range all(at, "revision") {
		newest = max(newest, r.Argument)
	}
	return newest
}

func nameAt(name, revision string) string {
	if revision == "" {
		return name
	}
	return name + "@" + revision
}

// pick gives the source that an import or include means: of the revision that
// it asks for if that is there, else the newest.
func pick(shelf []*source, by *stmt) *source {
	if len(shelf) == 0 {
		return nil
	}
	if want := arg(by, "revision-date"); want != "" {
		for _, s := range shelf {
			if s.revision == want {
				return s
			}
		}
	}
	return shelf[0]
}

// open makes a module of its source: it finds the submodules and the imports,
// which are compiled first, and takes the definitions in.
func (c *compiler) open(main *source) *module {
	if main.mod != nil {
		return main.mod
	}
	m := &module{
		name: main.at.Argument, revision: main.revision,
		space: arg(main.at, "namespace"), prefix: arg(main.at, "prefix"),
		typedefs: map[string]*typedef{}, groupings: map[string]*grouping{}, identities: map[string]*identity{},
	}
	main.mod = m
	c.modules = append(c.modules, m)
	m.state = underWay
	if m.err = c.fill(m, main); m.err == nil {
		m.err = c.compile(m)
	}
	m.state = done
	if m.err != nil {
		m.body, m.augments, m.deviates = nil, nil, nil
		c.warnErr(m.name, m.err, leftOut)
	}
	return m
}

func (c *compiler) fill(m *module, main *source) error {
	if m.space == "" || !isIdentifier(m.prefix) {
		return faultAt(main.at, "add them", "the module has no namespace or no prefix")
	}
	m.sources = []*source{main}
	for i := 0; i < len(m.sources); i++ { // submodules may include others
		for _, inc := range all(m.sources[i].at, "include") {
			sub := pick(c.lib.submodules[inc.Argument], inc)
			if sub == nil {
				return faultAt(inc, "put its file beside this one", "the submodule %s is not there", inc.Argument)
			}
			if arg(sub.at, "belongs-to") != m.name {
				return faultAt(inc, "include it there only", "the submodule %s belongs to %s", inc.Argument, arg(sub.at, "belongs-to"))
			}
			if !slices.ContainsFunc(m.sources, func(s *source) bool { return s.at == sub.at }) {
				m.sources = append(m.sources, &source{at: sub.at, revision: sub.revision})
			}
		}
	}
	for _, src := range m.sources {
		src.mod = m
		src.prefixes = map[string]*module{m.prefix: m}
		if b := first(src.at, "belongs-to"); b != nil {
			src.prefixes[arg(b, "prefix")] = m
		}
		if err := c.imports(src); err != nil {
			return err
		}
		src.scope = &scope{src: src, typedefs: m.typedefs, groupings: m.groupings}
		src.scope.collect(src.at)
		for _, d := range all(src.at, "identity") {
			m.identities[d.Argument] = &identity{mod: m, name: d.Argument}
		}
	}
	for _, src := range m.sources {
		for _, d := range all(src.at, "identity") {
			for _, b := range all(d, "base") {
				base, err := src.scope.identity(b)
				if err != nil {
					return err
				}
				id := m.identities[d.Argument]
				id.bases = append(id.bases, base)
			}
		}
	}
	return nil
}

func (c *compiler) imports(src *source) error {
	for _, i := range all(src.at, "import") {
		other := pick(c.lib.modules[i.Argument], i)
		if other == nil {
			return faultAt(i, "put its file beside this one", "the module %s, which is imported, is not there", i.Argument)
		}
		m := c.open(other)
		switch {
		case m.state == underWay:
			return faultAt(i, "break the circle", "the module %s imports this one, directly or through others", i.Argument)
		case m.err != nil:
			return faultAt(i, "correct that module first", "the module %s, which is imported, can't be used", i.Argument)
		}
		src.prefixes[arg(i, "prefix")] = m
	}
	return nil
}
