package runner

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestScheduleLibraryFaults has one case for each fault of the cron library.
func TestScheduleLibraryFaults(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		expr, zone string
		want       string // the turns of a span, or the error
	}{
		"an hour that is left out skips no day":        {"30 2 * * *", "Europe/Berlin", "2026-03-28T02:30 2026-03-29T03:00 2026-03-30T02:30"},
		"TZ=0 alone panics":                            {"TZ=0", "", "the schedule can't name its time zone; give it as 'timezone:' beside 'schedule:'"},
		"TZ= with a bad zone":                          {"TZ=", "", "the schedule can't name its time zone; give it as 'timezone:' beside 'schedule:'"},
		"a date that no year has":                      {"0 0 31 2 *", "", "the schedule '0 0 31 2 *' never comes due; check its day and month, since no year has that date"},
		"@every 0s becomes one second":                 {"@every 0s", "", "'@every 0s' must give a duration of whole seconds, at least one; write it as '@every 90s' or '@every 1h30m'"},
		"Sunday is no 7":                               {"0 12 * * 7", "Europe/Berlin", "2026-03-29T12:00"},
		"a time after the hour that is left out stays": {"30 3 * * *", "Europe/Berlin", "2026-03-28T03:30 2026-03-29T03:30 2026-03-30T03:30"},
	} {
		got := ""
		s, err := ParseSchedule(tc.expr, tc.zone)
		if err != nil {
			got = err.Error()
		} else {
			end := at(t, tc.zone, "2026-03-31 00:00:00")
			for due := s.Next(at(t, tc.zone, "2026-03-28 00:00:00")); due.Before(end); due = s.Next(due) {
				got += " " + due.Format("2006-01-02T15:04")
			}
			got = got[1:]
		}
		if got != tc.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	s, err := ParseSchedule("30 2 * * *", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	first := s.Next(at(t, "Europe/Berlin", "2026-10-25 00:00:00"))
	if next := s.Next(first); next.Sub(first) != 25*time.Hour {
		t.Errorf("an hour that comes twice: after %s comes %s", first, next)
	}
}

// TestScheduleCounts holds a year of schedules that are for every hour against a
// walk over its minutes.
func TestScheduleCounts(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} {
		loc, err := location(zone)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := time.Date(2026, 1, 1, 0, 0, 0, 0, loc), time.Date(2027, 1, 1, 0, 0, 0, 0, loc)
		for _, every := range []int{15, 20, 60} {
			want, got := 0, 0
			for m := begin; m.Before(end); m = m.Add(time.Minute) {
				if m.Minute()%every == 0 {
					want++
				}
			}
			s, err := ParseSchedule(map[int]string{15: "*/15 * * * *", 20: "*/20 * * * *", 60: "0 * * * *"}[every], zone)
			if err != nil {
				t.Fatal(err)
			}
			for due := s.Next(begin.Add(-time.Second)); due.Before(end); due = s.Next(due) {
				got++
			}
			if got != want || got == 0 {
				t.Errorf("every %d minutes in %s: %d turns, want %d", every, zone, got, want)
			}
		}
	}
}

func TestScheduleSpread(t *testing.T) {
	t.Parallel()
	s, err := ParseSchedule("30 2 * * *", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	from := at(t, "Europe/Berlin", "2026-03-28 12:00:00")
	seen := map[time.Duration]bool{}
	for i := range 100 {
		spread := s.Spread(10*time.Minute, fmt.Sprint("host/", i))
		by := spread.Next(from).Sub(s.Next(from))
		if by < 0 || by >= 10*time.Minute || by%time.Second != 0 {
			t.Fatalf("put off by %s", by)
		}
		if by > 0 && spread.String() == s.String() {
			t.Errorf("%s is not told from %s", spread, s)
		}
		if again := s.Spread(10*time.Minute, fmt.Sprint("host/", i)); again.Next(from) != spread.Next(from) {
			t.Error("the same seed gives another time")
		}
		seen[by] = true
		last, n := from, 0
		for due := spread.Next(from); n < 365; due, n = spread.Next(due), n+1 {
			if gap := due.Sub(last); gap <= 0 || n > 0 && (gap < 23*time.Hour || gap > 25*time.Hour) {
				t.Fatalf("%s after %s", due, last)
			}
			last = due
		}
	}
	if len(seen) < 50 {
		t.Errorf("100 seeds give %d times", len(seen))
	}
	every, err := ParseSchedule("@every 1m", "")
	if err != nil {
		t.Fatal(err)
	}
	if every.Spread(time.Hour, "x") != every || s.Spread(0, "x") != s {
		t.Error("an interval, or no jitter, changes the schedule")
	}
}

func TestParseTurns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		turns Turns
		says  []string
	}{
		"schedule: '@daily'": {},
		"schedule: '@daily'\njitter: 5m\nmissed: run-once\noverlap: queue": {turns: Turns{Jitter: 5 * time.Minute, Missed: MissedRunOnce, Overlap: OverlapQueue}},
		"schedule: '@daily'\nmissed: Skip\noverlap: skip":                  {},
		"schedule: '@daily'\nOverlap: replace":                             {turns: Turns{Overlap: OverlapReplace}},
		"jitter: 5m\nmissed: skip\noverlap: queue": {turns: Turns{Jitter: 5 * time.Minute, Overlap: OverlapQueue}, says: []string{
			"W 2:1 /jitter 'jitter' without 'schedule' has no effect", "W 3:1 /missed 'missed' without 'schedule' has no effect", "W 4:1 /overlap 'overlap' without 'schedule' has no effect",
		}},
		"schedule: '@every 1m'\njitter: 5s": {turns: Turns{Jitter: 5 * time.Second}, says: []string{"W 3:1 /jitter 'jitter' has no effect with '@every'"}},
		"schedule: '@daily'\njitter: 25h":   {says: []string{"3:9 /jitter 'jitter' must be a duration of whole seconds, at most 24h"}},
		"schedule: '@daily'\njitter: 5":     {says: []string{"3:9 /jitter 'jitter' must be a string"}},
		"schedule: '@daily'\njitter: -5s":   {says: []string{"3:9 /jitter 'jitter' must be a duration of whole seconds, at most 24h"}},
		"schedule: '@daily'\nmissed: all":   {says: []string{"3:9 /missed 'missed' must be skip or run-once"}},
		"schedule: '@daily'\noverlap: kill": {says: []string{"3:10 /overlap 'overlap' must be skip, queue or replace"}},
		"schedule: '@daily'\noverlap: allow": {says: []string{
			"3:10 /overlap 'overlap: allow' is not possible: two runs of a pipeline never go on side by side, since what is in force is one run",
		}},
		"schedule: '@daily'\noverlap: [queue]": {says: []string{"3:10 /overlap 'overlap' must be a string"}},
	} {
		p, list := Parse("n", "f", []byte("workflow: j\n"+text+anyJob))
		if want.says == nil {
			want.says = []string{}
		}
		if diff := cmp.Diff(want.says, briefs(list)); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		if p != nil && p.Turns != want.turns {
			t.Errorf("%s: %+v", text, p.Turns)
		}
	}
}
