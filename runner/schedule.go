package runner

import (
	"fmt"
	"math/bits"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Schedule is a parsed `schedule:` with its `timezone:`. It is immutable and
// safe for concurrent use.
//
// Expr has five fields (minute, hour, day of month, month, day of week), six
// with seconds in front, or is @yearly, @monthly, @weekly, @daily, @hourly or
// `@every DURATION` of whole seconds. Where clocks are turned, an activation in
// the hour that is left out happens at the moment of the change, and one in the
// hour that comes twice happens the first time only; but a schedule that is for
// every hour goes on through the second one, since it asks for an interval.
type Schedule struct {
	Expr string // as the file gives it
	Zone string // IANA name; "" means the agent's own

	loc       *time.Location
	spec      cron.Schedule // of wall-clock times, in UTC
	everyHour bool
	interval  time.Duration // of @every, else 0
	delay     time.Duration // see Spread
}

// MaxScheduleBytes is how long a cron expression may be.
const MaxScheduleBytes = 512

const scheduleHint = "give five fields: minute hour day-of-month month day-of-week, such as '30 3 * * 1-5'"

// String gives the schedule for people.
func (s *Schedule) String() string {
	text := s.Expr
	if s.Zone != "" {
		text += " (" + s.Zone + ")"
	}
	if s.delay > 0 {
		text += " + " + s.delay.String()
	}
	return text
}

// ParseSchedule parses a cron expression; an empty zone means the agent's own.
func ParseSchedule(expr, zone string) (*Schedule, error) {
	text := strings.Join(strings.Fields(expr), " ")
	loc, err := location(zone)
	if err != nil {
		return nil, err
	}
	s := &Schedule{Expr: text, Zone: zone, loc: loc}
	upper := strings.ToUpper(text)
	switch {
	case text == "":
		return nil, &fault{message: "'schedule' cannot be empty", hint: scheduleHint, offset: -1}
	case len(text) > MaxScheduleBytes:
		return nil, &fault{message: fmt.Sprintf("the schedule is longer than %d bytes", MaxScheduleBytes), hint: scheduleHint, offset: -1}
	case strings.HasPrefix(upper, "TZ=") || strings.HasPrefix(upper, "CRON_TZ="):
		return nil, &fault{message: "the schedule can't name its time zone", hint: "give it as 'timezone:' beside 'schedule:'", offset: -1}
	case strings.HasPrefix(text, "@every"):
		return s.every(strings.TrimSpace(strings.TrimPrefix(text, "@every")))
	}
	if s.spec, err = parseSpec(text); err != nil {
		return nil, &fault{message: fmt.Sprintf("the schedule '%s' can't be read: %v", text, err), hint: scheduleHint, offset: -1}
	}
	// Every real date of the calendar comes within five years of this one.
	if s.spec.Next(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-time.Second)).IsZero() {
		return nil, &fault{message: fmt.Sprintf("the schedule '%s' never comes due", text), hint: "check its day and month, since no year has that date", offset: -1}
	}
	if spec, ok := s.spec.(*cron.SpecSchedule); ok {
		s.everyHour = bits.OnesCount64(spec.Hour&(1<<24-1)) == 24
	}
	return s, nil
}

func (s *Schedule) every(text string) (*Schedule, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d%time.Second != 0 {
		return nil, &fault{
			message: fmt.Sprintf("'@every %s' must give a duration of whole seconds, at least one", text),
			hint:    "write it as '@every 90s' or '@every 1h30m'", offset: -1,
		}
	}
	s.interval = d
	return s, nil
}

// location gives a time zone by its name.
func location(zone string) (*time.Location, error) {
	if zone == "" || zone == "Local" {
		return time.Local, nil
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return nil, &fault{message: fmt.Sprintf("'%s' is not a time zone", zone), hint: "name it as the IANA database does, such as Europe/Berlin or UTC", offset: -1}
	}
	return loc, nil
}

// Next gives the first activation after t, or the zero time when there is none.
func (s *Schedule) Next(t time.Time) time.Time {
	due := s.next(t.Add(-s.delay))
	if due.IsZero() {
		return due
	}
	return due.Add(s.delay)
}

