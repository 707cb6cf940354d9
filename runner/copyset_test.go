package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// treeOf makes a tree of empty files from "a/b c"; a name with a slash at its
// end is a directory, one with => a link.
func treeOf(names string) fstest.MapFS {
	tree := fstest.MapFS{}
	for _, name := range strings.Fields(names) {
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			tree[dir] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
		} else if link, target, ok := strings.Cut(name, "=>"); ok {
			tree[link] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o777, Data: []byte(target)}
		} else {
			tree[name] = &fstest.MapFile{Data: []byte(name), Mode: 0o644}
		}
	}
	return tree
}

// names gives a walk as "a/ a/b l=>x".
func names(t *testing.T, walk func(func(Entry, error) bool)) string {
	t.Helper()
	var out []string
	for e, err := range walk {
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case e.IsDir():
			out = append(out, e.Path+"/")
		case e.Link != "":
			out = append(out, e.Path+"=>"+e.Link)
		default:
			out = append(out, e.Path)
		}
	}
	return strings.Join(out, " ")
}

func ignoring(t *testing.T, patterns ...string) []*regexp.Regexp {
	t.Helper()
	var out []*regexp.Regexp
	for _, p := range patterns {
		re, _, err := compileIgnore(p)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, re)
	}
	return out
}

func TestCopySet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		tree   string
		ignore []string
		want   string
	}{
		"everything, sorted, with links and empty directories": {"b a/c empty/ l=>a/c", nil, "a/ a/c b empty/ l=>a/c"},
		"README": {
			"index.js server.js README.md helper/test.py helper/mock/test2.py helper/api/index.js helper/props/index.js",
			[]string{"server.js", "props", "README.md", "helper/.*/.py"},
			"helper/ helper/api/ helper/api/index.js helper/mock/ index.js",
		},
		"troubleshooting": {
			"node_modules/a/b .git/config a.log src/b.log src/c coverage/x",
			[]string{"node_modules", ".git", "*.log", "coverage"},
			"src/ src/c",
		},
		"examples":                             {".env .env.local agent.go src/.envrc/x src/then", []string{".env*"}, "agent.go src/ src/then"},
		"a regular expression, anywhere":       {"dist/a src/distance.go x", []string{"dist"}, "src/ x"},
		"a file's end is no directory":         {"build/a x/build y/build/z", []string{"build$"}, "build/ build/a x/ y/ y/build/ y/build/z"},
		"top level files only":                 {"a b/c", []string{"^[^/]*$"}, "b/ b/c"},
		"a directory by its slash":             {"dist/a distx", []string{"^dist/"}, "distx"},
		"what is in it, and not the directory": {"dist/a dist/b/c", []string{"^dist/."}, "dist/"},
		"links":                                {"l=>x m=>y", []string{"^l$"}, "m=>y"},
		"a glob with a slash":                  {"node_modules/a p/node_modules/b", []string{"node_modules/*"}, "node_modules/ p/ p/node_modules/"},
		"a glob that crosses names":            {"a/b/c.py d.py e", []string{"**/*.py"}, "a/ a/b/ e"},
		"all":                                  {"a b/c", []string{"."}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, names(t, CopySet(treeOf(tc.tree), ignoring(t, tc.ignore...)))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCopySetStops(t *testing.T) {
	t.Parallel()
	for range CopySet(treeOf("a b c"), nil) {
		break
	}
	count := 0
	for _, err := range CopySet(failing{treeOf("a b/c d")}, nil) {
		if count++; err != nil && (count != 3 || !errors.Is(err, fs.ErrPermission)) {
			t.Errorf("after %d: %v", count, err)
		}
	}
	if count != 3 {
		t.Errorf("%d entries", count)
	}
}

// failing can't list b.
type failing struct{ fstest.MapFS }

func (f failing) ReadDir(name string) ([]fs.DirEntry, error) {
	if name == "b" {
		return nil, fs.ErrPermission
	}
	return f.MapFS.ReadDir(name)
}

func TestCopySetOfADirectory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, d := range []string{"empty", "a/b"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../outside", filepath.Join(dir, "a/link")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if got := names(t, CopySet(root.FS(), nil)); got != "a/ a/b/ a/link=>../outside empty/" {
		t.Error(got)
	}
}

func TestContextSet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ tree, file, ignore, want string }{
		"root":               {"Dockerfile a/b c", "Dockerfile", "", "Dockerfile a/ a/b c"},
		"below":              {"ci/Dockerfile ci/a x", "ci/Dockerfile", "", "Dockerfile a"},
		"ignored":            {"Dockerfile a.log b/c.log b/d", "Dockerfile", "*.log\nb/d", ".dockerignore Dockerfile b/ b/c.log"},
		"anywhere":           {"Dockerfile a.log b/c.log", "Dockerfile", "**/*.log", ".dockerignore Dockerfile b/"},
		"directory":          {"Dockerfile a/b/c", "Dockerfile", "a", ".dockerignore Dockerfile"},
		"taken back":         {"Dockerfile a/b a/c", "Dockerfile", "a\n!a/c", ".dockerignore Dockerfile a/c"},
		"never left out":     {"Dockerfile a", "Dockerfile", "*", ".dockerignore Dockerfile"},
		"below with ignored": {"ci/Dockerfile ci/a ci/b", "ci/Dockerfile", "a", ".dockerignore Dockerfile b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := treeOf(tc.tree)
			if tc.ignore != "" {
				tree[strings.TrimSuffix(tc.file, "Dockerfile")+".dockerignore"] = &fstest.MapFile{Data: []byte(tc.ignore)}
			}
			if diff := cmp.Diff(tc.want, names(t, ContextSet(tree, tc.file))); diff != "" {
				t.Error(diff)
			}
		})
	}
	tree := treeOf("dev.Dockerfile a b")
	tree[".dockerignore"] = &fstest.MapFile{Data: []byte("a")}
	tree["dev.Dockerfile.dockerignore"] = &fstest.MapFile{Data: []byte("b")}
	if got := names(t, ContextSet(tree, "dev.Dockerfile")); got != ".dockerignore a dev.Dockerfile dev.Dockerfile.dockerignore" {
		t.Error(got)
	}
	tree[".dockerignore"] = &fstest.MapFile{Data: []byte("[")}
	for _, err := range ContextSet(tree, "Dockerfile") {
		if err == nil || !strings.Contains(err.Error(), ".dockerignore has a pattern that can't be read") {
			t.Error(err)
		}
	}
}

