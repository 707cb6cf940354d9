package units_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

// memory is a keeper that is as durable as the test.
type memory struct {
	mu    sync.Mutex
	kept  map[string][]byte
	fail  error
	saves atomic.Int32
	gate  chan struct{} // when not nil, a save waits for it
}

func (m *memory) Load(context.Context) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.kept), m.fail
}

func (m *memory) Save(ctx context.Context, writes map[string][]byte) error {
	m.saves.Add(1)
	if m.gate != nil {
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	for k, v := range writes {
		if m.kept[k] = v; v == nil {
			delete(m.kept, k)
		}
	}
	return nil
}

func open(t testing.TB, keeper units.Keeper, changed func()) *units.Registry {
	t.Helper()
	r, faults, err := units.OpenRegistry(t.Context(), units.RegistryOptions{Keeper: keeper, Changed: changed})
	if err != nil || len(faults) > 0 {
		t.Fatal(err, faults)
	}
	return r
}

func TestRegistry(t *testing.T) {
	t.Parallel()
	keeper := &memory{}
	hints := 0
	r := open(t, keeper, func() { hints++ })
	ctx := t.Context()
	put := func(name string, desired units.State, lines ...string) *units.Stored {
		t.Helper()
		s, err := r.Put(ctx, name, opts(lines...), desired)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := put("b.service", units.Launched, "Service ExecStart=/bin/a", "Service #A=x")
	if first.Hash != units.Hash(opts("Service ExecStart=/bin/a")) || len(first.Options) != 1 || !strings.Contains(first.Text, "#A=x") {
		t.Errorf("%+v", first)
	}
	put("a.service", units.Inactive, "Service A=1")
	put("c.service", units.Inactive, "Service A=1")
	revision := r.Tree().Revision()
	if again := put("b.service", units.Launched, "Service ExecStart=/bin/a", "Service #A=x"); again != first || hints != 3 || keeper.saves.Load() != 3 {
		t.Errorf("the same again: %d hints, %d saves", hints, keeper.saves.Load())
	}
	if s, err := r.SetDesired(ctx, "b.service", units.Loaded); err != nil || s.Desired != units.Loaded || s.Hash != first.Hash || first.Desired != units.Launched {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := r.SetDesired(ctx, "no.service", units.Loaded); !errors.Is(err, units.ErrNoUnit) {
		t.Error(err)
	}
	if err := r.Delete(ctx, "c.service"); err != nil {
		t.Error(err)
	}
	if err := r.Delete(ctx, "c.service"); !errors.Is(err, units.ErrNoUnit) {
		t.Error(err)
	}
	names := func(list []*units.Stored) (out []string) {
		for _, s := range list {
			out = append(out, s.Name)
		}
		return out
	}
	if diff := cmp.Diff([]string{"a.service", "b.service"}, names(r.After("", 9))); diff != "" {
		t.Error(diff)
	}
	if got := names(r.After("a.service", 1)); len(got) != 1 || got[0] != "b.service" {
		t.Error(got)
	}
	if got := r.After("aa", 1); len(got) != 1 || got[0].Name != "b.service" {
		t.Error(names(got))
	}
	if r.Tree().Revision() == revision || hints != 5 {
		t.Errorf("%d hints", hints)
	}

	// Another life: all is there again.
	again := open(t, keeper, nil)
	if diff := cmp.Diff(r.After("", 9), again.After("", 9)); diff != "" {
		t.Error(diff)
	}
	if again.Tree().Revision() != r.Tree().Revision() {
		t.Error("the revision is another after a restart")
	}
}

func TestRegistryFailures(t *testing.T) {
	t.Parallel()
	keeper := &memory{kept: map[string][]byte{
		"unit/ok.service":   []byte(`{"text":"[Service]\nA=b\n","desired":"launched"}`),
		"unit/json.service": []byte(`{`), "unit/text.service": []byte(`{"text":"[x","desired":"launched"}`),
		"unit/state.service": []byte(`{"text":"","desired":"bogus"}`), "other": nil, "machine/m": []byte("[]"),
	}}
	r, faults, err := units.OpenRegistry(t.Context(), units.RegistryOptions{Keeper: keeper})
	if err != nil || len(faults) != 5 || len(r.After("", 9)) != 1 {
		t.Fatal(err, faults)
	}
	keeper.fail = errors.New("disk full")
	if _, err := r.Put(t.Context(), "new.service", opts("A b=c"), units.Launched); !errors.Is(err, units.ErrNotKept) || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "ok.service"); !errors.Is(err, units.ErrNotKept) {
		t.Error(err)
	}
	if err := r.PatchMetadata(t.Context(), []units.MetadataOp{{Machine: "m", Key: "a", Value: "b"}}); !errors.Is(err, units.ErrNotKept) {
		t.Error(err)
	}
	if _, ok := r.Get("new.service"); ok || len(r.After("", 9)) != 1 || len(r.Metadata(units.Machine{ID: "m"})) != 0 {
		t.Error("something changed all the same")
	}
	if _, _, err := units.OpenRegistry(t.Context(), units.RegistryOptions{Keeper: keeper}); err == nil {
		t.Error("a registry that can't be read was opened")
	}
	keeper.fail = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the caller is gone; what was begun is finished
	if _, err := r.Put(ctx, "new.service", opts("A b=c"), units.Launched); err != nil {
		t.Error(err)
	}
}

// TestRegistryTurns checks that changes of one unit wait for each other and those
// of others don't.
func TestRegistryTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := &memory{}
		r := open(t, keeper, nil)
		keeper.gate = make(chan struct{})
		for range 2 {
			go r.Put(t.Context(), "a.service", opts("A b=c"), units.Loaded)
		}
		go r.Put(t.Context(), "b.service", opts("A b=c"), units.Loaded)
		synctest.Wait()
		if n := keeper.saves.Load(); n != 2 {
			t.Errorf("%d saves at a time, want one for each unit", n)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.SetDesired(ctx, "a.service", units.Launched); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		close(keeper.gate)
		synctest.Wait()
		if n := keeper.saves.Load(); n != 2 {
			t.Errorf("%d saves, but the second of a.service had nothing to do", n)
		}
	})
}

