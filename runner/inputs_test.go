package runner

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/abide-agent/abide/internal/problem"
)

func parsed(t testing.TB, text string) *Pipeline {
	t.Helper()
	p, list := Parse("n", "f.yaml", []byte(text))
	if p == nil {
		t.Fatal(list)
	}
	return p
}

// hashed is a tree that names content by itself, and counts how often it is
// asked.
type hashed struct {
	fstest.MapFS
	asked map[string]int
}

func (h hashed) Hash(name string) (string, error) {
	h.asked[name]++
	var b strings.Builder
	err := fs.WalkDir(h.MapFS, name, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Fprintf(&b, "%s %s ", path, info.Mode())
		if f := h.MapFS[path]; f != nil {
			b.Write(f.Data)
		}
		return err
	})
	return b.String(), err
}

func TestInputDigest(t *testing.T) {
	t.Parallel()
	const base = "a b/c b/d.log b/empty/ l=>a ci/Dockerfile ci/x"
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text), Mode: 0o644} }
	changes := map[string]func(fstest.MapFS){
		"content":    func(m fstest.MapFS) { m["b/c"] = file("new") },
		"log":        func(m fstest.MapFS) { m["b/d.log"] = file("new") },
		"new file":   func(m fstest.MapFS) { m["new"] = file("") },
		"mode":       func(m fstest.MapFS) { m["b/c"] = &fstest.MapFile{Data: m["b/c"].Data, Mode: 0o755} },
		"link":       func(m fstest.MapFS) { m["l"] = &fstest.MapFile{Data: []byte("b"), Mode: fs.ModeSymlink} },
		"empty dir":  func(m fstest.MapFS) { delete(m, "b/empty") },
		"context":    func(m fstest.MapFS) { m["ci/x"] = file("new") },
		"dockerfile": func(m fstest.MapFS) { m["ci/Dockerfile"] = file("new") },
		"ignore":     func(m fstest.MapFS) { m["ci/.dockerignore"] = file("x\n.dockerignore") },
	}
	for name, tc := range map[string]struct{ text, moves string }{
		"no inputs":  {"workflow: j\nj: {image: a}", ""},
		"all":        {"workflow: j\nj: {image: a, copyFiles: true}", "content log new file mode link empty dir context dockerfile ignore"},
		"less":       {"workflow: j\nj: {image: a, copyFiles: true, copyIgnore: ['*.log', ^ci, empty]}", "content new file mode link"},
		"context":    {"workflow: j\nj: {dockerfile: ci/Dockerfile}", "context dockerfile ignore"},
		"paths":      {"workflow: j\ntrigger: {paths: [b/*, '!*.log']}\nj: {image: a, copyFiles: true}", "content mode"},
		"two copies": {"workflow: [j, k]\nj: {image: a, copyFiles: true, copyIgnore: [b]}\nk: {image: a, copyFiles: true, copyIgnore: ['[^b]$', ci, new]}", "new file link context dockerfile ignore"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := parsed(t, tc.text)
			for _, own := range []bool{false, true} {
				digest := func(m fstest.MapFS) string {
					var tree fs.FS = m
					if own {
						tree = hashed{m, map[string]int{}}
					}
					d, err := p.InputDigest(tree)
					if err != nil {
						t.Fatal(err)
					}
					return d
				}
				was := digest(treeOf(base))
				if again := digest(treeOf(base)); again != was || !strings.HasPrefix(was, "sha256:") {
					t.Errorf("%s, then %s", was, again)
				}
				for change, apply := range changes {
					m := maps.Clone(treeOf(base))
					apply(m)
					if moved := digest(m) != was; moved != strings.Contains(" "+tc.moves+" ", " "+change+" ") {
						t.Errorf("with Hash %t, %s: moved is %t", own, change, moved)
					}
				}
			}
		})
	}
}

func TestInputDigestOfTheText(t *testing.T) {
	t.Parallel()
	a, b := parsed(t, "workflow: j\nj: {image: a}"), parsed(t, "workflow: j\nj: {image: a} # other")
	da, err := a.InputDigest(nil)
	if err != nil {
		t.Fatal(err)
	}
	if db, _ := b.InputDigest(nil); da == db {
		t.Error("the text makes no difference")
	}
	if a.NeedsTree() || !parsed(t, "workflow: j\nj: {image: a, copyFiles: true}").NeedsTree() {
		t.Error("NeedsTree")
	}
}

func TestInputDigestAsksLittle(t *testing.T) {
	t.Parallel()
	h := hashed{treeOf("a b/c ci/Dockerfile"), map[string]int{}}
	p := parsed(t, "workflow: [j, k, l]\nj: {image: a, copyFiles: true}\nk: {image: a, copyFiles: true, copyIgnore: x}\nl: {dockerfile: ci/Dockerfile}")
	if _, err := p.InputDigest(h); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(h.asked) != "map[.:1 ci:1]" {
		t.Errorf("asked %v", h.asked)
	}
}

func TestDigestsRemember(t *testing.T) {
	t.Parallel()
	var digests Digests
	tree := hashed{treeOf("a b/c x.log ci/Dockerfile ci/.dockerignore"), map[string]int{}}
	text := "workflow: [j, k]\nj: {image: a, copyFiles: true, copyIgnore: '*.log'}\nk: {dockerfile: ci/Dockerfile}\n"
	first, err := digests.Of(parsed(t, text), tree)
	if err != nil {
		t.Fatal(err)
	}
	clear(tree.asked)
	if again, err := digests.Of(parsed(t, text), tree); again != first || err != nil {
		t.Errorf("%s, then %s %v", first, again, err)
	}
	if other, err := digests.Of(parsed(t, text+"# other"), tree); other == first || err != nil {
		t.Errorf("%s %v", other, err)
	}
	if alone, err := parsed(t, text).InputDigest(tree); alone != first || err != nil {
		t.Errorf("%s, alone %s %v", first, alone, err)
	}
	tree.MapFS["b/c"] = &fstest.MapFile{Data: []byte("new")}
	clear(tree.asked)
	if changed, err := digests.Of(parsed(t, text), tree); changed == first || err != nil || tree.asked["b/c"] != 1 {
		t.Errorf("%s %v, asked %v", changed, err, tree.asked)
	}
}

func TestInputDigestFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		text string
		tree fs.FS
		want string
	}{
		{"workflow: j\nj:\n  dockerfile: ./ci/Dockerfile", treeOf("a"), "f.yaml:3:15: 'dockerfile' names 'ci/Dockerfile', which is not a file of the source; commit it, or give its path below the source's root"},
		{"workflow: j\nj: {dockerfile: ci}", treeOf("ci/"), "f.yaml:2:17: 'dockerfile' names 'ci', which is not a file of the source; "},
		{"workflow: j\nj: {dockerfile: ci}", nil, "f.yaml:2:17: 'dockerfile' names 'ci', which"},
		{"workflow: j\nj: {image: a, copyFiles: true}", nil, "f.yaml: the files that the pipeline copies can't be read: there is no source to copy from; "},
		{"workflow: j\nj: {image: a, copyFiles: true}", failing{treeOf("b/c")}, "f.yaml: the files that the pipeline copies can't be read: permission denied; "},
		{"workflow: j\ntrigger: {paths: b}\nj: {image: a}", nil, "f.yaml: the files that the pipeline copies can't be read: there is no source that trigger.paths"},
	} {
		_, err := parsed(t, tc.text).InputDigest(tc.tree)
		var list problem.List
		if !errors.As(err, &list) || len(list) != 1 || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%v", err)
		}
	}
}
