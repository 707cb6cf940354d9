package device

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/abide-agent/abide/netconf/tree"
)

// The prefixes of the keys.
const (
	keyDevice   = "device/"
	keyOwner    = "owner/"
	keyDecision = "decision/"
	keyOutput   = "output/"
)

// book is what the Keeper keeps, in memory. Records are replaced and never
// changed, so that a reader needs the lock just to find them. Whoever writes a
// device's record holds the device's turn; owners' wishes and decisions are
// written by whoever applies a change of the owner, one at a time.
type book struct {
	keep Keeper

	mu        sync.Mutex
	records   map[string]Record
	wishes    map[string]wish
	decisions map[string]decision
	outputs   map[string]*tree.Node        // by digest
	wants     map[string]map[string]string // device → owner → digest: the wishes, by device
	added     int                          // bytes of the outputs that came since the last sweep
	late      map[string]Write             // what is true already and is yet to be written
	untidy    chan struct{}                // has room for one: there is something for tidy

	// sweeping is held for writing while outputs are taken away, so that no commit
	// comes to need one of them meanwhile.
	sweeping sync.RWMutex
}

// openBook reads everything.
func openBook(ctx context.Context, keep Keeper) (*book, error) {
	b := &book{
		keep: keep, records: map[string]Record{}, wishes: map[string]wish{}, decisions: map[string]decision{},
		outputs: map[string]*tree.Node{}, wants: map[string]map[string]string{}, late: map[string]Write{}, untidy: make(chan struct{}, 1),
	}
	all, err := keep.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("the records of the devices can't be read: %w", err)
	}
	for _, w := range all {
		if err := b.load(w); err != nil {
			return nil, fmt.Errorf("the record %s is damaged: %w; restore the state from its backup", w.Key, err)
		}
	}
	if err := b.whole(); err != nil {
		return nil, err
	}
	return b, b.sweep(ctx, true)
}

func (b *book) load(w Write) error {
	kind, name, _ := strings.Cut(w.Key, "/")
	switch kind + "/" {
	case keyDevice:
		var r Record
		if err := json.Unmarshal(w.Value, &r); err != nil {
			return err
		}
		b.records[name] = r
	case keyOwner:
		var o wish
		if err := json.Unmarshal(w.Value, &o); err != nil {
			return err
		}
		b.setWish(name, o)
	case keyDecision:
		var d decision
		if err := json.Unmarshal(w.Value, &d); err != nil {
			return err
		}
		b.decisions[name] = d
	case keyOutput:
		n, err := tree.ParseBytes(w.Value)
		if err != nil {
			return err
		}
		b.outputs[name] = n
	}
	return nil
}

// whole says what is missing, if an output is.
func (b *book) whole() error {
	var missing []string
	b.needed(func(digest string) {
		if digest != "" && b.outputs[digest] == nil {
			missing = append(missing, digest)
		}
	})
	if len(missing) > 0 {
		return fmt.Errorf("%d outputs of service instances are missing from the state (%s); restore it from its backup", len(missing), missing[0])
	}
	return nil
}

// needed calls f with the digest of each output that somebody needs.
func (b *book) needed(f func(string)) {
	for _, r := range b.records {
		r.digests(f)
	}
	for _, w := range b.wishes {
		for _, d := range w.Outputs {
			f(d)
		}
	}
}

// sweepAfter is how many bytes of outputs may come before the unneeded ones go:
// every commit backs all of them up.
const sweepAfter = 1 << 20

// notice says that there is something for tidy.
func (b *book) notice() {
	select {
	case b.untidy <- struct{}{}:
	default:
	}
}

// tidy writes what is late and, when enough has come, takes away the outputs
// that nobody needs any more.
func (b *book) tidy(ctx context.Context) error {
	b.mu.Lock()
	sweep, late := b.added >= sweepAfter, len(b.late) > 0
	b.mu.Unlock()
	if !sweep && !late {
		return nil
	}
	return b.sweep(ctx, sweep)
}

func (b *book) sweep(ctx context.Context, outputs bool) error {
	b.sweeping.Lock() // nobody commits meanwhile, so nothing becomes late or needed
	defer b.sweeping.Unlock()
	writes := b.swept(outputs)
	if len(writes) > 0 {
		if err := b.keep.Commit(ctx, writes...); err != nil {
			return fmt.Errorf("the records of the devices can't be written: %w", err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.late)
	if outputs {
		b.added = 0
	}
	for _, w := range writes {
		if digest, ok := strings.CutPrefix(w.Key, keyOutput); ok {
			delete(b.outputs, digest)
		}
	}
	return nil
}

// swept gives what is late and, if asked, the removal of the unneeded outputs.
func (b *book) swept(outputs bool) []Write {
	b.mu.Lock()
	defer b.mu.Unlock()
	var writes []Write
	for _, key := range slices.Sorted(maps.Keys(b.late)) {
		writes = append(writes, b.late[key])
	}
	if !outputs {
		return writes
	}
	used := map[string]bool{}
	b.needed(func(d string) { used[d] = true })
	for d := range b.outputs {
		if !used[d] {
			writes = append(writes, Write{Key: keyOutput + d})
		}
	}
	return writes
}

// setWish replaces a wish and keeps the index by device true.
func (b *book) setWish(owner string, w wish) {
	for device := range b.wishes[owner].Outputs {
		delete(b.wants[device], owner)
	}
	if w.Outputs == nil {
		delete(b.wishes, owner)
		return
	}
	b.wishes[owner] = w
	for device, digest := range w.Outputs {
		if b.wants[device] == nil {
			b.wants[device] = map[string]string{}
		}
		b.wants[device][owner] = digest
	}
}

func (b *book) recordOf(device string) Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.records[device]
}

// wantsOf gives a copy of what is wanted of a device.
func (b *book) wantsOf(device string) map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.wants[device])
}

func (b *book) wishOf(owner string) (wish, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	w, ok := b.wishes[owner]
	return w, ok
}

// tree gives the output of a digest; nil for "".
func (b *book) tree(digest string) *tree.Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.outputs[digest]
}

// treeOr is tree, with outputs that aren't kept yet.
func (b *book) treeOr(outs []output) lookup {
	fresh := make(map[string]*tree.Node, len(outs))
	for _, o := range outs {
		fresh[o.digest] = o.node
	}
	return func(digest string) *tree.Node {
		if n := fresh[digest]; n != nil {
			return n
		}
		return b.tree(digest)
	}
}

// treesOf gives all that is wanted of a device, or may be there.
func (b *book) treesOf(device string) []*tree.Node {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []*tree.Node
	add := func(digest string) {
		if n := b.outputs[digest]; n != nil {
			out = append(out, n)
		}
	}
	b.records[device].digests(add)
	for _, digest := range b.wants[device] {
		add(digest)
	}
	return out
}

func (b *book) decided(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, ok := b.decisions[id]
	return ok
}

// ended gives the decisions that no device's record refers to.
func (b *book) ended() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for id, d := range b.decisions {
		if !slices.ContainsFunc(d.Devices, func(name string) bool { return b.records[name].Push == id }) {
			out = append(out, id)
		}
	}
	return out
}

// owners gives everybody who wants something, or still has something somewhere.
func (b *book) owners() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := map[string]bool{}
	for o := range b.wishes {
		all[o] = true
	}
	for _, r := range b.records {
		for _, o := range r.owners() {
			all[o] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// holders gives the devices on which an owner has something, or may have.
func (b *book) holders(owner string) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for name, r := range b.records {
		if _, held := r.Held[owner]; held || r.Next[owner] != nil {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
