package layers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/abide-agent/abide"

// source is one Go file of the module.
type source struct {
	path    string // below the root
	pkg     string // the path of its package below the module
	test    bool
	lines   int
	imports []string
	ast     *ast.File
}

// readModule parses every Go file of the module, whatever its build tags; the
// files of testdata and of modules inside are not its own.
func readModule(t *testing.T) []source {
	t.Helper()
	root := os.DirFS("../..")
	var out []source
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == "." {
				return nil
			}
			_, nested := fs.Stat(root, path.Join(name, "go.mod"))
			if base := path.Base(name); nested == nil || base == "testdata" || base[0] == '.' || base[0] == '_' {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) == ".go" {
			out = append(out, parse(t, root, name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 10 {
		t.Fatalf("found only %d Go files", len(out))
	}
	return out
}

func parse(t *testing.T, root fs.FS, name string) source {
	t.Helper()
	data, err := fs.ReadFile(root, name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	s := source{
		path:  filepath.FromSlash(name),
		pkg:   path.Dir(name),
		test:  strings.HasSuffix(name, "_test.go"),
		lines: strings.Count(string(data), "\n"),
		ast:   file,
	}
	for _, spec := range file.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		s.imports = append(s.imports, p)
	}
	return s
}

// ours gives the path of an imported package below the module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// within says whether the package p is dir or stands below it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }
