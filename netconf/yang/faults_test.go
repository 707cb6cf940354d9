package yang

import (
	"slices"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// TestFaultsOfModules compiles modules that must be left out, and holds the
// reason to what it must tell.
func TestFaultsOfModules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`leaf l { type int8 { range "1..300"; } }`, `a.yang:3:22: "1..300" lies outside of what it restricts, -128..127; correct the range`},
		{`leaf l { type int8 { range "5..1"; } }`, `the parts must ascend and not overlap`},
		{`leaf l { type int8 { range "1..5 | 5..6"; } }`, `the parts must ascend and not overlap`},
		{`leaf l { type int8 { range "1..x"; } }`, `"x": this is not a number`},
		{`leaf l { type string { length "-1"; } }`, `lies outside`},
		{`typedef t { type int8 { range "1..5 | 9"; } } leaf l { type t { range "4..9"; } }`, `"4..9" lies outside of what it restricts, 1..5 | 9`},
		{`leaf l { type int8 { length 1; } }`, `a length can't restrict a int8`},
		{`leaf l { type boolean { pattern a; } }`, `a pattern can't restrict a boolean`},
		{`leaf l { type decimal64; }`, `a decimal64 doesn't say how many digits follow the point`},
		{`leaf l { type decimal64 { fraction-digits 19; } }`, `a decimal64 doesn't say`},
		{`leaf l { type enumeration; }`, `the type has no enum`},
		{`typedef t { type enumeration { enum a; } } leaf l { type t { enum b; } }`, `"b" is none of the type that is restricted`},
		{`leaf l { type union; }`, `the union has no member`},
		{`leaf l { type leafref; }`, `a leafref has no path`},
		{`leaf l { type leafref { path "../a["; } }`, `is no path of a leafref`},
		{`leaf l { type leafref { path "../a[b=c"; } }`, `is no path of a leafref`},
		{`leaf l { type leafref { path "current()a"; } }`, `is no path of a leafref`},
		{`leaf l { type leafref { path "../a b"; } }`, `is no path of a leafref`},
		{`leaf l { type leafref { path "../x:a"; } }`, `the prefix of "x:a" is not known`},
		{`leaf l { type identityref; }`, `an identityref has no base`},
		{`leaf l { type identityref { base b; } }`, `there is no identity b`},
		{`typedef t; leaf l { type t; }`, `the typedef t has no type`},
		{`list l { min-elements x; }`, `"x" is no count`},
		{`list l { max-elements 0; }`, `"0" is no count`},
		{`list l { key "k k"; leaf k { type int8; } }`, `the key of the list l names k twice`},
		{`leaf "a b" { type int8; }`, `the leaf has no name`},
		{`grouping g { leaf l { type int8; } } uses g { refine m; }`, `the grouping has no node m, of m`},
		{`grouping g { leaf l { type int8; } } uses g { augment "m/ /n"; }`, `is no path of names`},
		{`augment "/a:c" { leaf l { type none; } }`, `there is no type none`},
		{`deviation "/b:c" { deviate not-supported; }`, `the prefix of "b:c" is not known`},
	} {
		t.Run(c.body, func(t *testing.T) {
			t.Parallel()
			s, warnings := Compile([]Module{mod("a", c.body)})
			if len(warnings) != 1 || len(s.Modules()) != 0 || len(s.Root().Children()) != 0 {
				t.Fatalf("%d modules, %v", len(s.Modules()), warnings)
			}
			w := warnings[0]
			if !strings.Contains(w.String(), c.want) || w.Module != "a" || w.File != "a.yang" || w.Line != 3 || w.Column == 0 || !strings.HasSuffix(w.Hint, leftOut) {
				t.Errorf("%v (%#v)", w, w)
			}
		})
	}
}

