package storetest

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/abide-agent/abide/internal/store"
)

// testModel compares a store with the simplest one that could be right, over
// random commits and listings.
func testModel(t *testing.T, open func(t *testing.T) store.Store) {
	keys := rapid.SampledFrom([]string{"a", "a/1", "a/2", "b", "b/1", "\xff"})
	prefixes := rapid.SampledFrom([]string{"", "a", "a/", "b/", "c"})
	rapid.Check(t, func(rt *rapid.T) {
		s := open(t)
		defer func() { _ = s.Close() }()
		m := model{entries: map[string]store.Entry{}}
		rt.Repeat(map[string]func(*rapid.T){
			"commit": func(rt *rapid.T) {
				ops := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) store.Op {
					op := store.Op{Key: keys.Draw(rt, "key"), Delete: rapid.Bool().Draw(rt, "delete")}
					if !op.Delete {
						op.Value = rapid.SliceOfN(rapid.Byte(), 0, 3).Draw(rt, "value")
					}
					if rapid.IntRange(0, 3).Draw(rt, "conditional") == 0 {
						rev := rapid.SampledFrom([]store.Revision{0, m.rev, m.entries[op.Key].Revision}).Draw(rt, "if")
						op.If = &rev
					}
					return op
				}), 0, 4).Draw(rt, "ops")
				want, ok := m.commit(ops)
				got, err := s.Commit(t.Context(), ops...)
				if ok != (err == nil) || !ok && !errors.Is(err, store.ErrConflict) || ok && got != want {
					rt.Fatalf("Commit gives %d, %v; want %d, %v", got, err, want, ok)
				}
			},
			"list": func(rt *rapid.T) {
				prefix, after := prefixes.Draw(rt, "prefix"), rapid.OneOf(rapid.Just(""), keys).Draw(rt, "after")
				limit := rapid.IntRange(0, 3).Draw(rt, "limit")
				got, rev, err := s.List(t.Context(), prefix, after, limit)
				if err != nil || rev != m.rev {
					rt.Fatalf("List gives revision %d, %v; want %d", rev, err, m.rev)
				}
				if diff := cmp.Diff(m.list(prefix, after, limit), got, cmpopts.EquateEmpty()); diff != "" {
					rt.Fatalf("List(%q, %q, %d), -want +got:\n%s", prefix, after, limit, diff)
				}
			},
		})
	})
}

type model struct {
	entries map[string]store.Entry
	rev     store.Revision
}

func (m *model) commit(ops []store.Op) (store.Revision, bool) {
	for _, op := range ops {
		if op.If != nil && m.entries[op.Key].Revision != *op.If {
			return 0, false
		}
	}
	rev := m.rev
	for _, op := range ops {
		if _, exists := m.entries[op.Key]; op.Delete && !exists {
			continue
		}
		rev = m.rev + 1
		m.entries[op.Key] = store.Entry{Key: op.Key, Value: op.Value, Revision: rev}
		if op.Delete {
			delete(m.entries, op.Key)
		}
	}
	m.rev = rev
	return rev, true
}

func (m *model) list(prefix, after string, limit int) []store.Entry {
	var out []store.Entry
	for _, key := range slices.Sorted(maps.Keys(m.entries)) {
		if strings.HasPrefix(key, prefix) && key > after && (limit == 0 || len(out) < limit) {
			out = append(out, m.entries[key])
		}
	}
	return out
}