func (s *Schedule) next(t time.Time) time.Time {
	if s.interval > 0 {
		return t.Truncate(time.Second).Add(s.interval)
	}
	if s.spec == nil {
		return time.Time{}
	}
	now := t.In(s.loc)
	wall := wallClock(now) // the first activation that a clock shows after this is wanted
	if start, _ := now.ZoneBounds(); !start.IsZero() && !s.everyHour {
		// After the clock was turned back it shows a time that is past already.
		if past := start.UTC().Add(offset(start.Add(-1)) - time.Second); past.After(wall) {
			wall = past
		}
	}
	// The time line is walked in periods of one offset to UTC. There are a few
	// a year, and no schedule waits longer than eight years.
	for range 100 {
		next := s.nextWall(wall)
		if next.IsZero() {
			return next
		}
		_, end := now.ZoneBounds()
		if due := next.Add(-offset(now)); end.IsZero() || due.Before(end) {
			return due.In(t.Location())
		}
		if s.everyHour {
			wall = wallClock(end).Add(-time.Second)
		} else if next.Before(wallClock(end)) {
			return end.In(t.Location()) // the clock was put forward over it
		}
		now = end
	}
	return time.Time{}
}

// nextWall gives the first wall-clock time after a wall-clock time. The cron
// library looks no further than five years ahead, and 29 February may be eight
// years away.
func (s *Schedule) nextWall(wall time.Time) time.Time {
	for range 3 {
		if next := s.spec.Next(wall); !next.IsZero() {
			return next
		}
		wall = wall.AddDate(4, 0, 0)
	}
	return time.Time{}
}

// wallClock gives what a clock shows at t, as a time in UTC.
func wallClock(t time.Time) time.Time { return t.UTC().Add(offset(t)) }

func offset(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// parseSpec calls the cron library, which panics on some texts.
func parseSpec(text string) (spec cron.Schedule, err error) {
	defer func() {
		if r := recover(); r != nil {
			spec, err = nil, fmt.Errorf("it is not a cron expression")
		}
	}()
	if !strings.HasPrefix(text, "@") {
		if text, err = normalized(text); err != nil {
			return nil, err
		}
	}
	parser := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)
	spec, err = parser.Parse(text)
	if s, ok := spec.(*cron.SpecSchedule); ok && err == nil {
		s.Location = time.UTC
	}
	return spec, err
}

// normalized checks what the library would let pass, and writes Sunday as 0,
// which is the only way in which the library knows it.
func normalized(text string) (string, error) {
	fields := strings.Fields(text)
	if n := len(fields); n != 5 && n != 6 {
		return "", fmt.Errorf("it has %d fields", n)
	}
	for _, f := range fields {
		for _, item := range strings.Split(f, ",") {
			if item == "" || strings.HasPrefix(item, "*-") || strings.HasPrefix(item, "?-") {
				return "", fmt.Errorf("'%s' is not a list of values and ranges", f)
			}
		}
	}
	last := &fields[len(fields)-1]
	var err error
	*last, err = sundays(*last)
	return strings.Join(fields, " "), err
}

// sundays rewrites the items of a day-of-week field that reach to day 7 as
// lists of days 0 to 6.
func sundays(field string) (string, error) {
	items := strings.Split(field, ",")
	for i, item := range items {
		span, step, stepped := strings.Cut(item, "/")
		low, high, ranged := strings.Cut(span, "-")
		if ranged && strings.EqualFold(high, "sun") {
			high = "7"
		}
		if low != "7" && high != "7" {
			continue
		}
		from, by := dayNumber(low), 1
		if stepped {
			if _, err := fmt.Sscanf(step, "%d", &by); err != nil || by < 1 || by > 7 {
				return "", fmt.Errorf("'%s' is not a step", step)
			}
		}
		if from < 0 {
			return "", fmt.Errorf("'%s' is not a day of the week", low)
		}
		var days []string
		for day := from; day <= 7; day += by {
			days = append(days, fmt.Sprint(day%7))
		}
		items[i] = strings.Join(days, ",")
	}
	return strings.Join(items, ","), nil
}

// dayNumber gives the number of a day of the week, or -1.
func dayNumber(text string) int {
	if len(text) == 1 && text[0] >= '0' && text[0] <= '7' {
		return int(text[0] - '0')
	}
	for i, name := range []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} {
		if strings.EqualFold(text, name) {
			return i
		}
	}
	return -1
}