// TestDeviations applies each kind of deviation to a node.
func TestDeviations(t *testing.T) {
	t.Parallel()
	s, warnings := Compile([]Module{
		mod("a", `list k { key id; leaf id { type string; }
			leaf l { type string; default x; units u; must "1"; must "2"; }
			leaf m { type int8; mandatory true; } leaf-list n { type string; default p; } unique "l"; }`),
		mod("d", `import a { prefix a; }
			deviation /a:k/a:l { deviate delete { default x; units u; must "1"; } }
			deviation /a:k/a:m { deviate replace { mandatory false; type string; } deviate add { default y; units v; } }
			deviation /a:k/a:n { deviate add { default q; max-elements 5; } }
			deviation /a:k { deviate delete { unique "l"; } deviate add { unique "a:m"; min-elements 2; } }`),
	})
	if len(warnings) != 1 {
		t.Error(warnings)
	}
	name := func(local string) tree.Name { return tree.Name{Space: "urn:a", Local: local} }
	k := s.Node(name("k"))
	l, m, n := k.Child(name("l")), k.Child(name("m")), k.Child(name("n"))
	if len(l.Default) > 0 || l.Units != "" || !slices.Equal(l.Must, []string{"2"}) {
		t.Errorf("what was deleted is there: %#v", l)
	}
	if m.Mandatory || m.Type.Base != "string" || !slices.Equal(m.Default, []string{"y"}) || m.Units != "v" {
		t.Errorf("what was replaced or added is not there: %#v", m)
	}
	if !slices.Equal(n.Default, []string{"p", "q"}) || n.Max != 5 {
		t.Errorf("what was added is not there: %#v", n)
	}
	if len(k.Unique) != 1 || !slices.Equal(k.Unique[0], []*Node{m}) || k.Min != 2 {
		t.Errorf("the list has unique %v and min %d", k.Unique, k.Min)
	}
	if m.Parent() != k || !slices.Contains(k.Children(), m) {
		t.Error("parents and children don't fit")
	}
}

// TestFaultsAreBounded gives a document more faults, and more for leafrefs to
// visit, than anyone waits for.
func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := Compile([]Module{mod("a", `container c { leaf-list l { type int8; } }
		container d { list k { key "x y"; leaf x { type int32; } leaf y { type int32; }
			leaf ref { type leafref { path "/a:d/a:k[a:x = current()/../x]/a:y"; } } } }`)})
	faults := s.Validate(document(t, `<c xmlns="urn:a">`+strings.Repeat("<l>x</l>", 1000)+`</c>`))
	if len(faults) != maxFaults+1 || faults[0].String() != `/a:c/l: "x" is no int8: this is not a number; correct the value` {
		t.Errorf("%d faults, the first is %v", len(faults), faults[0])
	}
	var b strings.Builder
	for i := range 10_000 {
		b.WriteString("<k><x>" + strings.Repeat("1", 1+i%7) + "</x><y>")
		b.WriteString(string(rune('1'+i/1000)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10)))
		b.WriteString("</y><ref>7</ref></k>")
	}
	faults = s.Validate(document(t, `<d xmlns="urn:a">`+b.String()+`</d>`))
	if len(faults) != maxFaults+1 {
		t.Errorf("%d faults", len(faults))
	}
}

// TestOddPaths follows leafrefs whose predicates name what is no leaf, what is
// not there, and what is above the top.
func TestOddPaths(t *testing.T) {
	t.Parallel()
	for _, predicate := range []string{"c = current()/../c", "k = current()/../c", "k = current()/../../../../k", "k = current()/..", "none = current()/../k", "k = current()/../none"} {
		s, warnings := Compile([]Module{mod("a", `container top { container c; leaf k { type int8; }
			list l { key k; leaf k { type int8; } container c; leaf v { type int8; } }
			leaf ref { type leafref { path "../l[`+predicate+`]/v"; } } }`)})
		if len(warnings) > 0 {
			t.Fatal(warnings)
		}
		faults := s.Validate(document(t, `<top xmlns="urn:a"><c/><k>1</k><l><k>1</k><c/><v>2</v></l><ref>2</ref></top>`))
		if len(faults) != 1 || !strings.HasPrefix(faults[0].Message, "nothing that ../l[") {
			t.Errorf("%s: %v", predicate, faults)
		}
	}
}
