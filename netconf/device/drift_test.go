package device

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDrift changes devices by hand, inside and outside of what is owned.
func TestDrift(t *testing.T) {
	t.Parallel()
	tests := []struct {
		kind   string
		within time.Duration
	}{
		{"persist", time.Second},        // it sends notifications
		{"candidate", 20 * time.Second}, // it stamps its changes
		{"running", 20 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			inTime(t, func(t *testing.T) {
				w := newWorld(t, tt.kind)
				w.must(All, Change{"a", on(users("alice:1", "bob:1"), "d1")})
				time.Sleep(7 * time.Minute)
				gets := w.boxes["d1"].called("get")
				w.boxes["d1"].byHand("<hostname>hand</hostname>" + users("alice:7", "eve:1"))
				time.Sleep(tt.within)
				w.wants("reverted", map[string]string{"d1": "<hostname>hand</hostname>" + users("alice:1", "eve:1", "bob:1")})
				if w.told(DeviceDrift) != 1 || w.told(DeviceRepaired) != 1 {
					t.Errorf("%d events of drift and %d of repair", w.told(DeviceDrift), w.told(DeviceRepaired))
				}
				if gets == 0 {
					t.Error("the device was never read")
				}
				w.quiet("reverted")
			})
		})
	}
}

// TestDriftByPeriod finds what no hint tells.
func TestDriftByPeriod(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "plain")
		w.must(All, Change{"a", on(users("alice:1"), "d1")})
		time.Sleep(time.Minute)
		b := w.boxes["d1"]
		b.mu.Lock()
		b.running = xml("") // without a stamp
		b.mu.Unlock()
		time.Sleep(6 * time.Minute)
		w.wants("period", map[string]string{"d1": users("alice:1")})
	})
}

// TestPolicies leaves alone what the inventory says.
func TestPolicies(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t)
		w.boxes["d1"] = newBox("d1", "persist")
		w.m.Inventory([]Device{{Name: "d1", Confirmed: true, Drift: []Rule{
			{"/system/secret", Ignore}, {"/box:system/users/user/key", Accept}, {"/system/users/user[name='bob']/key", Revert},
		}}})
		const mine = "<hostname>h</hostname><secret>clear</secret>"
		w.must(All, Change{"a", on(mine+users("alice:1", "bob:1"), "d1")})
		time.Sleep(time.Minute)
		w.boxes["d1"].byHand("<hostname>x</hostname><secret>$6$hash</secret>" + users("alice:2", "bob:2"))
		time.Sleep(time.Minute)
		w.wants("policies", map[string]string{"d1": "<hostname>h</hostname><secret>$6$hash</secret>" + users("alice:2", "bob:1")})
		d, err := w.m.Diff(t.Context(), "d1")
		if err != nil || len(d.Drift) != 1 || d.Drift[0].Policy != Accept || d.Drift[0].Have != "2" {
			t.Errorf("the difference is %+v, %v", d, err)
		}
		if s := w.m.State("a"); s.Phase != InSync {
			t.Errorf("the state is %+v", s)
		}
		n := w.told(DeviceDrift)
		time.Sleep(time.Hour)
		if more := w.told(DeviceDrift) - n; more > 0 {
			t.Errorf("what was accepted is told %d times more", more)
		}
		// A new wish goes over what was accepted, an old one doesn't.
		w.must(All, Change{"a", on(mine+users("alice:3", "bob:1"), "d1")})
		w.wants("a new wish", map[string]string{"d1": "<hostname>h</hostname><secret>$6$hash</secret>" + users("alice:3", "bob:1")})
	})
}

// TestFight gives way to somebody who undoes each repair at once.
func TestFight(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist")
		w.must(All, Change{"a", on(users("alice:1"), "d1")})
		b := w.boxes["d1"]
		for range 3600 {
			time.Sleep(time.Second)
			if strings.Contains(b.config(), "<key>1</key>") {
				b.byHand(users("alice:2"))
			}
		}
		if n := w.told(DeviceRepaired); n < 5 || n > 40 {
			t.Errorf("%d repairs in an hour", n)
		}
	})
}

// TestHeld tells of drift in what is held, and puts it right when it no longer is.
func TestHeld(t *testing.T) {
	t.Parallel()
	inTime(t, func(t *testing.T) {
		w := newWorld(t, "persist")
		var held atomic.Bool
		w.restartWith(Config{Held: func(owner string) bool { return owner == "a" && held.Load() }})
		w.must(All, Change{"a", on(users("alice:1"), "d1")})
		held.Store(true)
		w.boxes["d1"].byHand(users("alice:7"))
		time.Sleep(time.Hour)
		w.wants("held", map[string]string{"d1": users("alice:7")})
		if w.told(DeviceDrift) != 1 || w.told(DeviceRepaired) != 0 {
			t.Errorf("%d events of drift and %d of repair", w.told(DeviceDrift), w.told(DeviceRepaired))
		}
		held.Store(false)
		time.Sleep(6 * time.Minute)
		w.wants("no longer held", map[string]string{"d1": users("alice:1")})
	})
}
