package runner

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

func at(t *testing.T, zone, text string) time.Time {
	t.Helper()
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	v, err := time.ParseInLocation("2006-01-02 15:04:05", text, loc)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestScheduleNext(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ expr, zone, from, want string }{
		{"30 3 * * *", "UTC", "2026-01-01 00:00:00", "2026-01-01T03:30:00Z"},
		{"30 3 * * *", "UTC", "2026-01-01 03:30:00", "2026-01-02T03:30:00Z"},
		{"30 3 * * *", "UTC", "2026-01-01 03:29:59", "2026-01-01T03:30:00Z"},
		{"15 30 3 * * *", "UTC", "2026-01-01 03:30:00", "2026-01-01T03:30:15Z"},
		{"*/5  * * * *", "UTC", "2026-01-01 00:03:00", "2026-01-01T00:05:00Z"},
		{"0 0 * * 7", "UTC", "2026-01-01 00:00:00", "2026-01-04T00:00:00Z"},
		{"0 0 * * 6-7", "UTC", "2026-01-03 00:00:00", "2026-01-04T00:00:00Z"},
		{"0 0 * * fri-sun", "UTC", "2026-01-03 00:00:00", "2026-01-04T00:00:00Z"},
		{"0 0 * * 1-7/2", "UTC", "2026-01-03 00:00:00", "2026-01-04T00:00:00Z"},
		{"0 0 29 2 *", "UTC", "2097-01-01 00:00:00", "2104-02-29T00:00:00Z"},
		{"0 12 * jan mon", "UTC", "2026-01-01 00:00:00", "2026-01-05T12:00:00Z"},
		{"@daily", "Europe/Berlin", "2026-01-01 00:00:00", "2026-01-01T23:00:00Z"},
		{"@every 90s", "", "2026-01-01 00:00:00", "2026-01-01T00:01:30Z"},
		// the clock is put forward at 2:00, to 3:00
		{"30 2 * * *", "Europe/Berlin", "2026-03-28 12:00:00", "2026-03-29T01:00:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-03-29 03:00:00", "2026-03-30T00:30:00Z"},
		{"0,30 2 * * *", "Europe/Berlin", "2026-03-29 01:59:00", "2026-03-29T01:00:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-03-29 01:59:00", "2026-03-29T01:00:00Z"},
		{"0 * * * *", "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-29T01:00:00Z"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29 01:30:00", "2026-03-29T01:30:00Z"},
		// the clock is put back at 3:00, to 2:00
		{"30 2 * * *", "Europe/Berlin", "2026-10-24 12:00:00", "2026-10-25T00:30:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-25 00:00:00", "2026-10-25T00:30:00Z"},
		{"0 3 * * *", "Europe/Berlin", "2026-10-25 00:00:00", "2026-10-25T02:00:00Z"},
		{"0 0 25 10 *", "Europe/Berlin", "2026-10-01 00:00:00", "2026-10-24T22:00:00Z"},
		// midnight itself is left out
		{"0 0 * * *", "America/Sao_Paulo", "2018-11-03 12:00:00", "2018-11-04T03:00:00Z"},
		{"30 0 * * *", "America/Havana", "2026-03-07 12:00:00", "2026-03-08T05:00:00Z"},
	} {
		s, err := ParseSchedule(tc.expr, tc.zone)
		if err != nil {
			t.Errorf("%s: %v", tc.expr, err)
			continue
		}
		zone := tc.zone
		if zone == "" {
			zone = "UTC"
		}
		from := at(t, zone, tc.from)
		got := s.Next(from)
		if got.UTC().Format(time.RFC3339) != tc.want {
			t.Errorf("%s in %s after %s: %s, want %s", tc.expr, tc.zone, tc.from, got.UTC().Format(time.RFC3339), tc.want)
		}
		if got.Location() != from.Location() {
			t.Errorf("%s: given in %s", tc.expr, got.Location())
		}
	}
}

// TestScheduleRepeatedHour starts between the first and the second 2:30.
func TestScheduleRepeatedHour(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ expr, from, want string }{
		{"30 2 * * *", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"30 2 * * *", "2026-10-25T01:10:00Z", "2026-10-26T01:30:00Z"},
		{"30 2,3 * * *", "2026-10-25T01:10:00Z", "2026-10-25T02:30:00Z"},
		{"30 * * * *", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
		{"*/15 * * * *", "2026-10-25T00:45:00Z", "2026-10-25T01:00:00Z"},
	} {
		s, err := ParseSchedule(tc.expr, "Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		from, _ := time.Parse(time.RFC3339, tc.from)
		if got := s.Next(from).Format(time.RFC3339); got != tc.want {
			t.Errorf("%s after %s: %s, want %s", tc.expr, tc.from, got, tc.want)
		}
	}
}

// TestScheduleOverAYear walks whole years of zones that change their clocks:
// a time of day comes once on each date, an interval never has a gap.
func TestScheduleOverAYear(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Casablanca", "Asia/Kolkata", "UTC", ""} {
		loc, err := location(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range []string{"0 0 * * *", "45 1 * * *", "30 2 * * *", "15 2 * * *", "59 23 * * *"} {
			s, err := ParseSchedule(expr, zone)
			if err != nil {
				t.Fatal(err)
			}
			dates := map[string]bool{}
			end := time.Date(2027, 1, 1, 0, 0, 0, 0, loc)
			for due := s.Next(time.Date(2025, 12, 31, 23, 59, 59, 0, loc)); due.Before(end); due = s.Next(due) {
				date := due.In(loc).Format(time.DateOnly)
				if dates[date] {
					t.Errorf("%s in %s comes twice on %s", expr, zone, date)
				}
				dates[date] = true
			}
			if len(dates) != 365 {
				t.Errorf("%s in %s comes on %d dates", expr, zone, len(dates))
			}
		}
		_, change := time.Date(2026, 1, 1, 0, 0, 0, 0, loc).ZoneBounds()
		for !change.IsZero() && change.Year() < 2027 {
			withoutGap(t, zone, change.Add(-26*time.Hour), change.Add(26*time.Hour))
			_, change = change.ZoneBounds()
		}
	}
}

// withoutGap walks the days around a change of the clock.
func withoutGap(t *testing.T, zone string, from, to time.Time) {
	t.Helper()
	for expr, gap := range map[string]time.Duration{"*/15 * * * *": 15 * time.Minute, "0 * * * *": 90 * time.Minute} {
		s, err := ParseSchedule(expr, zone)
		if err != nil {
			t.Fatal(err)
		}
		for last := from; last.Before(to); {
			due := s.Next(last)
			if d := due.Sub(last); d <= 0 || d > gap {
				t.Fatalf("%s in %s: %s after %s", expr, zone, d, last)
			}
			last = due
		}
	}
}

func TestScheduleFaults(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ expr, zone, want string }{
		{"", "", "'schedule' cannot be empty; give five fields"},
		{"TZ=0", "", "the schedule can't name its time zone; give it as 'timezone:'"},
		{"CRON_TZ=UTC 0 0 * * *", "", "the schedule can't name its time zone; "},
		{"tz=UTC * * * * *", "", "the schedule can't name its time zone; "},
		{"0 0 31 2 *", "", "the schedule '0 0 31 2 *' never comes due; "},
		{"0 0 30 2 *", "", "the schedule '0 0 30 2 *' never comes due; "},
		{"* * *", "", "the schedule '* * *' can't be read: it has 3 fields; give five fields"},
		{"* * * * * * *", "", "the schedule '* * * * * * *' can't be read: it has 7 fields; "},
		{"60 * * * *", "", "the schedule '60 * * * *' can't be read: end of range (60) above maximum (59): 60; "},
		{", * * * *", "", "the schedule ', * * * *' can't be read: ',' is not a list of values and ranges; "},
		{"*-5 * * * *", "", "the schedule '*-5 * * * *' can't be read: '*-5' is not a list"},
		{"0 0 * * 8", "", "the schedule '0 0 * * 8' can't be read: end of range (8)"},
		{"0 0 * * x-7", "", "the schedule '0 0 * * x-7' can't be read: 'x' is not a day of the week; "},
		{"0 0 * * 1-7/0", "", "the schedule '0 0 * * 1-7/0' can't be read: '0' is not a step; "},
		{"0 0 L * *", "", "the schedule '0 0 L * *' can't be read: failed to parse int from L"},
		{"@never", "", "the schedule '@never' can't be read: unrecognized descriptor: @never; "},
		{"@every 0s", "", "'@every 0s' must give a duration of whole seconds, at least one; "},
		{"@every 1500ms", "", "'@every 1500ms' must give a duration of whole seconds"},
		{"@every -5s", "", "'@every -5s' must give"},
		{"@every", "", "'@every ' must give"},
		{"@daily", "Europe/Paradise", "'Europe/Paradise' is not a time zone; name it as the IANA database does"},
		{"@daily", "../etc/passwd", "'../etc/passwd' is not a time zone; "},
		{strings.Repeat("1,", 300) + "1 * * * *", "", "the schedule is longer than 512 bytes; "},
	} {
		if s, err := ParseSchedule(tc.expr, tc.zone); s != nil || err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%.50q: %v", tc.expr, err)
		}
	}
}
