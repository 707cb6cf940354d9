package reconcile

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/store"
)

// gates is the number of locks under which entries that the agent also holds in
// memory are written. Two writers of one entry take turns and each writes what
// memory holds when its turn comes: one that a full disk kept waiting would
// else put an old state over a newer one.
const gates = 64

// commit writes to the store and goes on trying while it refuses: what the
// agent decided must not be lost to a full disk, and a full disk must not end
// the agent. It gives up only with ctx, and after a last try when the agent has
// to end: what is not recorded then, the next start finds out by itself.
//
// Of records, claims and holds it writes what memory holds at that moment.
func (a *Agent) commit(ctx context.Context, ops ...store.Op) error {
	if len(ops) == 0 {
		return nil
	}
	leave, err := a.enter(ctx, ops)
	if err != nil {
		return err
	}
	defer leave()
	ending := a.ctx.Done()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		_, err := a.Store.Commit(ctx, a.present(ops)...)
		if err == nil || ctx.Err() == nil { // who no longer waits has nothing to say about the store
			a.degrade("store", err)
		}
		if err == nil || errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrConflict) {
			return err
		}
		if ending == nil {
			return unwritten(err)
		}
		select {
		case <-ctx.Done():
			return unwritten(err)
		case <-ending:
			ending = nil
		case <-time.After(wait):
		}
	}
}

func unwritten(err error) error { return fmt.Errorf("the state could not be written: %w", err) }

// request makes durable what somebody asked for and waits for. A caller that
// goes away meanwhile changes nothing.
func (a *Agent) request(ctx context.Context, ops ...store.Op) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	if err := a.commit(ctx, ops...); err != nil {
		return fmt.Errorf("nothing was changed: %w: %w", ErrUnavailable, err)
	}
	return nil
}

// enter takes the locks of the entries that ops write, always in the same
// order, and gives the function that frees them.
func (a *Agent) enter(ctx context.Context, ops []store.Op) (leave func(), err error) {
	var wanted [gates]bool
	for _, op := range ops {
		if _, _, ours := cutKey(op.Key); ours {
			h := fnv.New32a()
			_, _ = h.Write([]byte(op.Key))
			wanted[h.Sum32()%gates] = true
		}
	}
	var held []chan struct{}
	leave = func() {
		for _, gate := range held {
			<-gate
		}
	}
	for i, want := range wanted {
		if !want {
			continue
		}
		select {
		case a.gates[i] <- struct{}{}:
			held = append(held, a.gates[i])
		case <-ctx.Done():
			leave()
			return nil, unwritten(context.Cause(ctx))
		}
	}
	return leave, nil
}

// present gives ops with what memory holds now.
func (a *Agent) present(ops []store.Op) []store.Op {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := make([]store.Op, len(ops))
	for i, op := range ops {
		prefix, name, _ := cutKey(op.Key)
		switch prefix {
		case keyRecord:
			op = presentOp(op.Key, a.records, name)
		case keyClaim:
			op = presentOp(op.Key, a.claims, name)
		case keyHold:
			op = presentOp(op.Key, a.holds, name)
		case keyPin:
			op = presentOp(op.Key, a.pins, name)
		}
		out[i] = op
	}
	return out
}

func presentOp[T any](key string, memory map[string]T, name string) store.Op {
	if v, ok := memory[name]; ok {
		return store.Put(key, encode(v))
	}
	return store.Delete(key)
}

// cutKey splits the key of an entry that memory holds, too.
func cutKey(key string) (prefix, name string, ours bool) {
	for _, prefix := range []string{keyRecord, keyClaim, keyHold, keyPin} {
		if name, ok := strings.CutPrefix(key, prefix); ok {
			return prefix, name, true
		}
	}
	return "", "", false
}
