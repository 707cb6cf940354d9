package yang

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/netconf/tree"
)

// mod writes a module around a body; its namespace and prefix are its name.
func mod(name, body string) Module {
	return Module{File: name + ".yang", Text: fmt.Sprintf("module %s {\n yang-version 1.1; namespace urn:%s; prefix %s;\n%s\n}", name, name, name, body)}
}

// outline writes a schema's definitions down, one a line.
func outline(def *tree.Def) string {
	var b strings.Builder
	var walk func(*tree.Def, string)
	walk = func(d *tree.Def, indent string) {
		for _, c := range d.Children() {
			fmt.Fprintf(&b, "%s%s:%s %s", indent, c.Module, c.Name.Local, c.Kind)
			for _, word := range []struct {
				on   bool
				text string
			}{
				{len(c.Keys) > 0, strings.Join(c.Keys, ",")},
				{c.UserOrdered, "user"},
				{c.Presence, "presence"},
				{c.ReadOnly, "state"},
				{len(c.Case) > 0, fmt.Sprint(c.Case)},
				{c.Canonical != nil, "canonical"},
			} {
				if word.on {
					b.WriteString(" " + word.text)
				}
			}
			b.WriteByte('\n')
			walk(c, indent+" ")
		}
	}
	walk(def, "")
	return b.String()
}

