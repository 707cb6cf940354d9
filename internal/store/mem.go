package store

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
)

// mem is the store of an agent that keeps no state, and of tests.
type mem struct {
	mu      sync.RWMutex
	keys    []string // sorted
	entries map[string]Entry
	rev     Revision
	closed  bool
	hub     hub
}

// Mem gives an empty [Store] in memory. It does what a [Bolt] does, durability
// aside.
func Mem() Store {
	m := &mem{entries: map[string]Entry{}}
	m.hub.reset(0)
	return m
}

// check is what every call begins with. The caller holds mu.
func (m *mem) check(ctx context.Context) error {
	if m.closed {
		return ErrClosed
	}
	return ctx.Err()
}

func (m *mem) Get(ctx context.Context, key string) (Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx); err != nil {
		return Entry{}, err
	}
	e, ok := m.entries[key]
	if !ok {
		return Entry{}, ErrNotFound
	}
	return clone(e), nil
}

func (m *mem) List(ctx context.Context, prefix, after string, limit int) ([]Entry, Revision, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if err := m.check(ctx); err != nil {
		return nil, 0, err
	}
	var out []Entry
	i, _ := slices.BinarySearch(m.keys, string(firstKey(prefix, after)))
	for _, key := range m.keys[i:] {
		if !strings.HasPrefix(key, prefix) || limit > 0 && len(out) == limit {
			break
		}
		out = append(out, clone(m.entries[key]))
	}
	return out, m.rev, nil
}

func (m *mem) Commit(ctx context.Context, ops ...Op) (Revision, error) {
	if err := checkOps(ops); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(ctx); err != nil {
		return 0, err
	}
	for _, op := range ops {
		if op.If != nil && m.entries[op.Key].Revision != *op.If {
			return 0, conflict(op.Key)
		}
	}
	var changes []Change
	for _, op := range ops {
		if c, ok := m.apply(op, m.rev+1); ok {
			changes = append(changes, c)
		}
	}
	if len(changes) > 0 {
		m.rev++
		m.hub.publish(changes)
	}
	return m.rev, nil
}

// apply carries out one op and says whether it changed anything.
func (m *mem) apply(op Op, rev Revision) (Change, bool) {
	e := clone(Entry{Key: op.Key, Value: op.Value, Revision: rev})
	i, exists := slices.BinarySearch(m.keys, op.Key)
	switch {
	case !op.Delete:
		m.entries[op.Key] = e
		if !exists {
			m.keys = slices.Insert(m.keys, i, op.Key)
		}
	case !exists:
		return Change{}, false
	default:
		e.Value = nil
		delete(m.entries, op.Key)
		m.keys = slices.Delete(m.keys, i, i+1)
	}
	return Change{Entry: e, Deleted: op.Delete}, true
}

func (m *mem) Watch(ctx context.Context, prefix string, from Revision) (<-chan Change, error) {
	return m.hub.watch(ctx, prefix, from)
}

func (m *mem) Close() error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.hub.close()
	return nil
}

func clone(e Entry) Entry {
	e.Value = bytes.Clone(e.Value)
	return e
}
