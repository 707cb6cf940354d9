package reconcile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/sources"
)

// Bounds of one loading; what exceeds one is a problem, never an OOM.
const (
	MaxFileBytes = 1 << 20 // of one resource file
	maxFiles     = 20_000
	maxDepth     = 16
	ignoreFile   = ".abideignore"
)

// folders are what is scanned besides the files directly below a source's path
// (DESIGN, "What a repo holds"): an application's repository can carry its own
// units and XML elsewhere.
var folders = []string{"pipelines", "units", "services", "devices"}

// Desired is what one snapshot, or all together, ask for.
type Desired struct {
	Resources []*Resource
	Problems  problem.List // of no resource
	Ignored   []string
	Files     int // that were there at all; 0 means an empty tree
	// Unread are the files and directories that could not be read: what is
	// missing below them may be there, and is not pruned for its absence.
	Unread []string
}

// hides says whether a file may be there although nothing was read of it.
func (d *Desired) hides(file string) bool {
	return slices.ContainsFunc(d.Unread, func(name string) bool {
		return name == "." || name == file || strings.HasPrefix(file, name+"/")
	})
}

// loader turns snapshots of one source into desired state. It remembers each
// file's resource by the file's hash, so that a commit costs what it changed.
type loader struct {
	kinds  []Kind
	policy Policy
	as     string // what the resource of a file source is called

	mu    sync.Mutex
	cache map[string]cached
}

type cached struct {
	hash    string
	kind    Kind // nil: nobody's
	ignored string
	file    File
	parsed  any    // what the kind keeps of it
	broken  string // why it could not be parsed at all; "": it could
}

// load reads a snapshot. One bad file is that file's problem only; an error
// means that nobody can say what the snapshot asks for.
func (l *loader) load(snap *sources.Snapshot) (Desired, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := Desired{}
	next := map[string]cached{}
	seen := map[string]string{}
	names, err := l.names(snap, &d)
	if err != nil {
		return d, err
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := l.read(snap, name, &d)
		if c == nil {
			continue
		}
		if c.kind == nil {
			next[name] = *c
			if c.ignored != "" {
				d.Ignored = append(d.Ignored, snap.Source+": "+name+": "+c.ignored)
			}
			continue
		}
		next[name] = *l.parsed(c)
		for _, r := range l.resources(snap, c, &d) {
			l.take(&d, seen, r)
		}
	}
	l.cache = next
	return d, nil
}

// take adds a resource to what is desired, unless it is meant for others or its
// name is taken.
func (l *loader) take(d *Desired, seen map[string]string, r *Resource) {
	for _, k := range l.kinds {
		s, ok := k.(Selector)
		if !ok || k.Name() != r.Kind {
			continue
		}
		if meant, why := s.Selects(r); !meant {
			d.Ignored = append(d.Ignored, r.Source+": "+r.File+": "+why)
			return
		}
	}
	if other, twice := seen[r.Key()]; twice {
		r.Problems = append(r.Problems, problem.Problem{
			Severity: problem.Error, File: r.File,
			Message: fmt.Sprintf("%s %s is already defined by %s", r.Kind, r.Name, other), Hint: "rename or remove one of the two",
		})
		d.Problems = append(d.Problems, r.Problems...)
		return
	}
	seen[r.Key()] = r.File
	d.Resources = append(d.Resources, r)
}

// names gives the files to look at.
func (l *loader) names(snap *sources.Snapshot, d *Desired) (map[string]struct{}, error) {
	out, tree := map[string]struct{}{}, snap.Tree
	if snap.Only != "" {
		d.Files = 1
		out[snap.Only] = struct{}{}
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
			out[e.Name()] = struct{}{}
		}
	}
	for _, dir := range folders {
		l.walk(tree, dir, ignore, out, d)
	}
	return out, nil
}