func TestGlobs(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ patterns, yes, no string }{
		{"src/**", "src/a src/a/b", "src2/a a/src/b"},
		{"*.go", "a.go b/c.go", "a.gox go"},
		{"/*.go", "a.go", "b/c.go"},
		{"./a", "a a/b", "ab"},
		{"docs/", "docs/a x/docs/b", "docs"},
		{"src/*.go", "src/a.go", "src/b/c.go"},
		{"src/**/x", "src/x src/a/b/x src/x/y", "x src/ax"},
		{"**", "a a/b", ""},
		{"**/vendor", "vendor/a b/vendor/c", "vendors"},
		{"a?c", "abc x/axc", "ac a/c"},
		{"[a-c]x", "ax bx/y", "dx"},
		{"[!a]x", "bx", "ax"},
		{`\*x`, "*x", "ax"},
		{"a.b", "a.b", "axb"},
		{"src/** !src/doc !*.md", "src/a src/c/d", "src/doc/a src/x.md"},
		{"!a a", "a", ""},
		{"Ä*", "Äb", "b"},
	} {
		gs, err := compileGlobs(strings.Fields(tc.patterns))
		if err != nil {
			t.Errorf("%s: %v", tc.patterns, err)
			continue
		}
		for _, path := range strings.Fields(tc.yes) {
			if !gs.matches(path) {
				t.Errorf("%s: %s is not matched", tc.patterns, path)
			}
			for i, r := range path {
				if r == '/' && !gs.reach(path[:i]) {
					t.Errorf("%s: %s is not reached", tc.patterns, path)
				}
			}
		}
		for _, path := range strings.Fields(tc.no) {
			if gs.matches(path) {
				t.Errorf("%s: %s is matched", tc.patterns, path)
			}
		}
	}
	for _, bad := range []string{"", "/", "!", "a/../b", "..", "[a", "[]"} {
		if _, err := compileGlob(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
