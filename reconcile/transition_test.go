package reconcile

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func last(digest string, r Result) *Last {
	return &Last{Digest: digest, Result: r, Run: "r0", Reason: "why"}
}

// TestTransitionTable has one entry a row of the design's table.
func TestTransitionTable(t *testing.T) {
	t.Parallel()
	hold := &Hold{By: "uid 0", Reason: "maintenance"}
	soon := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		row  string
		s    Situation
		want Operation
		says string
	}{
		{"want differs from last", Situation{Want: "b", Record: Record{Last: last("a", Succeeded)}}, OpRun, "changed"},
		{"a revert runs again: last counts, not ever seen", Situation{Want: "a", Record: Record{Last: last("b", Succeeded)}}, OpRun, "changed"},
		{"want equals last", Situation{Want: "a", Record: Record{Last: last("a", Succeeded)}}, OpNone, "up to date"},
		{"observed differs", Situation{Want: "a", Observed: "x", Record: Record{Last: last("a", Succeeded)}}, OpRun, "differs"},
		{"failed is final, whatever is observed", Situation{Want: "a", Observed: "x", Record: Record{Last: last("a", Failed)}}, OpNone, "abide retry"},
		{"failed, and well again", Situation{Want: "a", Observed: "a", Record: Record{Last: last("a", Failed)}}, OpRun, "as wanted now"},
		{"failed is final", Situation{Want: "a", Record: Record{Last: last("a", Failed)}}, OpNone, "abide retry"},
		{"cancelled is final", Situation{Want: "a", Record: Record{Last: last("a", Cancelled)}}, OpNone, "cancelled: why; change it, or use `abide retry`"},
		{"skipped is final", Situation{Want: "a", Record: Record{Last: last("a", Skipped)}}, OpNone, "skipped"},
		{"baselined is final", Situation{Want: "a", Record: Record{Last: last("a", Baselined)}}, OpNone, "baselined"},
		{"interrupted runs once more", Situation{Want: "a", Record: Record{Last: last("a", Interrupted)}}, OpRun, "once more"},
		{"retry", Situation{Want: "a", Record: Record{Retry: &Request{By: "uid 0"}}}, OpRun, "uid 0"},
		{"retry of a manual one", Situation{Want: "a", Manual: true, Record: Record{Retry: &Request{By: "uid 0"}}}, OpRun, "uid 0"},
		{"rejected", Situation{Want: "a", Record: Record{Rejected: "a", Last: last("z", Succeeded)}}, OpNone, "rolled back"},
		{"rejected, then changed", Situation{Want: "b", Record: Record{Rejected: "a", Last: last("z", Succeeded)}}, OpRun, "changed"},
		{"held", Situation{Want: "a", Hold: hold}, OpWait, "maintenance"},
		{"held, nothing to do", Situation{Want: "a", Hold: hold, Record: Record{Last: last("a", Succeeded)}}, OpNone, "up to date"},
		{"held, gone", Situation{Gone: true, Hold: hold}, OpWait, "held"},
		{"first sight", Situation{Want: "a"}, OpRun, "new"},
		{"first sight with a baseline", Situation{Want: "a", Baseline: true}, OpAdopt, "--baseline"},
		{"a baseline does not hide a change", Situation{Want: "b", Baseline: true, Record: Record{Last: last("a", Succeeded)}}, OpRun, "changed"},
		{"first sight, manual", Situation{Want: "a", Manual: true}, OpNone, "manual"},
		{"changed, manual", Situation{Want: "b", Manual: true, Record: Record{Last: last("a", Succeeded)}}, OpNone, "manual"},
		{"due, manual", Situation{Want: "b", Manual: true, Due: true, Record: Record{Last: last("a", Succeeded)}}, OpRun, "schedule"},
		{"due, up to date", Situation{Want: "a", Due: true, Record: Record{Last: last("a", Succeeded)}}, OpRun, "schedule"},
		{"due while it runs", Situation{Want: "a", Due: true, Busy: "r1", Record: Record{Last: last("a", Succeeded)}}, OpNone, "skipped"},
		{"due while it runs, and queued", Situation{Want: "a", Due: true, Turns: Turns{Queue: true}, Busy: "r1", Record: Record{Last: last("a", Succeeded)}}, OpWait, "follows run r1"},
		{"due while it runs, and replaced", Situation{Want: "a", Due: true, Turns: Turns{Replace: true}, Busy: "r1", Record: Record{Last: last("a", Succeeded)}}, OpWait, "is ended for this turn"},
		{"due while it runs, replaced, and held", Situation{Want: "a", Due: true, Turns: Turns{Replace: true}, Busy: "r1", Hold: hold, Record: Record{Last: last("a", Succeeded)}}, OpWait, "held"},
		{"explicit", Situation{Want: "a", Explicit: true, Record: Record{Last: last("a", Succeeded)}}, OpRun, "-f"},
		{"broken", Situation{Want: "b", Broken: true, Record: Record{Last: last("a", Succeeded)}}, OpNone, "errors"},
		{"broken, and what is in force drifted", Situation{Want: "b", Broken: true, Restores: true, Observed: "x", Record: Record{Last: last("a", Succeeded)}}, OpRun, "not as it was made"},
		{"broken, and what is in force is well", Situation{Want: "b", Broken: true, Restores: true, Observed: "a", Record: Record{Last: last("a", Succeeded)}}, OpNone, "errors"},
		{"broken, and of a kind that can't go back", Situation{Want: "b", Broken: true, Observed: "x", Record: Record{Last: last("a", Succeeded)}}, OpNone, "errors"},
		{"waits, and what is in force drifted", Situation{Want: "b", Blocked: "it waits", Restores: true, Observed: "x", Record: Record{Last: last("a", Succeeded)}}, OpRun, "not as it was made"},
		{"a repair that waits", Situation{Want: "a", Blocked: "it waits", Restores: true, Observed: "x", Record: Record{Last: last("a", Succeeded)}}, OpWait, "it waits"},
		{"rolled back, and what is in force drifted", Situation{Want: "b", Restores: true, Observed: "x", Record: Record{Rejected: "b", Last: last("a", Succeeded)}}, OpRun, "not as it was made"},
		{"held, and what is in force drifted", Situation{Want: "b", Broken: true, Restores: true, Observed: "x", Hold: hold, Record: Record{Last: last("a", Succeeded)}}, OpWait, "held"},
		{"left", Situation{Gone: true, Record: Record{Source: "s"}}, OpRemove, "no longer in s"},
		{"not for this host any more", Situation{Gone: true, Refused: "its peer left", Record: Record{Source: "s"}}, OpRemove, "its peer left"},
		{"left, with more than half of five", Situation{Gone: true, Guarded: true}, OpWait, "--max-prune"},
		{"busy", Situation{Want: "b", Busy: "r1", Record: Record{Last: last("a", Succeeded)}}, OpWait, "r1"},
		{"waits for another", Situation{Want: "a", Blocked: "it waits for pipeline/x"}, OpWait, "pipeline/x"},
		{"backs off", Situation{Want: "a", Backoff: soon, Trouble: "no engine"}, OpWait, "no engine"},
		{"once, and can't", Situation{Want: "a", Backoff: soon, Trouble: "no engine", Once: true}, OpWait, "new; no engine"},
	} {
		t.Run(tc.row, func(t *testing.T) {
			t.Parallel()
			got, why := Decide(tc.s)
			if got != tc.want || !strings.Contains(why, tc.says) {
				t.Errorf("%s: %s; want %s with %q", got, why, tc.want, tc.says)
			}
		})
	}
}

