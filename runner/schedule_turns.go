package runner

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"
)

// Turns says what becomes of the turns of a schedule. The zero value is what a
// pipeline has that says nothing.
type Turns struct {
	// Jitter is the longest that a turn may be put off; see [Schedule.Spread].
	Jitter  time.Duration
	Missed  Missed
	Overlap Overlap
}

// Missed says what becomes of turns that came due while nobody was there to
// take them: the agent was not running, or the machine slept.
type Missed string

// The values of `missed:`.
const (
	MissedSkip    Missed = ""         // skip: they pass
	MissedRunOnce Missed = "run-once" // one run makes up for all of them
)

// Overlap says what becomes of a turn that comes due while a run of the same
// pipeline is under way.
type Overlap string

// The values of `overlap:`. None lets two runs of a pipeline go on side by side.
const (
	OverlapSkip    Overlap = ""        // skip: the turn passes
	OverlapQueue   Overlap = "queue"   // one run follows, however many turns came due
	OverlapReplace Overlap = "replace" // the run under way is cancelled; the turn's follows when it has ended
)

// MaxJitter is the most that `jitter:` may be.
const MaxJitter = 24 * time.Hour

// Spread gives the schedule with all its turns put off by the same time below
// jitter, which seed decides: the same pipeline on many hosts, or many pipelines
// of one host, then don't begin in the same moment, and each one's times can be
// told ahead. An interval (@every) has no times that others could have, too, and
// stays as it is.
func (s *Schedule) Spread(jitter time.Duration, seed string) *Schedule {
	if jitter < time.Second || s.interval > 0 {
		return s
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(seed))
	spread := *s
	spread.delay = time.Duration(h.Sum64()%uint64(jitter/time.Second)) * time.Second
	return &spread
}

// turns reads the keys that go with a schedule.
func (p *parser) turns(schedule, jitter, missed, overlap *field) {
	for _, f := range []struct {
		name string
		*field
	}{{"jitter", jitter}, {"missed", missed}, {"overlap", overlap}} {
		if f.field != nil && schedule == nil {
			p.warn(f.at, f.name, "'"+f.name+"' without 'schedule' has no effect", "add a 'schedule', or remove the key")
		}
	}
	p.jitter(jitter)
	p.pipeline.Turns.Missed = Missed(p.oneOf(missed, "missed", "skip", string(MissedRunOnce)))
	if s, ok := text(overlap); ok && strings.EqualFold(s, "allow") {
		p.fail(overlap.value.at, "overlap", "'overlap: allow' is not possible: two runs of a pipeline never go on side by side, since what is in force is one run",
			"write queue or replace, or make it two pipelines")
		return
	}
	p.pipeline.Turns.Overlap = Overlap(p.oneOf(overlap, "overlap", "skip", string(OverlapQueue), string(OverlapReplace)))
}

func (p *parser) jitter(f *field) {
	s, ok := p.string(f, "jitter")
	if !ok {
		return
	}
	d, err := time.ParseDuration(strings.TrimSpace(s))
	if err != nil || d < 0 || d > MaxJitter || d%time.Second != 0 {
		p.fail(f.value.at, "jitter", "'jitter' must be a duration of whole seconds, at most 24h", "write it as '30s' or '5m'")
		return
	}
	p.pipeline.Turns.Jitter = d
	if schedule := p.pipeline.Schedule; d > 0 && schedule != nil && schedule.interval > 0 {
		p.warn(f.at, "jitter", "'jitter' has no effect with '@every'", "give times, such as '0 * * * *', or remove the key")
	}
}

// oneOf reads a word from a list whose first is the default, and given as "".
func (p *parser) oneOf(f *field, name string, words ...string) string {
	s, ok := p.string(f, name)
	if !ok {
		return ""
	}
	s = strings.ToLower(strings.TrimSpace(s))
	if !slices.Contains(words, s) {
		p.fail(f.value.at, name, "'"+name+"' must be "+strings.Join(words[:len(words)-1], ", ")+" or "+words[len(words)-1], "correct the word, or remove the key for "+words[0])
		return ""
	}
	if s == words[0] {
		return ""
	}
	return s
}

// text gives a string without judging it.
func text(f *field) (string, bool) {
	if f == nil || !f.value.isString() {
		return "", false
	}
	return strings.TrimSpace(f.value.text), true
}
