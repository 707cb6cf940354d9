package sources

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
)

// Resolver is a Source with a history, which can say what people mean by the
// name of a revision.
type Resolver interface {
	// Resolve gives the whole name of the revision that rev names, so that At
	// gives its content: a commit's hash or its first digits, a branch, a tag, or
	// HEAD for what is followed, each perhaps with ^ or ~N behind it for first
	// parents. What is not on this machine yet is asked for at the server.
	Resolve(ctx context.Context, rev string) (string, error)
}

var _ Resolver = (*Git)(nil)

// maxAncestors bounds how far back ~N may go.
const maxAncestors = 100_000

// Resolve implements Resolver.
func (g *Git) Resolve(ctx context.Context, rev string) (string, error) {
	name, back, err := ancestry(rev)
	if err != nil {
		return "", g.fail(err)
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	h, err := g.named(ctx, name)
	if err != nil {
		return "", g.fail(err)
	}
	paths, err := g.here()
	if err != nil {
		return "", g.fail(err)
	}
	store, err := g.use(paths)
	if err != nil {
		return "", g.fail(err)
	}
	for range back {
		c, err := store.commit(h)
		if err != nil {
			return "", g.fail(err)
		}
		if len(c.ParentHashes) == 0 {
			return "", g.fail(fmt.Errorf("the history of %s does not go back %d commits: %w", name, back, ErrGone))
		}
		h = c.ParentHashes[0]
	}
	return h.String(), nil
}

// ancestry takes ^ and ~N off the end of a revision's name.
func ancestry(rev string) (name string, back int, err error) {
	name = rev
	for {
		if before, ok := strings.CutSuffix(name, "^"); ok {
			name, back = before, back+1
			continue
		}
		i := strings.LastIndexByte(name, '~')
		if i < 0 {
			break
		}
		n, err := 1, error(nil)
		if digits := name[i+1:]; digits != "" {
			n, err = strconv.Atoi(digits)
		}
		if err != nil || n < 0 || n > maxAncestors {
			break
		}
		name, back = name[:i], back+n
	}
	switch {
	case name == "" || strings.HasPrefix(name, "-"):
		return "", 0, fmt.Errorf("%q names no revision; give a branch, a tag or a commit", rev)
	case back > maxAncestors:
		return "", 0, fmt.Errorf("%q goes back more than %d commits; give the commit itself", rev, maxAncestors)
	}
	return name, back, nil
}

// named finds the commit of a name: of what is followed, of a branch, of a tag,
// or by its hash, in this order.
func (g *Git) named(ctx context.Context, name string) (plumbing.Hash, error) {
	if name == "HEAD" || name == "@" {
		_, tip, err := g.tip(ctx)
		return tip, err
	}
	var last error
	for _, r := range []Ref{{Branch: name}, {Tag: name}, {Commit: name}} {
		if r.Commit == "" && isDigits(name) && len(name) == hashDigits {
			continue // asking the server for a branch of such a name is not worth it
		}
		ref, err := r.normalize()
		if err == nil {
			var h plumbing.Hash
			if h, err = g.find(ctx, ref); err == nil {
				return h, nil
			}
		}
		if ctx.Err() != nil {
			return plumbing.ZeroHash, ctx.Err()
		}
		last = err
	}
	if isDigits(name) {
		return plumbing.ZeroHash, last
	}
	return plumbing.ZeroHash, fmt.Errorf("the repository has no branch, tag or commit %q: %w", name, ErrGone)
}

func isDigits(name string) bool { return strings.Trim(strings.ToLower(name), "0123456789abcdef") == "" }

// find gives the commit of a ref, wherever the repository is.
func (g *Git) find(ctx context.Context, ref Ref) (plumbing.Hash, error) {
	if g.clone != nil {
		return g.clone.bring(ctx, ref, g.use)
	}
	paths, err := findRepo(g.loc.path)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	store, err := g.use(paths)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	return store.find(ref)
}
