package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// row is one line of the table. It goes through JSON where it was measured in a
// container.
type row struct {
	What   string
	Got    string // what abide took
	Beside string // the peer or floor of the same run, and what it took
	Figure string // the ratio or count that the goal is about
	Goal   string
	Met    bool
	Open   bool // there is no goal: the row is for comparison
}

func (r row) verdict() string {
	switch {
	case r.Open:
		return ""
	case r.Met:
		return "met"
	}
	return "**missed**"
}

func (r row) String() string {
	return fmt.Sprintf("%-62s %-22s %-42s %-9s %-10s %s", r.What, r.Got, r.Beside, r.Figure, r.Goal, r.verdict())
}

// ratio is a row about a time in relation to a peer's: at most goal is met. It
// is the median of what each round gave, so that both sides of each had the
// same weather.
func ratio(what string, got samples, peer string, other samples, goal float64) row {
	rounds := make([]float64, len(got))
	for i := range rounds {
		rounds[i] = float64(got[i]) / float64(other[i])
	}
	slices.Sort(rounds)
	f := rounds[len(rounds)/2]
	return row{
		What: what, Got: span(got.median()), Beside: peer + ": " + span(other.median()),
		Figure: fmt.Sprintf("%.2f", f), Goal: fmt.Sprintf("≤ %.2f", goal), Met: f <= goal,
	}
}

// within is a row about a time that may be at most goal.
func within(what string, got, goal time.Duration, beside string) row {
	return row{What: what, Got: span(got), Figure: span(got), Goal: "≤ " + span(goal), Met: got <= goal, Beside: beside}
}

// below is a row about a number of some unit that may be at most goal.
func below(what string, got, goal float64, unit, beside string) row {
	return row{
		What: what, Got: number(got) + unit, Figure: number(got) + unit, Goal: "≤ " + number(goal) + unit,
		Met: got <= goal, Beside: beside,
	}
}

// atLeast is a row about a count that must reach goal.
func atLeast(what string, got, goal float64, beside string) row {
	return row{
		What: what, Got: fmt.Sprintf("%.0f", got), Figure: fmt.Sprintf("%.0f", got), Goal: fmt.Sprintf("≥ %.0f", goal),
		Met: got >= goal, Beside: beside,
	}
}

// none is a row about something that must not happen at all.
func none(what string, n, of int, unit string) row {
	return row{
		What: what, Got: fmt.Sprintf("%d of %d %s", n, of, unit), Figure: fmt.Sprint(n), Goal: "0", Met: n == 0,
	}
}

func number(f float64) string {
	if f == float64(int64(f)) {
		return fmt.Sprintf("%.0f", f)
	}
	return fmt.Sprintf("%.3g", f)
}

// span writes a duration with three digits at most, as figures are read.
func span(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1e3)
	case d >= 100*time.Microsecond:
		return fmt.Sprintf("%.2f ms", d.Seconds()*1e3)
	}
	return fmt.Sprintf("%.1f µs", d.Seconds()*1e6)
}

// megabytes gives a size in MB of 10⁶ bytes, the stricter reading of a goal.
func megabytes(n int64) float64 { return math.Round(float64(n)/1e5) / 10 }

func tableHead() string {
	return "| what | abide | beside it | figure | goal | |\n|---|---|---|---|---|---|\n"
}

func (r row) markdown() string {
	cells := []string{r.What, r.Got, r.Beside, r.Figure, r.Goal, r.verdict()}
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(c, "|", `\|`)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}
