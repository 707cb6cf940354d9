package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	lost := func(err error) bool {
		l, ok := errors.AsType[*netconf.LostError](err)
		return ok && l.Sent
	}
	for _, tt := range []struct {
		fault string
		check func(error) bool // of the commit
		after string           // running
		over  bool             // the session
	}{
		{"commit=refuse", func(err error) bool { return netconf.HasTag(err, "operation-failed") }, "", false},
		{"any=refuse*2", func(err error) bool { return netconf.HasTag(err, "operation-failed") }, "", false},
		{"commit=cut", lost, "", true},
		{"commit=lose", lost, hostname("h"), true},
		{"commit=hang", func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }, "", false},
		{"commit=slow:2s", func(err error) bool { return err == nil }, hostname("h"), false},
		{"commit=garbage", func(err error) bool { return err != nil && strings.Contains(err.Error(), "no NETCONF message") }, "", true},
		{"commit=nothing", func(err error) bool { return err == nil }, "", false},
		{"commit=rewrite:/openconfig-system:system/config/hostname=other", func(err error) bool { return err == nil }, hostname("other"), false},
		{"commit=rewrite:/system/config/login-banner=x", func(err error) bool { return err == nil }, hostname("h"), false},
		{"lock=refuse", func(err error) bool { return err == nil }, hostname("h"), false},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := device(t, sim.Options{})
				s := open(t, d)
				f, err := sim.ParseFault(tt.fault)
				must(t, err, s.EditConfig(t.Context(), merge, parse(t, hostname("h"))))
				d.Fail(f)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if err := s.Commit(ctx, netconf.CommitOptions{}); !tt.check(err) {
					t.Errorf("the commit gave %v", err)
				}
				has(t, d.Config(), tt.after)
				d.Heal()
				if tt.over {
					<-s.Done()
					s = open(t, d)
				}
				// All is well again.
				must(t, s.Discard(t.Context()), s.EditConfig(t.Context(), merge, parse(t, hostname("well"))), s.Commit(t.Context(), netconf.CommitOptions{}))
				has(t, d.Config(), hostname("well"))
			})
		})
	}
}

func TestFaultsAreCounted(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	s := open(t, d)
	d.Fail(sim.Fault{Op: "commit", Kind: sim.Refuse, Times: 2})
	d.Fail(sim.Fault{Kind: sim.Refuse, Op: "unlock", Times: -1})
	var got []bool
	for range 3 {
		got = append(got, s.Commit(t.Context(), netconf.CommitOptions{}) == nil, netconf.HasTag(s.Unlock(t.Context(), netconf.Running), "operation-failed"))
	}
	if want := []bool{false, true, false, true, true, true}; !equal(got, want) {
		t.Errorf("the commits and unlocks were %v", got)
	}
	if n := d.Counts()["commit"]; n != 3 {
		t.Errorf("%d commits were counted", n)
	}
}

func equal(a, b []bool) bool {
	for i := range b {
		if len(a) != len(b) || a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestParseFault(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"commit":                "can't be read",
		"=refuse":               "can't be read",
		"commit=explode":        "no fault \"explode\"",
		"commit=refuse*0":       "can't be read",
		"commit=refuse*x":       "can't be read",
		"commit=refuse:now":     "can't be read",
		"commit=slow:soon":      "can't be read",
		"commit=rewrite":        "needs PATH=VALUE",
		"commit=rewrite:=x":     "needs PATH=VALUE",
		"commit=rewrite:x=":     "begins at the root",
		"edit-config=lose*7":    "",
		"any=hang*always":       "",
		"commit=slow":           "",
		"commit=rewrite:/a/b=c": "",
	} {
		if _, err := sim.ParseFault(text); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %v, want %q", text, err, want)
		}
	}
}
