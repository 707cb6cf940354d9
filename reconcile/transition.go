package reconcile

import (
	"fmt"
	"strings"
	"time"
)

// Situation is everything that decides what is to be done with one resource.
// The zero Record is one that was never seen.
type Situation struct {
	Record   Record
	Want     string // the digest wanted now
	Observed string // what the world shows, where the kind can tell; else ""
	Broken   bool   // the file is ours and has errors
	Gone     bool   // it left a readable, verified, non-empty tree
	Guarded  bool   // too many left at once
	Refused  string // why it is not for this host any more, as a sentence; with Gone
	Unread   string // why nobody can say what is wanted now, as a sentence; else ""
	Manual   bool   // a new digest alone does nothing
	Explicit bool   // asked for in so many words: `-f FILE`
	Due      bool   // its schedule came due
	Turns    Turns  // of the schedule
	Baseline bool   // first sight counts as done
	Hold     *Hold  // of its source or of the agent
	Busy     string // the run that is under way
	Blocked  string // what it waits for (`after:`), as a sentence
	Backoff  time.Time
	Trouble  string // why the last try could not be made, with Backoff
	// Restores says that the kind can put right what was last applied although
	// something else is wanted now.
	Restores bool
	Once     bool // the agent ends when nothing is left to do: no second try
}

// Decide is the table of transitions: what to do, and why, as a sentence. It is
// pure; the design's table names each row, and so does its test.
func Decide(s Situation) (Operation, string) {
	op, reason := due(s)
	if op == OpNone {
		return op, reason
	}
	switch {
	case s.Hold != nil:
		return OpWait, fmt.Sprintf("%s, but held by %s since %s: %s; `%s` lets it go on",
			reason, s.Hold.By, s.Hold.Since.UTC().Format(time.RFC3339), s.Hold.Reason, strings.TrimSpace("abide resume "+s.Hold.Source))
	case s.Gone && s.Guarded:
		return OpWait, "more than half of this source's resources left at once; allow it with --max-prune"
	case s.Busy != "" && s.Due && s.Turns.Replace:
		return OpWait, "its schedule came due; run " + s.Busy + " is under way, and is ended for this turn"
	case s.Busy != "" && s.Due && s.Turns.Queue:
		return OpWait, "its schedule came due; this turn follows run " + s.Busy + ", which is under way"
	case s.Busy != "" && s.Due:
		return OpNone, "its schedule came due while run " + s.Busy + " is still under way; this turn is skipped"
	case s.Busy != "":
		return OpWait, reason + "; run " + s.Busy + " is under way"
	case s.Blocked != "" && !s.restoring():
		return OpWait, reason + "; " + s.Blocked
	case !s.Backoff.IsZero() && s.Once:
		return OpWait, reason + "; " + s.Trouble
	case !s.Backoff.IsZero():
		return OpWait, fmt.Sprintf("%s; %s; tried again at %s", reason, s.Trouble, s.Backoff.UTC().Format(time.RFC3339))
	}
	return op, reason
}

// due says what would be done if nothing stood in the way.
func due(s Situation) (Operation, string) {
	last := s.Record.Last
	switch {
	case s.Gone && s.Refused != "":
		return OpRemove, "it is not for this machine any more: " + s.Refused
	case s.Gone:
		return OpRemove, "it is no longer in " + s.Record.Source
	case s.Unread != "":
		return OpNone, s.Unread + "; what was last applied stays in force"
	case s.restoring() && s.Record.Retry == nil:
		return OpRun, "what was last applied is in force, and is not as it was made"
	case s.Broken:
		return OpNone, "the file has errors; what was last applied stays in force"
	case s.Record.Retry != nil:
		return OpRun, "asked for by " + s.Record.Retry.By
	case s.Explicit:
		return OpRun, "asked for with -f"
	case s.Due:
		return OpRun, "its schedule came due"
	case s.Record.Rejected != "" && s.Record.Rejected == s.Want:
		return OpNone, "this content was tried and rolled back; change it, or use `abide retry`"
	case last == nil && s.Baseline:
		return OpAdopt, "first sight, recorded as done (--baseline)"
	case s.Manual && (last == nil || last.Digest != s.Want):
		return OpNone, "runs on request or schedule only (trigger: manual)"
	case last == nil:
		return OpRun, "new"
	case last.Digest != s.Want:
		return OpRun, "changed since " + short(last.Revision)
	case last.Result == Interrupted:
		return OpRun, "run " + last.Run + " was interrupted; it runs once more"
	case last.Result == Failed && s.Observed != "" && s.Observed == s.Want:
		return OpRun, "it failed, and what is there is as wanted now"
	case last.Result == Failed, last.Result == Cancelled:
		return OpNone, fmt.Sprintf("%s: %s; change it, or use `abide retry`", last.Result, orUnknown(last.Reason))
	case s.Observed != "" && s.Observed != s.Want:
		return OpRun, "what is there differs from what is wanted"
	}
	return OpNone, "up to date (" + string(last.Result) + ")"
}

// replaces says that nothing stands before the turn of a schedule but the run
// under way, and that this one has to end for it.
func (s Situation) replaces() bool {
	op, _ := due(s)
	return op == OpRun && s.Due && s.Turns.Replace && s.Busy != "" && s.Hold == nil && s.Blocked == "" && s.Backoff.IsZero()
}

// restoring says that what was last applied is in force, because what is wanted
// now can't be, and has to be put right.
func (s Situation) restoring() bool {
	last := s.Record.Last
	kept := s.Broken || s.Blocked != "" && last != nil && last.Digest != s.Want || s.Record.Rejected != "" && s.Record.Rejected == s.Want
	return kept && s.Restores && last != nil && last.Result == Succeeded && s.Observed != "" && s.Observed != last.Digest
}

func orUnknown(s string) string {
	if s == "" {
		return "reason unknown"
	}
	return s
}

// short abbreviates a revision for people.
func short(rev string) string {
	const prefix = "sha256:"
	if len(rev) > len(prefix)+12 && rev[:len(prefix)] == prefix {
		return rev[:len(prefix)+12]
	}
	if len(rev) > 12 {
		return rev[:12]
	}
	if rev == "" {
		return "the last run"
	}
	return rev
}

// Ended is the record after an attempt at digest ended. An attempt that was
// interrupted counts: the second interruption at the same digest is a failure.
func (r Record) Ended(last Last) Record {
	if last.Result == Interrupted {
		last.Interruptions = 1
		if r.Last != nil && r.Last.Digest == last.Digest {
			last.Interruptions += r.Last.Interruptions
		}
		if last.Interruptions > 1 {
			last.Result = Failed
			last.Reason = fmt.Sprintf("interrupted %d times: %s", last.Interruptions, orUnknown(last.Reason))
		}
	}
	r.Last, r.Retry, r.Baseline = &last, nil, false
	return r
}

// Retried is the record after `abide retry`: it forgets the last attempt and a
// rejection, and remembers who asked.
func (r Record) Retried(by string, now time.Time) Record {
	r.Last, r.Rejected, r.Baseline, r.Retry = nil, "", false, &Request{By: by, When: now}
	return r
}