func TestCompile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		modules  []Module
		outline  string
		warnings []string // beginnings
	}{
		{
			"kinds of nodes",
			[]Module{mod("a", `container c { presence x; leaf l { type string; } leaf-list n { type int8; ordered-by user; } anydata d; anyxml x; }
				list k { key "two one"; ordered-by user; leaf zero { type string; } leaf one { type string; } leaf two { type string; } }
				list s { config false; leaf v { type string; } }
				rpc r { input { leaf i { type string; } } } notification n { leaf i { type string; } }`)},
			"a:c container presence\n a:l leaf\n a:n leaf-list user canonical\n a:d anydata\n a:x anydata\n" +
				"a:k list two,one user\n a:two leaf\n a:one leaf\n a:zero leaf\na:s list state\n a:v leaf state\n", nil,
		},
		{
			"choices are transparent",
			[]Module{mod("a", `choice w { case x { leaf x1 { type string; } choice v { leaf y { type string; } leaf z { type string; } } } leaf s { type string; } }`)},
			"a:x1 leaf [{a:w x}]\na:y leaf [{a:w x} {a:v y}]\na:z leaf [{a:w x} {a:v z}]\na:s leaf [{a:w s}]\n", nil,
		},
		{
			"uses with several augments and refinements",
			[]Module{
				mod("g", `grouping top { container c { container e { leaf l { type string; } } choice w { leaf w1 { type string; } } } leaf-list m { type string; } }`),
				mod("a", `import g { prefix q; }
				uses q:top {
					augment c { leaf one { type string; } }
					augment c/e { leaf two { type string; } }
					augment c/w { case w2 { leaf three { type string; } } }
					refine c { presence yes; }
					refine c/e { config false; }
				}`),
			},
			"a:c container presence\n a:e container state\n  a:l leaf state\n  a:two leaf state\n a:w1 leaf [{w w1}]\n a:three leaf [{w w2}]\n a:one leaf\na:m leaf-list\n", nil,
		},
		{
			"augments of augments, in any order",
			[]Module{
				mod("a", `import b { prefix b; } import c { prefix c; } augment /c:top/b:mid { leaf low { type string; } }`),
				mod("b", `import c { prefix c; } augment /c:top { container mid; }`),
				mod("c", `container top;`),
			},
			"c:top container\n b:mid container\n  a:low leaf\n", nil,
		},
		{
			"deviations",
			[]Module{
				mod("a", `container c { leaf gone { type string; } leaf l { type string; } list k { key id; leaf id { type string; } leaf x { type string; } } }`),
				mod("d", `import a { prefix a; }
				deviation /a:c/a:gone { deviate not-supported; }
				deviation /a:c/a:l { deviate replace { type int8; } deviate add { config false; } }
				deviation /a:c/a:none { deviate not-supported; }`),
			},
			"a:c container\n a:l leaf state canonical\n a:k list id\n  a:id leaf\n  a:x leaf\n",
			[]string{"d.yang:6:5: there is no node /a:c/a:none; the deviation is left out"},
		},
		{
			"submodules",
			[]Module{
				mod("a", `include s; container c { uses g; }`),
				{File: "s.yang", Text: `submodule s { belongs-to a { prefix p; } include s2; grouping g { leaf l { type p:t; } } leaf of-s { type string; } }`},
				{File: "s2.yang", Text: `submodule s2 { belongs-to a { prefix p2; } typedef t { type uint8; } augment /p2:c { leaf of-s2 { type p2:t; } } }`},
			},
			"a:c container\n a:l leaf canonical\n a:of-s2 leaf canonical\na:of-s leaf\n", nil,
		},
		{
			"the newest revision has the nodes, an older one is imported",
			[]Module{
				mod("a", `revision 2020-01-01; typedef t { type string; } leaf old { type t; }`),
				mod("a", `revision 2021-01-01; typedef t { type int8; } leaf new { type t; }`),
				mod("b", `import a { prefix a; revision-date 2020-01-01; } leaf l { type a:t; }`),
			},
			"a:new leaf canonical\nb:l leaf\n", nil,
		},
		{
			"features are all on",
			[]Module{mod("a", `feature f; leaf x { if-feature "f and not (f or g)"; type string; } leaf y { if-feature "not f or f"; type string; } container c { if-feature "not f"; }`)},
			"a:y leaf\n", nil,
		},
		{
			"one bad module leaves the others alone",
			[]Module{
				mod("a", `leaf l { type none; }`),
				mod("b", `import a { prefix a; }`),
				mod("c", `leaf l { type string; }`),
				{Name: "d", File: "d.yang", Text: "module d {"},
				{Name: "e", File: "e.yang", Text: "hello"},
			},
			"c:l leaf\n",
			[]string{
				"d.yang:2:0: missing 1 closing brace", "e.yang: unexpected EOF", "a.yang:3:10: there is no type none; correct the name",
				"b.yang:3:1: the module a, which is imported, can't be used",
			},
		},
		{
			"what is missing",
			[]Module{mod("a", `import none { prefix n; }`), mod("b", `include none;`), mod("c", `augment /x:y { leaf l { type string; } }`), mod("d", `uses none;`), mod("e", `leaf l;`), mod("f", `list k { key id; leaf other { type string; } }`)},
			"",
			[]string{
				"a.yang:3:1: the module none, which is imported, is not there; put its file beside this one",
				"b.yang:3:1: the submodule none is not there",
				`c.yang:3:1: the prefix of "x:y" is not known`,
				"d.yang:3:1: there is no grouping none",
				"e.yang:3:1: the leaf l has no type",
				"f.yang:3:1: the list k has no leaf id for its key",
			},
		},
		{
			"circles",
			[]Module{
				mod("a", `import b { prefix b; }`), mod("b", `import a { prefix a; }`),
				mod("c", `typedef t { type u; } typedef u { type t; } leaf l { type t; }`),
				mod("d", `grouping g { container x { uses h; } } grouping h { uses g; } uses g;`),
				mod("e", `identity i { base j; } identity j { base i; } leaf l { type identityref { base i; } }`),
				mod("f", `leaf x { type leafref { path ../y; } } leaf y { type union { type leafref { path ../x; } } }`),
			},
			"e:l leaf canonical\nf:x leaf canonical\nf:y leaf canonical\n",
			[]string{
				"b.yang:3:1: the module a imports this one", "a.yang:3:1: the module b, which is imported, can't be used",
				"c.yang:3:13: the type u is defined by itself", "d.yang:3:53: the grouping g uses itself",
				"f.yang:3:40: the leafref y refers to itself",
			},
		},
		{
			"leafrefs to nothing and names that are there twice",
			[]Module{mod("a", `leaf x { type leafref { path ../y; } } container c { leaf l { type string; } choice w { leaf l { type int8; } } }`)},
			"a:x leaf\na:c container\n a:l leaf\n",
			[]string{"a.yang:3:89: l stands twice in c", "a.yang:3:1: the leafref ../y of x leads to no leaf"},
		},
		{
			"the stand-in of the controller",
			[]Module{mod("a", `import clixon-controller { prefix ctrl; } augment /ctrl:services { list a { key n; leaf n { type string; } uses ctrl:created-by-service; } }`)},
			"clixon-controller:services container\n clixon-controller:service-timeout leaf canonical\n clixon-controller:properties container\n" +
				" a:a list n\n  a:n leaf\n  a:created container\n   a:path leaf-list\n" +
				"clixon-controller:devices container\n clixon-controller:device list name\n  clixon-controller:name leaf\n  clixon-controller:config anydata\n" +
				" clixon-controller:device-group list name\n  clixon-controller:name leaf\n  clixon-controller:device-name leaf-list\n  clixon-controller:device-group leaf-list\n",
			nil,
		},
		{
			"a controller's module that is given",
			[]Module{
				mod("clixon-controller", `container services;`),
				mod("a", `import clixon-controller { prefix ctrl; } augment /ctrl:services { leaf l { type string; } }`),
			},
			"clixon-controller:services container\n a:l leaf\n", nil,
		},
		{
			"one namespace or one name in two modules",
			[]Module{mod("a", `leaf l { type string; }`), {File: "b.yang", Text: `module b { namespace urn:a; prefix b; leaf m { type string; } }`}, mod("a", `leaf n { type string; }`)},
			"a:l leaf\n",
			[]string{"a.yang:1:1: this is another text of a, which a.yang has already", "b.yang:1:1: the module b has the namespace of a"},
		},
		{
			"conditions and patterns that nobody evaluates",
			[]Module{mod("a", `leaf l { must "1 = 1"; when "../x"; type string { pattern '\p{IsKlingon}'; pattern '(a{1000}){1000}'; } }`)},
			"a:l leaf\n",
			[]string{
				`a.yang:3:51: the pattern "\\p{IsKlingon}" can't be evaluated`, `a.yang:3:76: the pattern "(a{1000}){1000}" can't be evaluated`,
				"1 must and 1 when conditions of the modules are not evaluated",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, warnings := Compile(c.modules)
			if diff := cmp.Diff(c.outline, outline(s.Root())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for i, w := range warnings {
				if i >= len(c.warnings) || !strings.HasPrefix(w.String(), c.warnings[i]) {
					t.Errorf("unexpected: %v", w)
				}
				if w.Hint == "" {
					t.Errorf("no hint: %v", w)
				}
			}
			if len(warnings) < len(c.warnings) {
				t.Errorf("too few warnings: %v", warnings)
			}
		})
	}
}

