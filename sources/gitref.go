package sources

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"
)

// Ref says which commit of a repository is wanted. At most one field is set; if
// none is, it is the branch that the repository's HEAD names.
type Ref struct {
	Branch string
	Tag    string
	Commit string // a whole hash, or at least four digits of one
}

// String gives the ref for people.
func (r Ref) String() string {
	switch {
	case r.Branch != "":
		return fmt.Sprintf("branch %q", r.Branch)
	case r.Tag != "":
		return fmt.Sprintf("tag %q", r.Tag)
	case r.Commit != "":
		return "commit " + r.Commit
	}
	return "HEAD"
}

const (
	hashDigits    = 40
	minHashDigits = 4
	maxTagDepth   = 8 // tags of tags
)

// normalize checks a ref and brings it into its plain form.
func (r Ref) normalize() (Ref, error) {
	set := 0
	for _, s := range []string{r.Branch, r.Tag, r.Commit} {
		if s != "" {
			set++
		}
		if strings.HasPrefix(s, "-") {
			return r, fmt.Errorf("%q is not the name of a branch, tag or commit: it begins with a dash", s)
		}
	}
	if set > 1 {
		return r, errors.New("give one of branch, tag and commit, not several")
	}
	r.Branch = strings.TrimPrefix(r.Branch, "refs/heads/")
	r.Tag = strings.TrimPrefix(r.Tag, "refs/tags/")
	if name := r.name(); name != plumbing.HEAD && (r.Commit == "") {
		if err := name.Validate(); err != nil {
			return r, fmt.Errorf("%s is not a name that Git allows; see git help check-ref-format", r)
		}
	}
	if r.Commit != "" {
		r.Commit = strings.ToLower(r.Commit)
		if len(r.Commit) < minHashDigits || len(r.Commit) > hashDigits || strings.Trim(r.Commit, "0123456789abcdef") != "" {
			return r, fmt.Errorf("%q is not a commit: give %d to %d hexadecimal digits, or name a branch or tag", r.Commit, minHashDigits, hashDigits)
		}
	}
	return r, nil
}

// name is the full name of the ref in a repository.
func (r Ref) name() plumbing.ReferenceName {
	switch {
	case r.Branch != "":
		return plumbing.NewBranchReferenceName(r.Branch)
	case r.Tag != "":
		return plumbing.NewTagReferenceName(r.Tag)
	}
	return plumbing.HEAD
}

// find gives the commit that the ref names in a repository on this machine.
func (s *objectStore) find(r Ref) (plumbing.Hash, error) {
	if r.Commit != "" {
		return s.findCommit(r.Commit)
	}
	h, err := s.follow(r.name())
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return s.peel(h, r)
}

func (s *objectStore) findCommit(digits string) (plumbing.Hash, error) {
	if len(digits) == hashDigits {
		h := plumbing.NewHash(digits)
		if _, err := s.commit(h); err != nil {
			if errors.Is(err, plumbing.ErrObjectNotFound) {
				return plumbing.ZeroHash, noCommit(digits)
			}
			return plumbing.ZeroHash, err
		}
		return h, nil
	}
	h, err := s.expand(digits)
	if errors.Is(err, plumbing.ErrObjectNotFound) {
		return plumbing.ZeroHash, noCommit(digits)
	}
	return h, err
}

func noCommit(digits string) error {
	return fmt.Errorf("the repository has no commit %s; check the hash, and that the commit was pushed", digits)
}

// follow looks a ref up, through symbolic ones.
func (s *objectStore) follow(name plumbing.ReferenceName) (plumbing.Hash, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return plumbing.ZeroHash, fs.ErrClosed
	}
	wanted := name
	for range 8 {
		ref, err := s.stores[0].Reference(name)
		switch {
		case errors.Is(err, plumbing.ErrReferenceNotFound), errors.Is(err, fs.ErrNotExist):
			if _, err := os.Stat(filepath.Join(s.paths.common, filepath.FromSlash(string(name)))); err == nil && name != plumbing.HEAD {
				return plumbing.ZeroHash, fmt.Errorf("the ref %s is empty or damaged; see git fsck", name)
			}
			return plumbing.ZeroHash, s.noRef(wanted, name)
		case err != nil:
			return plumbing.ZeroHash, fmt.Errorf("the ref %s cannot be read: %w", name, err)
		case ref.Type() == plumbing.SymbolicReference:
			name = ref.Target()
		case ref.Hash().IsZero():
			return plumbing.ZeroHash, fmt.Errorf("the ref %s holds no hash; the repository is damaged: see git fsck", name)
		default:
			return ref.Hash(), nil
		}
	}
	return plumbing.ZeroHash, fmt.Errorf("the ref %s leads in a circle", wanted)
}

