package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// GitDir is the directory that holds HEAD.
func (r *Repo) GitDir() string { return r.git }

// On makes branch the one that is committed to. Its files stay those staged.
func (r *Repo) On(branch string) { r.branch = branch }

// Tip gives the commit of a branch, or "".
func (r *Repo) Tip(branch string) string {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.git, "refs", "heads", filepath.FromSlash(branch)))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	r.check(err)
	return strings.TrimSpace(string(data))
}

// SetRef points a ref ("refs/heads/x") at a hash, as Git does: through a lock
// file that is renamed.
func (r *Repo) SetRef(name, hash string) {
	r.t.Helper()
	r.replace(filepath.FromSlash(name), hash+"\n")
}

// SetHead makes HEAD name a branch ("refs/heads/x"), or detaches it at a hash.
func (r *Repo) SetHead(to string) {
	r.t.Helper()
	if strings.HasPrefix(to, "refs/") {
		to = "ref: " + to
	}
	r.replace("HEAD", to+"\n")
}

func (r *Repo) replace(name, content string) {
	r.t.Helper()
	full := filepath.Join(r.git, name)
	r.check(os.MkdirAll(filepath.Dir(full), 0o755))
	r.check(os.WriteFile(full+".lock", []byte(content), 0o644))
	r.check(os.Rename(full+".lock", full))
}

// DeleteRef removes a ref.
func (r *Repo) DeleteRef(name string) {
	r.t.Helper()
	r.check(os.Remove(filepath.Join(r.git, filepath.FromSlash(name))))
}

// PackRefs moves all loose refs into packed-refs, as `git pack-refs --all` does.
func (r *Repo) PackRefs() {
	r.t.Helper()
	var b strings.Builder
	b.WriteString("# pack-refs with: peeled fully-peeled sorted \n")
	var loose []string
	packed, _ := os.ReadFile(filepath.Join(r.git, "packed-refs"))
	for line := range strings.Lines(string(packed)) {
		_, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := os.Stat(filepath.Join(r.git, filepath.FromSlash(name))); err != nil && !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	r.check(filepath.WalkDir(filepath.Join(r.git, "refs"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.git, p)
		fmt.Fprintf(&b, "%s %s\n", strings.TrimSpace(string(data)), filepath.ToSlash(rel))
		loose = append(loose, p)
		return err
	}))
	r.replace("packed-refs", b.String())
	for _, p := range loose {
		r.check(os.Remove(p))
	}
}

// Tag makes an annotated tag of any object.
func (r *Repo) Tag(name, hash string, typ plumbing.ObjectType) string {
	r.t.Helper()
	text := fmt.Sprintf("object %s\ntype %s\ntag %s\ntagger Ada <ada@example.org> %d +0000\n\n%s\n", hash, typ, name, r.when.Unix(), name)
	h := r.Object(plumbing.TagObject, []byte(text)).String()
	r.SetRef("refs/tags/"+name, h)
	return h
}
