package yang

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/abide-agent/abide/netconf/tree"
)

// The bounds of what one Compile is given.
const (
	maxModules = 5_000
	maxTexts   = 64 << 20
)

// Module is the text of a module or submodule. Name and Revision may be empty:
// the text says them. File is what messages call it.
type Module struct{ Name, Revision, File, Text string }

// Warning is something that Compile left out or can't judge, at its place. Line
// and Column count from 1 and are 0 where there is none.
type Warning struct {
	Module, File string
	Line, Column int
	Message      string // a sentence without its full stop
	Hint         string // what to do next
}

// String gives `file:line:column: message; hint`, leaving out what is unknown.
func (w Warning) String() string {
	at := w.File
	if w.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", w.File, w.Line, w.Column)
	}
	if at != "" {
		at += ": "
	}
	if w.Hint == "" {
		return at + w.Message
	}
	return at + w.Message + "; " + w.Hint
}

// Schema is what a set of modules says. It is never changed, and may be used by
// many goroutines.
type Schema struct {
	root    *Node
	def     *tree.Def
	modules []ModuleInfo
	spaces  map[string]*module // by namespace, those whose nodes are in the schema
}

// Root gives the top of the schema: its children are the nodes at the top of all
// modules, state (read-only) as well as configuration.
func (s *Schema) Root() *tree.Def { return s.def }

// Node gives the node that a path of names leads to through nodes that hold data,
// or nil. Without a path it gives the top.
func (s *Schema) Node(path ...tree.Name) *Node {
	n := s.root
	for _, name := range path {
		n = n.Child(name)
	}
	return n
}

// ModuleInfo is a module of a schema, as a server announces it.
type ModuleInfo struct {
	Module
	Namespace, Prefix string
	Features          []string // all of them are on
	Submodules        []Module
}

// Modules tells the modules whose nodes are in the schema, sorted by name.
func (s *Schema) Modules() []ModuleInfo { return s.modules }

// The states of a module that is compiled.
const (
	underWay = iota + 1
	done
)

type compiler struct {
	lib      *library
	modules  []*module
	warnings []Warning
	types    map[*stmt]*Type
	programs map[string]*regexp.Regexp
	spent    int // of maxNodes
	limit    int // of what may be spent by the module that is compiled
	regexps  int // of maxProgramAll
	typedefs int // the depth of the chain that is being followed
}

// Compile compiles modules. One that can't be compiled is left out with a
// Warning, and so are those that import it; an augment or a deviation whose
// target is missing is left out alone. All features are on. Of several revisions
// of a module the newest gives nodes, the others what is imported from them.
func Compile(modules []Module) (*Schema, []Warning) {
	c := &compiler{types: map[*stmt]*Type{}, programs: map[string]*regexp.Regexp{}}
	c.read(modules)
	s := &Schema{root: &Node{Kind: Container, Name: tree.Name{Local: "config"}}, spaces: map[string]*module{}}
	var used []*module
	for _, name := range slices.Sorted(maps.Keys(c.lib.modules)) {
		m := c.open(c.lib.modules[name][0])
		if m.err != nil {
			continue
		}
		if other := s.spaces[m.space]; other != nil {
			c.warnAt(m.sources[0].at, "give each a namespace of its own", "the module %s has the namespace of %s and is left out", m.name, other.name)
			continue
		}
		used = append(used, m)
		s.modules = append(s.modules, c.info(m))
		s.spaces[m.space] = m
		s.root.attach(m.body)
	}
	c.link(s, used)
	c.finish(s)
	for _, m := range c.modules { // what is needed from here on are the identities
		m.sources, m.typedefs, m.groupings, m.body, m.augments, m.deviates = nil, nil, nil, nil, nil, nil
	}
	return s, c.warnings
}

func (c *compiler) info(m *module) ModuleInfo {
	info := ModuleInfo{Namespace: m.space, Prefix: m.prefix}
	for i, src := range m.sources {
		for _, f := range all(src.at, "feature") {
			info.Features = append(info.Features, f.Argument)
		}
		if text := c.lib.texts[src.at]; i == 0 {
			info.Module = text
		} else {
			info.Submodules = append(info.Submodules, text)
		}
	}
	return info
}

// compile compiles the body of a module whose imports are there.
func (c *compiler) compile(m *module) error {
	c.limit = c.spent + (maxNodes-c.spent)/2
	for _, src := range m.sources {
		x := site{mod: m, scope: src.scope}
		nodes, err := c.expand(src.at, x)
		if err != nil {
			return err
		}
		m.body = append(m.body, nodes...)
		for _, s := range src.at.SubStatements() {
			switch s.Keyword {
			case "augment":
				err = c.readAugment(m, s, x)
			case "deviation":
				err = c.readDeviation(m, s, x)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *compiler) warn(w Warning) { c.warnings = append(c.warnings, w) }

func (c *compiler) warnAt(at *stmt, hint, format string, a ...any) {
	file, line, column := place(at)
	c.warn(Warning{File: file, Line: line, Column: column, Message: fmt.Sprintf(format, a...), Hint: hint})
}

// warnErr tells of a fault, and what follows from it.
func (c *compiler) warnErr(name string, err error, so string) {
	w := Warning{Module: name, Message: err.Error(), Hint: so}
	var f *fault
	if errors.As(err, &f) {
		w = Warning{Module: name, File: f.file, Line: f.line, Column: f.column, Message: f.message, Hint: f.hint + "; " + so}
	}
	c.warn(w)
}

// program compiles a regular expression within the bound of all.
func (c *compiler) program(text string, size int) (*regexp.Regexp, error) {
	if c.regexps += size; c.regexps > maxProgramAll {
		return nil, errors.New("the patterns of all modules are too large together")
	}
	return regexp.Compile(text)
}