func (l *loader) walk(tree fs.FS, dir string, ignore func(string, bool) bool, out map[string]struct{}, d *Desired) {
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
			out[name] = struct{}{}
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

// read gives what is known of one file, from the cache where its hash allows.
func (l *loader) read(snap *sources.Snapshot, name string, d *Desired) *cached {
	wanted := snap.Only != ""
	for _, k := range l.kinds {
		wanted = wanted || k.Wants(name)
	}
	if !wanted {
		return nil
	}
	hash := contentHash(snap.Tree, name)
	if c, ok := l.cache[name]; ok && hash != "" && c.hash == hash {
		return &c
	}
	data, err := readBounded(snap.Tree, name)
	if err != nil {
		d.unreadable(name, err)
		return nil
	}
	c := &cached{hash: hash, file: File{Path: name, Data: data, Hash: hash, As: l.as}}
	for _, k := range l.kinds {
		if snap.Only == "" && !k.Wants(name) {
			continue
		}
		ours, ignored := k.Claims(c.file)
		if ours {
			c.kind, c.ignored = k, ""
			break
		}
		c.ignored = ignored
	}
	if c.kind == nil && snap.Only != "" {
		c.kind = l.kinds[0] // it was named: its faults are worth more than silence
	}
	if c.kind == nil {
		c.file.Data = nil
	}
	return c
}

// contentHash identifies what a file holds, or gives "" where nothing cheap
// does: a link's hash is that of its target's name, not of the target.
func contentHash(tree fs.FS, name string) string {
	h, ok := tree.(sources.Hasher)
	if !ok {
		return ""
	}
	if info, err := fs.Lstat(tree, name); err != nil || info.Mode().Type() != 0 {
		return ""
	}
	hash, err := h.Hash(name)
	if err != nil {
		return ""
	}
	return hash
}

// parsed makes sure that a claimed file was parsed. A panic in a kind's parser
// is that file's problem, which resources tells.
func (l *loader) parsed(c *cached) *cached {
	if c.parsed == nil && c.broken == "" {
		defer func() {
			if p := recover(); p != nil {
				c.broken = fmt.Sprintf("internal error while reading it: %v", p)
			}
		}()
		c.parsed = c.kind.Parse(c.file)
	}
	return c
}

// resources makes the resources of a parsed file: one, or as many as its kind
// finds in it.
func (l *loader) resources(snap *sources.Snapshot, c *cached, d *Desired) []*Resource {
	s, many := c.kind.(Splitter)
	if !many || c.broken != "" {
		return []*Resource{l.resource(snap, c, c.file)}
	}
	names, faults := s.Split(c.file, c.parsed)
	if faults.Err() != nil {
		d.Unread = append(d.Unread, c.file.Path) // what it held stays in force
	}
	d.Problems = append(d.Problems, faults...)
	out := make([]*Resource, 0, len(names))
	for _, name := range names {
		file := c.file
		file.As = name
		out = append(out, l.resource(snap, c, file))
	}
	return out
}

// resource makes one resource of a file and applies the policy.
func (l *loader) resource(snap *sources.Snapshot, c *cached, file File) (r *Resource) {
	kind := c.kind.Name()
	defer func() {
		if p := recover(); p != nil {
			r = brokenResource(kind, file, fmt.Sprintf("internal error while reading it: %v", p))
		}
		r.Source, r.Revision, r.File, r.Tree, r.Git = snap.Source, snap.Revision, file.Path, snap.Tree, snap.Commit != nil
	}()
	if c.broken != "" {
		return brokenResource(kind, file, c.broken)
	}
	loaded := c.kind.Load(snap, file, c.parsed, l.policy)
	if !l.policy.GrantsKind(kind) {
		loaded.Problems = append(loaded.Problems[:len(loaded.Problems):len(loaded.Problems)], problem.Problem{
			Severity: problem.Error, File: file.Path, Rule: "kinds",
			Message: fmt.Sprintf("source %s is not granted resources of kind %s", snap.Source, kind), Hint: "add it to the source's kinds",
		})
	}
	return &loaded
}

func brokenResource(kind string, file File, why string) *Resource {
	name := file.As
	if name == "" {
		name = strings.TrimSuffix(file.Path, path.Ext(file.Path))
	}
	return &Resource{Kind: kind, Name: name, Problems: problem.List{{
		Severity: problem.Error, File: file.Path, Message: why, Hint: "please report it",
	}}}
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
	return b.Bytes(), nil
}
