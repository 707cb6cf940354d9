package device

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/netconf/tree"
)

// TestPlanIsWhatIsSent compares the bytes of a plan with those of the edit.
func TestPlanIsWhatIsSent(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist", "running")
		w.boxes["d1"].byHand("<hostname>x</hostname>")
		w.must(All, Change{"a", on(users("alice:1", "bob:1"), "d1", "d2")})
		change := Change{"a", on("<dns>9.9.9.9</dns>"+users("alice:2"), "d1", "d2")}
		other := Change{"c", on(users("carol:1"), "d2")}
		before := map[string]string{"d1": w.boxes["d1"].config(), "d2": w.boxes["d2"].config()}
		plans, err := w.m.Plan(t.Context(), []Change{change, other})
		if err != nil || len(plans) != 2 {
			t.Fatalf("the plans are %+v, %v", plans, err)
		}
		for name, config := range before {
			if w.boxes[name].config() != config {
				t.Errorf("planning changes %s", name)
			}
		}
		w.quiet("planned")
		w.must(All, change, other)
		for _, p := range plans {
			b := w.boxes[p.Device]
			if sent := string(onTheWire(b.edits[len(b.edits)-1])); sent != string(p.XML) {
				t.Errorf("the plan is\n%s\nand what was sent to %s\n%s", p.XML, p.Device, sent)
			}
			if !strings.Contains(p.Diff, "+      <key>2</key>") || !strings.Contains(p.Diff, "--- "+p.Device) {
				t.Errorf("the diff is\n%s", p.Diff)
			}
		}
		want := []tree.Change{
			{Path: "/box:system/dns[.='9.9.9.9']", Op: tree.OpCreate, New: "9.9.9.9", Owners: []string{"a"}},
			{Path: "/box:system/users/user[name='alice']/key", Op: tree.OpSet, Old: "1", New: "2", Owners: []string{"a"}},
			{Path: "/box:system/users/user[name='bob']", Op: tree.OpRemove, Owners: []string{"a"}},
		}
		if diff := cmp.Diff(want, plans[0].Changes); diff != "" {
			t.Error(diff)
		}
		if plans, err := w.m.Plan(t.Context(), []Change{change, other}); err != nil || len(plans) > 0 {
			t.Errorf("when all is done the plans are %+v, %v", plans, err)
		}
	})
}

func TestPlanFails(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist", "persist")
		w.must(All, Change{"a", on(users("alice:1"), "d1", "d2")})
		time.Sleep(time.Second)
		if _, err := w.m.Plan(t.Context(), []Change{{"x", on("", "d1")}, {"b", on(users("alice:2"), "d1", "d2")}}); len(err.(*ConflictError).Conflicts) != 2 {
			t.Errorf("a conflict gives %v", err)
		}
		if _, err := w.m.Plan(t.Context(), []Change{{"b", on(users("bob:2"), "d9")}}); !errors.Is(err, ErrUnknown) {
			t.Errorf("a device that isn't there gives %v", err)
		}
		if got := w.apply(All, Change{"b", on(users("bob:2"), "d9")})["b"]; !errors.Is(got.Err, ErrUnknown) {
			t.Errorf("a device that isn't there gives %v", got.Err)
		}
		w.boxes["d2"].setDown(true)
		time.Sleep(time.Minute)
		plans, err := w.m.Plan(t.Context(), []Change{{"b", on(users("bob:2"), "d1", "d2")}})
		if err != nil || len(plans) != 2 || plans[0].Err != nil || plans[1].Err == nil {
			t.Errorf("a device that is down gives %+v, %v", plans, err)
		}
		if w.m.Devices()[1].Connected || w.m.Devices()[1].Error == "" {
			t.Errorf("its status is %+v", w.m.Devices()[1])
		}
	})
}

func TestQueries(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "candidate")
		w.must(All, Change{"a", on(users("alice:1", "bob:1"), "d1")}, Change{"b", on(users("bob:1"), "d1")})
		owned, err := w.m.Owners("d1", "/box:system/users/user[name='bob']")
		want := []tree.Owned{
			{Path: "/box:system/users/user[name='bob']", Owners: []string{"a", "b"}},
			{Path: "/box:system/users/user[name='bob']/key", Value: "1", Owners: []string{"a", "b"}},
		}
		if diff := cmp.Diff(want, owned); diff != "" || err != nil {
			t.Error(diff, err)
		}
		if got := w.m.Others("d1", "a"); !tree.Equal(got, xml(users("bob:1"))) {
			t.Errorf("without a: %s", got.AppendXML(nil))
		}
		if _, err := w.m.Owners("d2", "/"); !errors.Is(err, ErrUnknown) {
			t.Errorf("a device that isn't there gives %v", err)
		}
		time.Sleep(time.Second) // the look after connecting is over
		w.boxes["d1"].byHand(users("bob:2"))
		d, err := w.m.Diff(t.Context(), "d1")
		if err != nil || len(d.Drift) != 2 || !strings.Contains(d.Diff, "<key>2</key>") {
			t.Errorf("the difference is %+v, %v", d, err)
		}
		if s := w.m.State("b"); s.Phase != Drifted {
			t.Errorf("the state is %+v", s)
		}
		if err := w.m.Sync(t.Context(), "d1"); err != nil {
			t.Error(err)
		}
		w.wants("sync", map[string]string{"d1": users("bob:1", "alice:1")})
		if config, err := w.m.Read(t.Context(), "d1", false); err != nil || string(config.AppendXML(nil)) != w.boxes["d1"].config() {
			t.Errorf("reading gives %v", err)
		}
		if s := w.m.Devices()[0]; !cmp.Equal(s.Holds, []string{"a", "b"}) || !s.Connected || s.Unsettled {
			t.Errorf("the status is %+v", s)
		}
	})
}