// noRef says that a ref is missing, and what there is instead. s.mu is held.
func (s *objectStore) noRef(wanted, name plumbing.ReferenceName) error {
	var all []plumbing.ReferenceName
	if iter, err := s.stores[0].IterReferences(); err == nil {
		_ = iter.ForEach(func(r *plumbing.Reference) error {
			all = append(all, r.Name())
			return nil
		})
	}
	return missingRef(wanted, name, all)
}

// missingRef is the sentence about a ref that is not there. name is what wanted
// led to, when it is HEAD.
func missingRef(wanted, name plumbing.ReferenceName, all []plumbing.ReferenceName) error {
	var branches, tags []string
	for _, n := range all {
		switch {
		case n.IsBranch():
			branches = append(branches, n.Short())
		case n.IsTag():
			tags = append(tags, n.Short())
		}
	}
	slices.Sort(branches)
	slices.Sort(tags)
	switch {
	case wanted.IsTag() && len(tags) == 0:
		return fmt.Errorf("the repository has no tag %q, nor any other", wanted.Short())
	case wanted.IsTag():
		return fmt.Errorf("the repository has no tag %q; it has: %s", wanted.Short(), listNames(tags))
	case len(branches) == 0:
		return say(ErrEmpty, "the repository has no commit yet; commit something to it")
	case wanted == plumbing.HEAD:
		return fmt.Errorf("the repository's HEAD names %q, which does not exist; choose a branch, it has: %s", name.Short(), listNames(branches))
	}
	return fmt.Errorf("the repository has no branch %q; it has: %s", wanted.Short(), listNames(branches))
}

// listNames joins the first ten names; a repository may have a hundred thousand.
func listNames(names []string) string {
	const most = 10
	shown := make([]string, 0, most+1)
	for _, n := range names[:min(len(names), most)] {
		if strings.ContainsFunc(n, func(r rune) bool { return r < ' ' || r == 0x7f || !isPlain(r) }) {
			n = fmt.Sprintf("%+q", n)
		}
		shown = append(shown, n)
	}
	if more := len(names) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(shown, ", ")
}

// isPlain tells whether a rune can be shown in a line without turning or hiding
// what stands beside it.
func isPlain(r rune) bool {
	return !(r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x206f || r == 0xfeff || r == '�')
}

// peel follows annotated tags to their commit.
func (s *objectStore) peel(h plumbing.Hash, r Ref) (plumbing.Hash, error) {
	for range maxTagDepth {
		var next plumbing.Hash
		var typ plumbing.ObjectType
		err := s.read(plumbing.AnyObject, h, func(o plumbing.EncodedObject) error {
			if typ = o.Type(); typ != plumbing.TagObject {
				return nil
			}
			if o.Size() > maxCommitBytes {
				return fmt.Errorf("the tag object %s is larger than %d MiB, which is refused", h, maxCommitBytes>>20)
			}
			tag := &object.Tag{}
			if err := tag.Decode(o); err != nil {
				return err
			}
			next = tag.Target
			return nil
		})
		switch {
		case err != nil:
			return plumbing.ZeroHash, fmt.Errorf("%s leads to %s: %w", r, h, err)
		case typ == plumbing.CommitObject:
			return h, nil
		case typ != plumbing.TagObject:
			return plumbing.ZeroHash, fmt.Errorf("%s names a %s, not a commit", r, typ)
		}
		h = next
	}
	return plumbing.ZeroHash, fmt.Errorf("%s is a tag of a tag, more than %d deep", r, maxTagDepth)
}
