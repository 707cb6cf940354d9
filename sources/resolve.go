package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// ErrOutside means that a link in a tree points to a place outside the tree.
// Nothing is read there.
var ErrOutside = errors.New("the link leaves the tree")

// maxLinks bounds the links followed for one name, as Linux bounds its own.
const maxLinks = 40

// linkError names the link that stopped a lookup, and where it points.
type linkError struct {
	link, target, what string
	kind               error
}

func (e *linkError) Error() string {
	return fmt.Sprintf("the link %q points to %q, which %s", e.link, e.target, e.what)
}

func (e *linkError) Unwrap() error { return e.kind }

// walker is one lookup: where it stands, and what is still to be looked up.
type walker struct {
	stack []entry  // from the root down to the present entry
	names []string // their names below the root
	todo  []string
	hops  int
}

// resolve finds the entry called name below root. It follows links in the
// directories on the way, and a link in the last place if follow is set, but
// only to what lies below root. It returns the path that holds no link any more.
func resolve(root entry, op, name string, follow bool) (entry, string, error) {
	if !fs.ValidPath(name) {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	w := walker{stack: []entry{root}, todo: strings.Split(name, "/")}
	if err := w.run(follow); err != nil {
		return nil, "", &fs.PathError{Op: op, Path: name, Err: err}
	}
	return w.top(), w.path(), nil
}

func (w *walker) top() entry { return w.stack[len(w.stack)-1] }

func (w *walker) path() string {
	if len(w.names) == 0 {
		return "."
	}
	return strings.Join(w.names, "/")
}

func (w *walker) run(follow bool) error {
	for len(w.todo) > 0 {
		part := w.todo[0]
		w.todo = w.todo[1:]
		if !w.top().mode().IsDir() {
			return fs.ErrNotExist
		}
		switch part {
		case "", ".":
			continue
		case "..": // only a link's target holds one: ValidPath refuses it in a name
			w.stack, w.names = w.stack[:len(w.stack)-1], w.names[:len(w.names)-1]
			continue
		}
		next, err := w.top().child(part)
		if err != nil {
			return err
		}
		if next == nil {
			return fs.ErrNotExist
		}
		if next.mode()&fs.ModeSymlink != 0 && (follow || len(w.todo) > 0) {
			if err := w.jump(next, part); err != nil {
				return err
			}
			continue
		}
		w.stack, w.names = append(w.stack, next), append(w.names, part)
	}
	return nil
}

// jump puts the target of a link in front of what is still to be looked up. The
// target is judged by its spelling first, so that one that leaves the tree is
// refused whatever the names in it mean.
func (w *walker) jump(link entry, name string) error {
	at := path.Join(append(append([]string{}, w.names...), name)...)
	target, err := link.target()
	if err != nil {
		return err
	}
	if w.hops++; w.hops > maxLinks {
		return &linkError{at, target, "leads in a circle or through too many links", fs.ErrInvalid}
	}
	if target == "" {
		return &linkError{at, target, "is empty", fs.ErrInvalid}
	}
	parts := strings.Split(target, "/")
	if path.IsAbs(target) || leaves(len(w.names), parts) {
		return &linkError{at, target, "lies outside the source; only links within it are followed", ErrOutside}
	}
	w.todo = append(parts, w.todo...)
	return nil
}

// leaves tells whether the parts, taken from a directory at the depth, climb
// above the root.
func leaves(depth int, parts []string) bool {
	for _, p := range parts {
		switch p {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}
