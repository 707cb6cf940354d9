package device

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLife(t *testing.T) {
	t.Parallel()
	for kind := range kinds {
		for _, mode := range []Mode{All, PerDevice} {
			t.Run(kind+" "+string(mode), func(t *testing.T) {
				t.Parallel()
				inTime(t, func(t *testing.T) {
					w := newWorld(t, kind, kind)
					w.must(mode, Change{"a", on(users("alice:1", "bob:2"), "d1", "d2")})
					w.wants("created", same(users("alice:1", "bob:2"), "d1", "d2"))
					w.must(mode, Change{"a", on(users("alice:9", "bob:2"), "d1", "d2")})
					w.wants("changed", same(users("alice:9", "bob:2"), "d1", "d2"))
					w.must(mode, Change{"a", on(users("alice:9"), "d2")})
					w.wants("moved", map[string]string{"d1": "", "d2": users("alice:9")})
					w.quiet("moved")
					time.Sleep(time.Second)
					before := w.boxes["d2"].all()
					w.must(mode, Change{"a", on(users("alice:9"), "d2")})
					if after := w.boxes["d2"].all(); len(after) != len(before) {
						t.Errorf("what is the case already costs %v", after[len(before):])
					}
					w.must(mode, Change{"a", nil})
					w.wants("gone", same("", "d1", "d2"))
					w.quiet("gone")
					if got := w.m.Instances(); len(got) > 0 {
						t.Errorf("%v are left", got)
					}
					if w.m.State("a").Phase != Absent {
						t.Errorf("the state is %+v", w.m.State("a"))
					}
				})
			})
		}
	}
}

// TestShared is the first row of what the controller gets wrong: one of two
// owners of an object goes, and the object stays.
func TestShared(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist", "running")
		w.must(All, Change{"ops", on(users("eric:1", "alice:1"), "d1", "d2")}, Change{"devs", on(users("kim:1", "alice:1"), "d1", "d2")})
		w.must(All, Change{"ops", nil})
		w.wants("ops gone", same(users("alice:1", "kim:1"), "d1", "d2"))
		w.must(All, Change{"devs", nil})
		w.wants("both gone", same("", "d1", "d2"))
	})
}

// TestFoundThere keeps what was on the device before any owner.
func TestFoundThere(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist")
		const before = "<hostname>edge</hostname><users><user><name>root</name><key>0</key></user><user><name>alice</name><key>hand</key></user></users>"
		w.boxes["d1"].byHand(before)
		w.must(All, Change{"a", on(users("alice:1", "bob:1"), "d1")})
		w.restart()
		w.must(All, Change{"a", nil})
		w.wants("gone", map[string]string{"d1": before})
	})
}

func TestConflict(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		for _, mode := range []Mode{All, PerDevice} {
			w := newWorld(t, "persist", "persist")
			w.must(mode, Change{"ops", on(users("alice:1"), "d1")})
			edits := len(w.boxes["d1"].edits) + len(w.boxes["d2"].edits)
			got := w.apply(mode, Change{"devs", on(users("alice:2"), "d1", "d2")}, Change{"other", on(users("zoe:1"), "d1")})
			conflict, ok := errors.AsType[*ConflictError](got["devs"].Err)
			if !ok {
				t.Fatalf("%s: devs gives %v", mode, got["devs"])
			}
			want := []Conflict{{"d1", "/box:system/users/user[name='alice']/key", [2]string{"devs", "ops"}, [2]string{"2", "1"}}}
			if diff := cmp.Diff(want, conflict.Conflicts); diff != "" {
				t.Error(diff)
			}
			if got["other"].Err != nil {
				t.Errorf("another instance fails too: %v", got["other"].Err)
			}
			if n := len(w.boxes["d1"].edits) + len(w.boxes["d2"].edits); n != edits+1 {
				t.Errorf("%s: %d edits were sent, want the other instance's", mode, n-edits)
			}
			w.wants("conflict", map[string]string{"d1": users("alice:1", "zoe:1"), "d2": ""})
			w.quiet("conflict")
		}
	})
}