func TestInterruptedTwiceIsFailed(t *testing.T) {
	t.Parallel()
	r := Record{}.Ended(Last{Digest: "a", Result: Interrupted})
	if r.Last.Result != Interrupted {
		t.Fatalf("first: %s", r.Last.Result)
	}
	if again := r.Ended(Last{Digest: "b", Result: Interrupted}); again.Last.Result != Interrupted {
		t.Errorf("another digest counts anew, got %s", again.Last.Result)
	}
	if r = r.Ended(Last{Digest: "a", Result: Interrupted}); r.Last.Result != Failed || !strings.Contains(r.Last.Reason, "interrupted 2 times") {
		t.Errorf("second: %s %q", r.Last.Result, r.Last.Reason)
	}
}

// TestRecordModel drives a record with random events and holds it against the
// plain words of the table: a run happens exactly when the wish differs from
// what was last attempted, once more after one interruption, and on request.
func TestRecordModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var rec Record
		want, held := "a", false
		// the model
		attempted, interruptions, result, asked, rejected := "", 0, Result(""), false, ""
		t.Repeat(map[string]func(*rapid.T){
			"commit": func(t *rapid.T) { want = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "digest") },
			"hold":   func(*rapid.T) { held = !held },
			"retry": func(*rapid.T) {
				rec = rec.Retried("me", time.Time{})
				attempted, interruptions, result, asked, rejected = "", 0, "", true, ""
			},
			"reject": func(*rapid.T) { rec.Rejected, rejected = want, want },
			"run": func(t *rapid.T) {
				s := Situation{Record: rec, Want: want}
				if held {
					s.Hold = &Hold{By: "x", Reason: "y"}
				}
				op, why := Decide(s)
				todo := asked || (rejected != want && (attempted != want || result == Interrupted))
				switch {
				case todo && held && op != OpWait, todo && !held && op != OpRun, !todo && op != OpNone:
					t.Fatalf("%s (%s) with want %s, attempted %s %s, held %v", op, why, want, attempted, result, held)
				}
				if op != OpRun {
					return
				}
				end := rapid.SampledFrom([]Result{Succeeded, Failed, Cancelled, Skipped, Interrupted}).Draw(t, "end")
				rec = rec.Ended(Last{Digest: want, Result: end})
				if end == Interrupted {
					if attempted != want || result != Interrupted {
						interruptions = 0
					}
					if interruptions++; interruptions == 2 {
						end = Failed
					}
				}
				attempted, result, asked = want, end, false
			},
			"": func(t *rapid.T) {
				if rec.Last == nil && attempted != "" || rec.Last != nil && (rec.Last.Digest != attempted || rec.Last.Result != result) {
					t.Fatalf("record %+v, model %s %s", rec.Last, attempted, result)
				}
			},
		})
	})
}
