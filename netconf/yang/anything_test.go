package yang

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/abide-agent/abide/netconf/tree"
)

// writer makes up modules out of few names, so that they meet: groupings that
// use each other, typedefs and leafrefs in circles, augments and deviations of
// what is there and what isn't.
type writer struct {
	*rapid.T
	prefixes []string
}

func (w writer) pick(of ...string) string { return rapid.SampledFrom(of).Draw(w.T, "pick") }

func (w writer) name() string { return w.pick("a", "b", "c", "d", "e") }

func (w writer) reference() string { return w.pick(w.prefixes...) + w.name() }

// known is a name that each module defines, or now and then any.
func (w writer) known(name string) string {
	if rapid.IntRange(0, 30).Draw(w.T, "stray") == 0 {
		return w.reference()
	}
	return w.pick(w.prefixes...) + name
}

// inner is a path to a node of the grouping d, or now and then any.
func (w writer) inner() string {
	if rapid.IntRange(0, 30).Draw(w.T, "stray") == 0 {
		return w.nodeID()
	}
	return w.pick("a", "a", "a/c", "a/c/e", "a/e/d")
}

func (w writer) path() string {
	p := w.pick("/", "../", "../../", "current()/../") + w.reference()
	for range rapid.IntRange(0, 3).Draw(w.T, "steps") {
		p += "/" + w.reference() + w.pick("", "", "", "["+w.reference()+" = current()/../"+w.reference()+"]")
	}
	return p
}

func (w writer) nodeID() string {
	var parts []string
	for range rapid.IntRange(1, 4).Draw(w.T, "parts") {
		parts = append(parts, w.reference())
	}
	return strings.Join(parts, "/")
}

func (w writer) typ(depth int) string {
	switch n := rapid.IntRange(0, 9).Draw(w.T, "type"); {
	case n == 0 && depth > 0:
		return fmt.Sprintf("type union { %s %s }", w.typ(depth-1), w.typ(depth-1))
	case n <= 2:
		return fmt.Sprintf("type leafref { path \"%s\"; }", w.path())
	case n <= 5:
		return fmt.Sprintf("type %s { %s }", w.known("c"), w.pick("", "length 2;", "pattern a*;"))
	case n == 6:
		return fmt.Sprintf("type identityref { base %s; }", w.known("a"))
	default:
		return w.pick("type string { length 0..4; pattern '[a-z]*'; }", "type uint8 { range \"1..9 | 20\"; }",
			"type enumeration { enum p; enum q; }", "type bits { bit p; bit q; }", "type empty;", "type boolean;",
			"type decimal64 { fraction-digits 2; }", "type binary;", "type instance-identifier;")
	}
}

// nodes makes up the body of a statement.
func (w writer) nodes(depth int) string {
	var b strings.Builder
	for range rapid.IntRange(0, 4).Draw(w.T, "nodes") {
		name := w.name()
		inner := ""
		if depth > 0 {
			inner = w.nodes(depth - 1)
		}
		options := w.pick("", "", "config false;", "mandatory true;", "when \"../a\";", "min-elements 1;", "presence p;", "default p;", "max-elements 2; ordered-by user;")
		switch rapid.IntRange(0, 13).Draw(w.T, "kind") {
		case 0, 1:
			fmt.Fprintf(&b, "container %s { %s %s }\n", name, options, inner)
		case 2, 3:
			fmt.Fprintf(&b, "list %s { key k; unique \"%s\"; leaf k { %s } %s %s }\n", name, w.nodeID(), w.typ(1), options, inner)
		case 4, 5:
			fmt.Fprintf(&b, "leaf %s { %s %s }\n", name, w.typ(2), options)
		case 6:
			fmt.Fprintf(&b, "leaf-list %s { %s %s }\n", name, w.typ(2), options)
		case 7:
			fmt.Fprintf(&b, "choice %s { %s case %s { %s } %s }\n", name, options, w.name(), inner, inner)
		case 8, 9:
			fmt.Fprintf(&b, "uses %s { refine %s { %s } augment %s { %s } augment %s { %s } }\n",
				w.known("d"), w.inner(), options, w.inner(), inner, w.inner(), inner)
		case 10:
			fmt.Fprintf(&b, "grouping %s { %s }\n", w.pick("g", "g", "g", "d"), inner)
		case 11:
			fmt.Fprintf(&b, "typedef %s { type string { length 0..8; } default p; }\n", name)
		case 12:
			fmt.Fprintf(&b, "uses %s;\n", w.known("d"))
		case 13:
			fmt.Fprintf(&b, "action %s { input { %s } }\n", name, inner)
		}
	}
	return b.String()
}

// module makes up a module that imports those before it.
func (w writer) module(name string, imports ...string) Module {
	w.prefixes = []string{"", name + ":"}
	body := ""
	for _, i := range imports {
		w.prefixes = append(w.prefixes, i+":")
		body += fmt.Sprintf("import %s { prefix %s; }\n", i, i)
	}
	body += fmt.Sprintf("identity a; identity b { base %s; }\n typedef c { type string { length 1..4; } }\n", w.known("a"))
	body += "grouping d { container a { choice c { container e { " + w.pick("", "uses g;") + " leaf b { type c; } } } container e { list d { key k; leaf k { type string; } } } } }\n"
	body += "grouping g { container a { leaf b { type leafref { path ../../c; } } } }\n" + w.nodes(3)
	for range rapid.IntRange(0, 2).Draw(w.T, "augments") {
		body += fmt.Sprintf("augment /%s { %s }\n", w.nodeID(), w.nodes(2))
	}
	for range rapid.IntRange(0, 2).Draw(w.T, "deviations") {
		body += fmt.Sprintf("deviation /%s { deviate %s }\n", w.nodeID(), w.pick("not-supported;", "add { default p; mandatory true; unique a; }",
			"replace { "+w.typ(1)+" }", "delete { default p; unique a; must x; }", "replace { config false; max-elements 1; }"))
	}
	return mod(name, body)
}

// element makes up a document out of the same names.
func (w writer) element(depth int) string {
	name := w.pick(w.name(), w.name(), "k")
	inner := w.pick("", "p", "1", "x:a", "p q", "/x:a")
	if depth > 0 {
		for range rapid.IntRange(0, 3).Draw(w.T, "children") {
			if inner == "" || strings.HasPrefix(inner, "<") {
				inner += w.element(depth - 1)
			}
		}
	}
	return fmt.Sprintf("<%s xmlns=\"urn:%s\">%s</%s>", name, w.pick("x", "y", "z"), inner, name)
}

// TestAnythingCompiles holds what modules of any shape give to what the users of
// a schema count on, and judges documents by it.
func TestAnythingCompiles(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		w := writer{T: rt}
		modules := []Module{
			w.module("x"), w.module("y", "x"), w.module("z", "x", "y"),
		}
		s, _ := Compile(modules)
		checkDef(t, s.Root(), 0)
		for range 5 {
			doc, err := tree.ParseBytes([]byte(`<config xmlns:x="urn:x">` + w.element(4) + w.element(4) + "</config>"))
			if err != nil {
				rt.Fatal(err)
			}
			for _, fault := range s.Validate(doc) {
				if fault.Path == "" || fault.Message == "" || fault.Hint == "" {
					rt.Errorf("a fault without words: %#v", fault)
				}
			}
		}
		if again, _ := Compile(modules); outline(again.Root()) != outline(s.Root()) {
			rt.Errorf("the same modules compile to something else")
		}
	})
}
