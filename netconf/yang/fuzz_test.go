package yang

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// FuzzCompile compiles any text, alone and beside a module that it may import,
// and holds a document to the result. Nothing may panic, and what comes out must
// be as the types promise.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yang")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text), `<top xmlns="urn:test:kinds"><i8>1</i8><server><name>a</name></server><use>a</use></top>`)
	}
	for _, body := range []string{
		`grouping g { container x { uses h; } } grouping h { uses g; } uses g;`,
		`typedef t { type u; } typedef u { type t; } leaf l { type t; }`,
		`leaf x { type leafref { path ../y; } } leaf y { type union { type leafref { path /a:x; } } }`,
		`list k { key "id"; unique "a/b"; leaf id { type uint8 { range "1..5|7..max"; } } container a { leaf b { type string { pattern '[a-z-[x]]{2,}\p{L}'; } } } }`,
		`import clixon-controller { prefix c; } augment /c:services { uses c:created-by-service { augment created { leaf x { type string; } } refine created/path { max-elements 2; } } }
		deviation /c:services/c:properties { deviate not-supported; } deviation /c:services { deviate add { config false; unique "x"; } }`,
		`rpc r { leaf odd { type string; } input; } choice w { case a { choice v { leaf l { type empty; } } } } feature f; leaf g { if-feature "f or (not f)"; type bits { bit a; } }`,
		`include a; leaf l { type union { type union { type enumeration { enum x; } } type identityref { base i; } } } identity i { base i; }`,
	} {
		f.Add(mod("a", body).Text, `<l xmlns="urn:a">x</l>`)
	}
	f.Fuzz(func(t *testing.T, text, xml string) {
		s, warnings := Compile([]Module{{File: "x.yang", Text: text}, mod("other", `include x; import a { prefix a; } augment "/a:l" { leaf more { type string; } }`)})
		for _, w := range warnings {
			if w.Message == "" || w.Hint == "" {
				t.Errorf("a warning without words: %#v", w)
			}
		}
		checkDef(t, s.Root(), 0)
		doc, err := tree.ParseBytes([]byte("<config>" + xml + "</config>"))
		if err != nil {
			return
		}
		for _, fault := range s.Validate(doc) {
			if fault.Path == "" || fault.Message == "" || fault.Hint == "" {
				t.Errorf("a fault without words: %#v", fault)
			}
		}
	})
}

// checkDef holds the definitions to what those who use them count on.
func checkDef(t *testing.T, d *tree.Def, depth int) {
	for _, c := range d.Children() {
		if d.Child(c.Name) != c {
			t.Errorf("%v is not found by its name", c.Name)
		}
		for _, key := range c.Keys {
			if leaf := c.Child(tree.Name{Space: c.Name.Space, Local: key}); leaf == nil || leaf.Kind != tree.Leaf {
				t.Errorf("the key %s of %v is no leaf", key, c.Name)
			}
		}
		if d.ReadOnly && !c.ReadOnly {
			t.Errorf("%v can be written below state", c.Name)
		}
		if c.Canonical != nil {
			if once := c.Canonical("1", nil); c.Canonical(once, nil) != once {
				t.Errorf("the canonical form of %v has another one", c.Name)
			}
		}
		checkDef(t, c, depth+1)
	}
}
