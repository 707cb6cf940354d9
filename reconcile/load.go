package reconcile

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

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
	var claimed []*cached
	for _, name := range slices.Sorted(maps.Keys(names)) {
		c := l.read(snap, name, names[name], &d)
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
		claimed = append(claimed, c)
	}
	l.gather(snap, names, claimed, &d)
	for _, c := range claimed {
		for _, r := range l.resources(snap, c, &d) {
			l.take(&d, seen, r)
		}
	}
	l.cache = next
	return d, nil
}

// gather hands the files of a snapshot to the kinds that look at all of theirs
// at once.
func (l *loader) gather(snap *sources.Snapshot, names map[string]fs.FileMode, claimed []*cached, d *Desired) {
	for _, k := range l.kinds {
		g, ok := k.(Gatherer)
		if !ok {
			continue
		}
		var mine []Parsed
		for _, c := range claimed {
			if c.kind == k && c.broken == "" {
				mine = append(mine, Parsed{c.file, c.parsed})
			}
		}
		d.Problems = append(d.Problems, g.Gather(snap, slices.Sorted(maps.Keys(names)), mine)...)
	}
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

// read gives what is known of one file, from the cache where its hash allows.
func (l *loader) read(snap *sources.Snapshot, name string, typ fs.FileMode, d *Desired) *cached {
	wanted := snap.Only != ""
	for _, k := range l.kinds {
		wanted = wanted || k.Wants(name)
	}
	if !wanted {
		return nil
	}
	hash := ""
	if typ == 0 {
		hash = contentHash(snap.Tree, name)
	}
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

// contentHash identifies what a regular file holds, or gives "" where nothing
// cheap does. A link's hash would be that of its target's name, not of the target.
func contentHash(tree fs.FS, name string) string {
	h, ok := tree.(sources.Hasher)
	if !ok {
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
