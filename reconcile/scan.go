package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
)

// names gives the files to look at, with their types.
func (l *loader) names(snap *sources.Snapshot, d *Desired) (map[string]fs.FileMode, error) {
	out, tree := map[string]fs.FileMode{}, snap.Tree
	if snap.Only != "" {
		d.Files = 1
		out[snap.Only] = fs.ModeIrregular
		if info, err := fs.Lstat(tree, snap.Only); err == nil {
			out[snap.Only] = info.Mode().Type()
		}
		return out, nil
	}
	ignore, err := l.ignores(tree)
	if err != nil {
		return nil, err
	}
	root, err := fs.ReadDir(tree, ".")
	if err != nil && len(root) == 0 {
		return nil, err
	}
	if err != nil { // what could be listed is good all the same
		d.unreadable(".", err)
	}
	d.Files = len(root)
	for _, e := range root {
		if !e.IsDir() && !ignore(e.Name(), false) {
			out[e.Name()] = e.Type()
		}
	}
	for _, dir := range folders {
		l.walk(tree, dir, ignore, out, d)
	}
	return out, nil
}

func (l *loader) walk(tree fs.FS, dir string, ignore func(string, bool) bool, out map[string]fs.FileMode, d *Desired) {
	err := fs.WalkDir(tree, dir, func(name string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			d.unreadable(name, err)
			return nil
		case ignore(name, e.IsDir()):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.IsDir() && strings.Count(name, "/") >= maxDepth:
			d.beyond(name, fmt.Sprintf("directories are nested more than %d deep", maxDepth), "flatten them")
			return fs.SkipDir
		case len(out) >= maxFiles:
			d.beyond(dir, fmt.Sprintf("there are more than %d files; the rest is not read", maxFiles), "use "+ignoreFile+" or the source's path")
			return fs.SkipAll
		case !e.IsDir():
			out[name] = e.Type()
		}
		return nil
	})
	if err != nil {
		d.unreadable(dir, err)
	}
}

// ignores reads .abideignore, whose syntax is gitignore's. Where it is there
// and can't be read, what must not run can't be told from what must.
func (l *loader) ignores(tree fs.FS) (func(string, bool) bool, error) {
	text, err := readBounded(tree, ignoreFile)
	if errors.Is(err, fs.ErrNotExist) {
		return func(string, bool) bool { return false }, nil
	}
	if err == nil && len(text) > MaxFileBytes {
		err = fmt.Errorf("it is longer than %d bytes", MaxFileBytes)
	}
	if err != nil {
		return nil, fmt.Errorf("its %s can't be read: %w; mend it, or remove it", ignoreFile, err)
	}
	var patterns []gitignore.Pattern
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, gitignore.ParsePattern(line, nil))
		}
	}
	m := gitignore.NewMatcher(patterns)
	return func(name string, dir bool) bool { return m.Match(strings.Split(name, "/"), dir) }, nil
}

// unreadable notes what could not be read. A name that is refused on purpose
// hides nothing that could be a resource.
func (d *Desired) unreadable(name string, err error) {
	var refused *sources.RefusedError
	if !errors.As(err, &refused) {
		d.Unread = append(d.Unread, name)
	}
	d.Problems = append(d.Problems, problem.Problem{
		Severity: problem.Error, File: name, Message: "it can't be read: " + err.Error(), Hint: "mend it, or list it in " + ignoreFile,
	})
}

// beyond notes what was not read because it exceeds a bound.
func (d *Desired) beyond(name, message, hint string) {
	d.Unread = append(d.Unread, name)
	d.Problems = append(d.Problems, problem.Problem{Severity: problem.Error, File: name, Message: message, Hint: hint})
}

// readBounded reads a resource file. A longer one is cut just above the bound:
// its kind's parser then says that it is too large.
func readBounded(tree fs.FS, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.IsDir() {
		return nil, errors.New("it is a directory")
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, io.LimitReader(f, MaxFileBytes+1)); err != nil {
		return nil, err
	}
	if sources.IsLFSPointer(b.Bytes()) {
		return nil, errors.New("it is a pointer of Git LFS, whose content is not in the repository and is not followed; keep the file in Git itself")
	}
	return b.Bytes(), nil
}
