package device

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/abide-agent/abide/netconf/tree"
)

// entry is one commit in the making: what is put into it becomes true, durably
// and all at once.
type entry struct {
	b       *book
	writes  []Write
	then    []func() // with b.mu held, once it is true
	outputs []output
}

// output is a tree that is to be kept.
type output struct {
	digest string
	node   *tree.Node
	xml    []byte
}

// newOutput gives a tree with its digest.
func newOutput(n *tree.Node) output {
	xml := n.AppendXML(nil)
	sum := sha256.Sum256(xml)
	return output{hex.EncodeToString(sum[:]), n, xml}
}

func (b *book) entry() *entry { return &entry{b: b} }

func (e *entry) put(key string, value []byte, then func()) {
	e.writes, e.then = append(e.writes, Write{Key: key, Value: value}), append(e.then, then)
}

// record puts a device's record.
func (e *entry) record(name string, r Record) {
	if r.empty() {
		e.put(keyDevice+name, nil, func() { delete(e.b.records, name) })
		return
	}
	e.put(keyDevice+name, encode(r), func() { e.b.records[name] = r })
}

// wish puts what an owner wants; nil outputs: nothing any more.
func (e *entry) wish(owner string, w wish) {
	var value []byte
	if w.Outputs != nil {
		value = encode(w)
	}
	e.put(keyOwner+owner, value, func() { e.b.setWish(owner, w) })
}

// decide puts a decision; nil takes it away.
func (e *entry) decide(id string, d *decision) {
	if d == nil {
		e.put(keyDecision+id, nil, func() { delete(e.b.decisions, id) })
		return
	}
	e.put(keyDecision+id, encode(*d), func() { e.b.decisions[id] = *d })
}

// commit makes the entry true. Nothing has changed when it gives an error.
func (e *entry) commit(ctx context.Context) error {
	b := e.b
	b.sweeping.RLock()
	defer b.sweeping.RUnlock()
	writes := e.fresh()
	writes = append(writes, e.writes...)
	if len(writes) == 0 {
		return nil
	}
	if err := b.keep.Commit(ctx, writes...); err != nil {
		return fmt.Errorf("the record can't be written, so that nothing may be done: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range e.writes {
		delete(b.late, w.Key)
	}
	e.enact()
	return nil
}

// later makes the entry true and leaves writing it to [book.tidy], for what a
// crash may undo without harm.
func (e *entry) later() {
	b := e.b
	b.sweeping.RLock()
	defer b.sweeping.RUnlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, w := range e.writes {
		b.late[w.Key] = w
	}
	e.enact()
	b.notice()
}

// fresh gives the writes of the outputs that are not kept yet.
func (e *entry) fresh() []Write {
	e.b.mu.Lock()
	defer e.b.mu.Unlock()
	var out []Write
	for _, o := range e.outputs {
		if e.b.outputs[o.digest] == nil {
			out = append(out, Write{Key: keyOutput + o.digest, Value: o.xml})
		}
	}
	return out
}

func (e *entry) enact() {
	for _, o := range e.outputs {
		if e.b.outputs[o.digest] == nil {
			e.b.outputs[o.digest] = o.node
			if e.b.added += len(o.xml); e.b.added >= sweepAfter {
				e.b.notice()
			}
		}
	}
	for _, f := range e.then {
		f()
	}
}
