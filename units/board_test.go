package units_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/units"
)

func status(load, active string) units.Live {
	return units.Live{Status: units.Status{Load: load, Active: active}}
}

func TestBoard(t *testing.T) {
	t.Parallel()
	b := units.NewBoard()
	for _, name := range []string{"c", "a", "d", "b", "a"} {
		b.Set(name, status("loaded", "active"))
	}
	b.Set("d", status("not-found", "inactive"))
	b.Drop("b")
	b.Drop("never")
	placed := func(after string, limit int) (out string) {
		for _, l := range b.Placed(after, limit) {
			out += l.Status.Name
		}
		return out
	}
	for _, tt := range []struct {
		after string
		limit int
		want  string
	}{{"", 9, "ac"}, {"a", 9, "c"}, {"aa", 1, "c"}, {"", 1, "a"}, {"c", 9, ""}, {"z", 9, ""}} {
		if got := placed(tt.after, tt.limit); got != tt.want {
			t.Errorf("after %q: %q, want %q", tt.after, got, tt.want)
		}
	}
	if b.Live("a").Status.State() != units.Launched || b.Live("never").Status.State() != units.Inactive {
		t.Error("states")
	}
	b.Declare([]units.Declared{{Name: "z", Source: "s"}, {Name: "y"}})
	if d, ok := b.Declared("z"); !ok || d.Source != "s" {
		t.Error(d, ok)
	}
	if _, ok := b.Declared("x"); ok {
		t.Error("x is declared")
	}
	if got := b.DeclaredAfter("y", 5); len(got) != 1 || got[0].Name != "z" {
		t.Error(got)
	}
	down := errors.New("no bus")
	b.SetDown(down)
	if !errors.Is(b.Down(), down) || placed("", 9) != "ac" {
		t.Error("what was known is forgotten")
	}
}

func TestBoardAwait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := units.NewBoard()
		gone := func(l units.Live) bool { return l.Status.State() == units.Inactive }
		if !b.Await(t.Context(), "a", gone) {
			t.Error("what is true already was waited for")
		}
		b.Set("a", status("loaded", "active"))
		go func() {
			time.Sleep(time.Second)
			b.Set("b", status("loaded", "active"))
			time.Sleep(time.Second)
			b.Drop("a")
		}()
		start := time.Now()
		if !b.Await(t.Context(), "a", gone) || time.Since(start) != 2*time.Second {
			t.Errorf("waited %s", time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if b.Await(ctx, "b", gone) {
			t.Error("b is gone")
		}
	})
}

func TestHealth(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		status units.Status
		want   units.State
		health string
	}{
		{units.Status{Load: "loaded", Active: "active"}, units.Launched, units.HealthOK},
		{units.Status{Load: "loaded", Active: "active"}, units.Loaded, units.HealthOther},
		{units.Status{Load: "loaded", Active: "active"}, units.Inactive, units.HealthOther},
		{units.Status{Load: "loaded", Active: "inactive"}, units.Inactive, units.HealthOther},
		{units.Status{Load: "loaded", Active: "inactive"}, units.Loaded, units.HealthOK},
		{units.Status{Load: "loaded", Active: "inactive"}, units.Launched, units.HealthStopped},
		{units.Status{Load: "loaded", Active: "inactive", OneShot: true, Result: "success", Since: time.Unix(1, 0)}, units.Launched, units.HealthOK},
		{units.Status{Load: "loaded", Active: "inactive", Job: "start"}, units.Launched, units.HealthChanging},
		{units.Status{Load: "loaded", Active: "activating"}, units.Launched, units.HealthChanging},
		{units.Status{Load: "loaded", Active: "failed", Result: "exit-code", Exit: 203}, units.Launched, units.HealthFailed},
		{units.Status{Load: "loaded", Active: "failed", Result: "timeout"}, units.Loaded, units.HealthFailed},
		{units.Status{Load: "bad-setting", Active: "inactive"}, units.Launched, units.HealthFailed},
		{units.Status{Load: "loaded", Active: "inactive", Skipped: true}, units.Launched, units.HealthOK},
		{units.Status{Load: "masked", Active: "inactive"}, units.Launched, units.HealthFailed},
		{units.Status{Missing: true}, units.Launched, units.HealthAbsent},
		{units.Status{}, units.Inactive, units.HealthOK},
	} {
		health, reason := tt.status.Health(tt.want)
		if health != tt.health || (reason == "") != (health == units.HealthOK && !tt.status.Skipped || health == units.HealthChanging) {
			t.Errorf("%+v, wanted %s: %s (%s), want %s", tt.status, tt.want, health, reason, tt.health)
		}
	}
}
