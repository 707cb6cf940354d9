package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"iter"
	"path"
	"regexp"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
)

// hasher is what the tree of a snapshot can do beyond reading: name the
// content of a file or of all below a directory without streaming it.
type hasher interface {
	Hash(name string) (string, error)
}

// InputDigest identifies what the pipeline wants: its own text, the build
// context of each Dockerfile, and what copyFiles copies, or instead of that the
// files that trigger.paths names. It is "sha256:…", the same for the same
// content, names, modes and link targets, and different otherwise. tree may be
// nil when NeedsTree is false.
//
// A Dockerfile that doesn't exist, and a tree that can't be read, are a
// problem.List with one error. Content is hashed by the tree itself where it
// has a Hash method; else every file is read. Who asks for many pipelines of
// one tree, or again and again, uses a [Digests].
func (p *Pipeline) InputDigest(tree fs.FS) (string, error) { return new(Digests).Of(p, tree) }

// NeedsTree says whether the digest or a run of the pipeline reads the source's
// tree.
func (p *Pipeline) NeedsTree() bool {
	if len(p.Trigger.Paths) > 0 {
		return true
	}
	for i := range p.Jobs {
		if p.Jobs[i].CopyFiles || p.Jobs[i].Dockerfile != "" {
			return true
		}
	}
	return false
}

func (p *Pipeline) unreadable(err error) error {
	return problem.List{{
		Severity: problem.Error, File: p.File,
		Message: "the files that the pipeline copies can't be read: " + err.Error(), Hint: "mend the source",
	}}
}

// digester feeds a hash with fields whose length stands before them, so that
// no two sequences of fields look alike.
type digester struct {
	sum    hash.Hash
	tree   fs.FS
	hasher hasher // nil when the tree is none
	cache  *Digests
}

func (d *digester) write(fields ...string) {
	for _, f := range fields {
		fmt.Fprintf(d.sum, "%d:", len(f))
		io.WriteString(d.sum, f)
	}
}

// contexts adds what the builds of the pipeline may read, each once.
func (d *digester) contexts(p *Pipeline) error {
	done := map[string]bool{}
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if j.Dockerfile == "" || done[j.Dockerfile] {
			continue
		}
		done[j.Dockerfile] = true
		if err := d.context(j.Dockerfile); err != nil {
			at := j.dockerfileAt
			pr := problem.Problem{
				Severity: problem.Error, File: p.File, Line: at.line, Column: at.column, Job: j.Name, Field: "dockerfile",
				Message: fmt.Sprintf("the build context of '%s' can't be read: %v", j.Dockerfile, err), Hint: "mend the source",
			}
			if errors.Is(err, errNoDockerfile) {
				pr.Message = fmt.Sprintf("'dockerfile' names '%s', %s", j.Dockerfile, err)
				pr.Hint = "commit it, or give its path below the source's root"
			}
			return problem.List{pr}
		}
	}
	return nil
}

var errNoDockerfile = errors.New("which is not a file of the source")

func (d *digester) context(dockerfile string) error {
	if d.tree == nil {
		return errNoDockerfile
	}
	info, err := fs.Stat(d.tree, dockerfile)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return errNoDockerfile
	}
	if err != nil {
		return err
	}
	dir, base := path.Split(dockerfile)
	dir = path.Clean(dir)
	d.write("context", dockerfile)
	ignore, _, err := dockerIgnore(d.tree, dir, base)
	if err != nil {
		return err
	}
	if ignore == nil && d.hasher != nil {
		return d.whole(dir)
	}
	return d.part(dir, "context\x00"+dockerfile, ContextSet(d.tree, dockerfile))
}

// copied adds what copyFiles copies, or what trigger.paths names instead.
func (d *digester) copied(p *Pipeline) error {
	if len(p.Trigger.Paths) > 0 {
		return d.triggered(p.Trigger.Paths)
	}
	sets, everything := map[string][]*regexp.Regexp{}, false
	var order []string
	for i := range p.Jobs {
		j := &p.Jobs[i]
		if !j.CopyFiles {
			continue
		}
		everything = everything || len(j.CopyIgnore) == 0
		key := patternKey(j.CopyIgnore)
		if _, ok := sets[key]; !ok {
			sets[key], order = j.CopyIgnore, append(order, key)
		}
	}
	if len(order) == 0 {
		return nil
	}
	if d.tree == nil {
		return errors.New("there is no source to copy from")
	}
	if everything { // it includes all other sets
		sets, order = map[string][]*regexp.Regexp{"": nil}, []string{""}
	}
	for _, key := range order {
		d.write("copy")
		if key == "" && d.hasher != nil {
			if err := d.whole("."); err != nil {
				return err
			}
			continue
		}
		if err := d.part(".", "copy\x00"+key, CopySet(d.tree, sets[key])); err != nil {
			return err
		}
	}
	return nil
}

func patternKey(patterns []*regexp.Regexp) string {
	texts := make([]string, len(patterns))
	for i, re := range patterns {
		texts[i] = re.String()
	}
	return strings.Join(texts, "\x00")
}

// triggered adds the files that trigger.paths names.
func (d *digester) triggered(patterns []string) error {
	if d.tree == nil {
		return errors.New("there is no source that trigger.paths could name files of")
	}
	gs, err := compileGlobs(patterns)
	if err != nil {
		return err
	}
	d.write("paths")
	return d.part(".", "paths\x00"+strings.Join(patterns, "\x00"), walkTree(d.tree, ".", func(name string, dir bool) (keep, descend bool) {
		if dir {
			return false, gs.reach(name)
		}
		return gs.matches(name), false
	}))
}

// whole adds all that is below a directory by the tree's own hash of it.
func (d *digester) whole(dir string) error {
	h, err := d.hasher.Hash(dir)
	d.write("tree", h)
	return err
}

// entries adds what a walk gives, by name, mode and content.
func (d *digester) entries(root string, walk iter.Seq2[Entry, error]) error {
	for e, err := range walk {
		if err != nil {
			return err
		}
		switch {
		case e.IsDir():
			d.write("dir", e.Path)
		case e.Type() == fs.ModeSymlink:
			d.write("link", e.Path, e.Link)
		default:
			if err := d.file(path.Join(root, e.Path), e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *digester) file(name string, e Entry) error {
	if d.hasher != nil {
		h, err := d.hasher.Hash(name)
		d.write("file", e.Path, h)
		return err
	}
	info, err := e.Info()
	if err != nil {
		return err
	}
	f, err := d.tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	content := sha256.New()
	if _, err := io.Copy(content, f); err != nil {
		return err
	}
	mode := "-"
	if info.Mode()&0o111 != 0 {
		mode = "x"
	}
	d.write("file", e.Path, mode, hex.EncodeToString(content.Sum(nil)))
	return nil
}
