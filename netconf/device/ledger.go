package device

import (
	"maps"
	"slices"
	"sync"

	"github.com/abide-agent/abide/netconf/tree"
)

// lookup gives the tree of a digest, nil for "".
type lookup func(digest string) *tree.Node

// ledger is what is claimed of one device, in memory. The claims stand for what
// the record says is held, but while a transaction is under way: then for what
// it wants.
type ledger struct {
	mu     sync.Mutex
	claims *tree.Claims
	schema *tree.Def
	known  bool     // the schema is the device's
	spaces []string // of which it has the models, sorted
	// stands maps owners to the digest of the output that the claims hold.
	stands map[string]string
}

// open makes the claims anew if the schema is another one.
func (l *ledger) open(find lookup, r Record, schema *tree.Def, spaces []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims == nil || l.schema != schema || !maps.Equal(l.stands, r.Held) {
		l.fill(find, r, schema)
	}
	l.known, l.spaces = true, spaces
}

// ensure makes the claims of a device that was not there yet.
func (l *ledger) ensure(find lookup, r Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims == nil {
		l.fill(find, r, nil)
	}
}

func (l *ledger) fill(find lookup, r Record, schema *tree.Def) {
	l.claims, l.schema, l.stands = tree.NewClaims(schema), schema, map[string]string{}
	var all []tree.Delta
	for _, owner := range slices.Sorted(maps.Keys(r.Held)) {
		all = append(all, tree.Delta{Owner: owner, New: find(r.Held[owner])})
		l.stands[owner] = r.Held[owner]
	}
	l.claims.Apply(all...)
}

// move makes the claims stand for target, of the owners that it names, by way
// of everything that r says may be on the device. It gives what to plan with,
// and what two owners want differently now; with conflicts nothing is moved.
func (l *ledger) move(find lookup, r Record, target map[string]string) ([]tree.Delta, []tree.Conflict) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var deltas []tree.Delta
	for _, owner := range slices.Sorted(maps.Keys(target)) {
		at := l.stands[owner]
		way := []string{target[owner]}
		if next := r.Next[owner]; next != nil {
			// By way of nothing, so that whatever is in both is known to be the owner's: what
			// was there before is in the base already.
			way = append(slices.Clone(next), "", target[owner])
		}
		for _, maybe := range way {
			if maybe != at {
				deltas = append(deltas, tree.Delta{Owner: owner, Old: find(at), New: find(maybe)})
				at = maybe
			}
		}
	}
	conflicts := l.claims.Apply(deltas...)
	if len(conflicts) > 0 {
		l.claims.Apply(reversed(deltas)...)
		return nil, conflicts
	}
	for owner, digest := range target {
		if digest == "" {
			delete(l.stands, owner)
		} else {
			l.stands[owner] = digest
		}
	}
	return deltas, nil
}

// back takes a move back: the claims stand for what r holds again.
func (l *ledger) back(r Record, deltas []tree.Delta) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.claims.Apply(reversed(deltas)...)
	l.stands = maps.Clone(r.Held)
	if l.stands == nil {
		l.stands = map[string]string{}
	}
}

// check gives the conflicts that target would bring, and moves nothing. Where the
// device's models are not known nothing can be said for sure: its worker does it.
func (l *ledger) check(find lookup, target map[string]string) []tree.Conflict {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.known {
		return nil
	}
	for _, digest := range target {
		if n := find(digest); n != nil && !covered(n, l.spaces) {
			return nil
		}
	}
	var deltas []tree.Delta
	for _, owner := range slices.Sorted(maps.Keys(target)) {
		if at := l.stands[owner]; at != target[owner] {
			deltas = append(deltas, tree.Delta{Owner: owner, Old: find(at), New: find(target[owner])})
		}
	}
	conflicts := l.claims.Apply(deltas...)
	l.claims.Apply(reversed(deltas)...)
	return conflicts
}

// with lets f look at the claims.
func (l *ledger) with(f func(c *tree.Claims)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.claims != nil {
		f(l.claims)
	}
}

// reversed gives the deltas that undo others.
func reversed(deltas []tree.Delta) []tree.Delta {
	out := make([]tree.Delta, len(deltas))
	for i, d := range deltas {
		out[len(deltas)-1-i] = tree.Delta{Owner: d.Owner, Old: d.New, New: d.Old}
	}
	return out
}
