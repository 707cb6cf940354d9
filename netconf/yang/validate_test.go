package yang

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/netconf/tree"
)

// testModules are the files that the documents of this package are held to.
var testModules = []string{
	"testdata/kinds.yang", "testdata/kinds-more.yang", "testdata/ssh-users@2023-05-22.yang",
	"testdata/openconfig-interfaces@2024-01-01.yang", "testdata/openconfig-system@2024-01-01.yang",
}

func load(t testing.TB, files ...string) []Module {
	t.Helper()
	var out []Module
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, Module{File: filepath.Base(f), Text: string(text)})
	}
	return out
}

func testSchema(t testing.TB) *Schema {
	t.Helper()
	s, warnings := Compile(load(t, testModules...))
	for _, w := range warnings {
		if !strings.HasPrefix(w.Message, "0 must and 1 when conditions") {
			t.Errorf("unexpected: %v", w)
		}
	}
	return s
}

// document reads what stands in a configuration.
func document(t testing.TB, text string) *tree.Node {
	t.Helper()
	doc, err := tree.ParseBytes([]byte("<config>" + text + "</config>"))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return doc
}

func TestValidate(t *testing.T) {
	t.Parallel()
	s := testSchema(t)
	for _, c := range documents {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range s.Validate(document(t, c.xml)) {
				got = append(got, f.Path+": "+f.Message)
				if f.Hint == "" || f.Line == 0 || f.Column == 0 {
					t.Errorf("no hint or no place: %#v", f)
				}
			}
			if diff := cmp.Diff(c.faults, got); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", c.xml, diff)
			}
		})
	}
}

// TestYanglintAgrees holds the same documents to the oracle.
func TestYanglintAgrees(t *testing.T) {
	t.Parallel()
	needOracle(t)
	dir := t.TempDir()
	stub := filepath.Join(dir, "clixon-controller.yang")
	if err := os.WriteFile(stub, []byte(controllerStub), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("documents", func(t *testing.T) {
		for _, c := range documents {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "doc.xml")
				if err := os.WriteFile(file, []byte(c.xml), 0o644); err != nil {
					t.Fatal(err)
				}
				args := append([]string{"-e", "-t", "config", "-f", "xml", "-p", dir, stub}, testModules...)
				out, ok := yanglint(t, append(args, file)...)
				want := len(c.faults) == 0
				if c.differs != "" {
					want = !want
				}
				if ok != want {
					t.Errorf("yanglint is content: %v; we are: %v (%s)\n%s\n%s", ok, len(c.faults) == 0, c.differs, c.xml, out)
				}
			})
		}
	})
}