// TestCompileIsBounded gives it what small texts can ask for. What is not bounded
// takes hours; the limit leaves room for a busy machine.
func TestCompileIsBounded(t *testing.T) {
	t.Parallel()
	var doubling, empty, unions, leafrefs, chain, deep strings.Builder
	for i := range 40 {
		fmt.Fprintf(&doubling, "grouping g%d { container a { uses g%d; } container b { uses g%d; } }\n", i, i+1, i+1)
		fmt.Fprintf(&empty, "grouping g%d { uses g%d; uses g%d; }\n", i, i+1, i+1)
		fmt.Fprintf(&unions, "typedef t%d { type union { type t%d; type t%d { } } }\n", i, i+1, i+1)
		fmt.Fprintf(&leafrefs, "leaf l%d { type union { type leafref { path ../l%d; } type leafref { path /a:l%d; } } }\n", i, i+1, i+1)
	}
	for i := range 20_000 {
		fmt.Fprintf(&chain, "typedef t%d { type t%d; }\n", i, i+1)
	}
	var manyKeys, manyLeafs, deviations strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&manyKeys, "k%d ", i)
		fmt.Fprintf(&manyLeafs, "leaf k%d { type int8; } ", i)
		fmt.Fprintf(&deviations, "deviation /a:c/a:k%d { deviate not-supported; } ", i)
	}
	deep.WriteString(strings.Repeat("container c { ", 300_000))
	for name, body := range map[string]string{
		"groupings that double":         doubling.String() + "grouping g40 { leaf l { type string; } } uses g0;",
		"groupings that double nothing": empty.String() + "grouping g40 { } uses g0;",
		"unions that double":            unions.String() + "typedef t40 { type int8; } leaf l { type t0; }",
		"leafrefs that double":          leafrefs.String() + "leaf l40 { type int8; }",
		"typedefs in a long chain":      chain.String() + "typedef t20000 { type string; } leaf l { type t0; }",
		"augments of one node":          "container c;" + strings.Repeat("augment /a:c { leaf l { type int8; } }", 15_000),
		"many keys":                     "list k { key \"" + manyKeys.String() + "\"; " + manyLeafs.String() + " }",
		"many children that go":         "container c { " + manyLeafs.String() + " } " + deviations.String(),
		"braces":                        deep.String(),
		"braces behind a comment sign":  strings.Repeat("a// {\n", 300_000),
		"braces after a short comment":  strings.Repeat("/*/ a {\n", 300_000),
		"strings that are joined":       "description " + strings.Repeat(`"a" + `, 300_000) + `"b";`,
		"ranges":                        "leaf l { type int64 { range \"" + strings.Repeat("1|", 100_000) + "1\"; } }",
		"ranges that ascend":            "leaf l { type int64 { range \"" + strings.Repeat("1..2|", 100_000) + "1\"; } }",
		"groups in a pattern":           "leaf l { type string { pattern '" + strings.Repeat("(", 300_000) + "'; } }",
		"classes in a pattern":          "leaf l { type string { pattern '" + strings.Repeat("[a-z-", 300_000) + "'; } }",
		"counts in a pattern":           "leaf l { type string { pattern '" + strings.Repeat("(", 90) + "a" + strings.Repeat("{2,4000000000}){2}", 90) + "'; } }",
		"many patterns":                 strings.Repeat("leaf l { type string { pattern '(a{900}){20}'; } }", 1000),
		"features":                      "leaf l { if-feature \"" + strings.Repeat("(", 100_000) + "\"; type string; }",
		"a path":                        "leaf l { type leafref { path \"" + strings.Repeat("../", 100_000) + "l\"; } }",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			s, _ := Compile([]Module{mod("a", body)})
			s.Validate(document(t, `<l xmlns="urn:a">x</l><l0 xmlns="urn:a">y</l0>`))
			if took := time.Since(began); took > 2*time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}