func TestRegistryFull(t *testing.T) {
	t.Parallel()
	kept := map[string][]byte{}
	for i := range units.MaxUnits - 1 {
		kept[fmt.Sprintf("unit/u%d.service", i)] = []byte(`{"text":"[A]\nb=c\n","desired":"inactive"}`)
	}
	keeper := &memory{kept: kept}
	r := open(t, keeper, nil)
	keeper.fail = errors.New("disk full")
	if _, err := r.Put(t.Context(), "x.service", opts("A b=c"), units.Inactive); !errors.Is(err, units.ErrNotKept) {
		t.Error(err)
	}
	keeper.fail = nil
	for i, want := range []error{nil, units.ErrFull} {
		if _, err := r.Put(t.Context(), fmt.Sprintf("x%d.service", i), opts("A b=c"), units.Inactive); !errors.Is(err, want) {
			t.Error(err)
		}
	}
	if _, err := r.Put(t.Context(), "x0.service", opts("A b=d"), units.Inactive); err != nil {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "x0.service"); err != nil {
		t.Error(err)
	}
	if _, err := r.Put(t.Context(), "x1.service", opts("A b=c"), units.Inactive); err != nil {
		t.Error(err)
	}
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	keeper := &memory{}
	r := open(t, keeper, nil)
	m := units.Machine{ID: "m", Metadata: map[string]string{"disk": "ssd", "region": "eu"}}
	for range 2 {
		if err := r.PatchMetadata(t.Context(), []units.MetadataOp{
			{"m", "rack", "7"}, {"m", "disk", ""}, {"m", "rack", "8"}, {"other", "rack", "9"},
		}); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"region": "eu", "rack": "8"}
		if diff := cmp.Diff(want, r.Metadata(m)); diff != "" {
			t.Error(diff)
		}
		r = open(t, keeper, nil)
	}
	if m.Metadata["disk"] != "ssd" {
		t.Error("the configured metadata was changed")
	}
	if err := r.PatchMetadata(t.Context(), nil); err != nil {
		t.Error(err)
	}
	var many []units.MetadataOp
	for i := range 1100 {
		many = append(many, units.MetadataOp{Machine: "m", Key: fmt.Sprint(i), Value: "x"})
	}
	if err := r.PatchMetadata(t.Context(), many); !errors.Is(err, units.ErrTooMuchMetadata) {
		t.Error(err)
	}
	for i := range many {
		many[i].Machine = fmt.Sprint(i)
	}
	if err := r.PatchMetadata(t.Context(), many); !errors.Is(err, units.ErrTooMuchMetadata) {
		t.Error(err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	r := open(t, &memory{}, nil)
	empty := r.Tree()
	for _, name := range []string{"b@1.service", "a.service", "c.timer"} {
		if _, err := r.Put(t.Context(), name, opts("Service A="+name), units.Loaded); err != nil {
			t.Fatal(err)
		}
	}
	tree := r.Tree()
	if err := fstest.TestFS(tree, "units/a.service", "units/b@1.service", "units/c.timer"); err != nil {
		t.Error(err)
	}
	if err := r.Delete(t.Context(), "a.service"); err != nil {
		t.Fatal(err)
	}
	if text, err := fs.ReadFile(tree, "units/a.service"); err != nil || string(text) != "[Service]\nA=a.service\n" {
		t.Errorf("a tree changed under its reader: %q %v", text, err)
	}
	if s, ok := tree.Desired("a.service"); !ok || s != units.Loaded || tree.Len() != 3 || empty.Len() != 0 {
		t.Error(s, ok)
	}
	if _, ok := r.Tree().Desired("a.service"); ok {
		t.Error("a unit that was deleted is there")
	}
	file, err1 := tree.Hash("units/a.service")
	dir, err2 := tree.Hash("units")
	if err1 != nil || err2 != nil || file == dir || dir != tree.Revision() {
		t.Error(file, dir, err1, err2)
	}
	for _, bad := range []string{"a.service", "units/x.service", "../units", "units/a.service/x"} {
		if _, err := tree.Open(bad); err == nil {
			t.Errorf("%s was opened", bad)
		}
	}
	if _, err := r.Put(t.Context(), `a\x2db.service`, opts("A b=c"), units.Loaded); err != nil {
		t.Fatal(err)
	}
	if text, err := r.Tree().ReadFile(`units/a\x2db.service`); err != nil || len(text) == 0 {
		t.Errorf("%q %v", text, err)
	}
	if _, err := tree.ReadLink("units/a.service"); !errors.Is(err, fs.ErrInvalid) {
		t.Error(err)
	}
}
