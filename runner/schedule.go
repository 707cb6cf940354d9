package runner

import "time"

// Schedule is a parsed `schedule:` with its `timezone:`.
type Schedule struct{ Expr, Zone string }

// ParseSchedule parses a cron expression; an empty zone means the agent's own.
func ParseSchedule(expr, zone string) (*Schedule, error) { return &Schedule{expr, zone}, nil }

// Next gives the first activation after t, or the zero time when there is none.
func (s *Schedule) Next(t time.Time) time.Time { return time.Time{} }
