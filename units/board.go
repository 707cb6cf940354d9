package units

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Declared is a unit that a source other than the registry declares: it can be
// read through the API and not be changed there.
type Declared struct {
	Name    string
	Options []Option // as fleet reads its file
	Desired State
	Source  string // the name of the source
	File    string // where in the source
}

// Live is what is known of a unit at present: the engine's word, and what abide
// makes of it.
type Live struct {
	Status Status
	// Hash is fleet's hash of what is placed now, when that isn't what is wanted.
	Hash string
	// Health is one word, and Reason the sentence behind it when the unit is not
	// well. Without them [Status.Health] tells.
	Health, Reason string
	Since          time.Time // of Health; of the active state when zero
	Ignored        []string  // directives without effect in this engine, as "Section/Name"
	Drift          string    // how it differs from what was placed; empty: not at all
	// Busy says that abide is at work on it or is about to be, so that what is
	// seen is not yet what it comes to.
	Busy bool
}

// Board is where the loop pins what is known of every unit, and where the API
// reads it: always from memory, never by asking an engine. All methods are safe
// for concurrent use.
type Board struct {
	mu       sync.RWMutex
	live     map[string]Live
	names    []string // of live, in order
	declared []Declared
	down     error
	changed  chan struct{} // closed at the next change
}

// NewBoard gives an empty board.
func NewBoard() *Board {
	return &Board{live: map[string]Live{}, changed: make(chan struct{})}
}

// Set says what is known of a unit.
func (b *Board) Set(name string, l Live) {
	b.update(func() {
		if i, found := slices.BinarySearch(b.names, name); !found {
			b.names = slices.Insert(b.names, i, name)
		}
		b.live[name] = l
	})
}

// Drop says that nothing is known of a unit any more: it is gone.
func (b *Board) Drop(name string) {
	b.update(func() {
		if i, found := slices.BinarySearch(b.names, name); found {
			b.names = slices.Delete(b.names, i, i+1)
			delete(b.live, name)
		}
	})
}

// Declare says which units sources other than the registry declare, all of them.
func (b *Board) Declare(list []Declared) {
	list = slices.SortedFunc(slices.Values(list), func(a, b Declared) int { return strings.Compare(a.Name, b.Name) })
	b.update(func() { b.declared = list })
}

// SetDown says why the engine can't be asked, or with nil that it can be again.
// What is known stays, as the last that was known.
func (b *Board) SetDown(err error) { b.update(func() { b.down = err }) }

func (b *Board) update(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	close(b.changed)
	b.changed = make(chan struct{})
}

// Down gives what was said with SetDown.
func (b *Board) Down() error {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.down
}

// Live gives what is known of a unit; nothing known is what is not there.
func (b *Board) Live(name string) Live {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.live[name]
}

// Placed gives what is known of at most limit units that stand on this machine,
// whose names follow after, in their order.
func (b *Board) Placed(after string, limit int) []Live {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []Live
	i, found := slices.BinarySearch(b.names, after)
	if found {
		i++
	}
	for ; i < len(b.names) && len(out) < limit; i++ {
		if l := b.live[b.names[i]]; l.Status.State() != Inactive {
			l.Status.Name = b.names[i]
			out = append(out, l)
		}
	}
	return out
}

// Declared gives a unit that a source other than the registry declares.
func (b *Board) Declared(name string) (Declared, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	i, found := b.search(name)
	if !found {
		return Declared{}, false
	}
	return b.declared[i], true
}

// DeclaredAfter gives at most limit of those whose names follow after.
func (b *Board) DeclaredAfter(after string, limit int) []Declared {
	b.mu.RLock()
	defer b.mu.RUnlock()
	i, found := b.search(after)
	if found {
		i++
	}
	return slices.Clone(b.declared[i:min(i+limit, len(b.declared))])
}

func (b *Board) search(name string) (int, bool) {
	return slices.BinarySearchFunc(b.declared, name, func(d Declared, name string) int { return strings.Compare(d.Name, name) })
}

// Await returns when until is true of a unit, or when ctx ends; it says which.
func (b *Board) Await(ctx context.Context, name string, until func(Live) bool) bool {
	for {
		b.mu.RLock()
		l, changed := b.live[name], b.changed
		b.mu.RUnlock()
		if until(l) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
