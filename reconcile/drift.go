package reconcile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// Bounds of repairing one unit: the wait between two repairs of the same trouble
// doubles from the first to the second bound, and after so many in a row the
// agent gives up, visibly. A unit that stays well for calmAfter begins anew.
const (
	minRepairWait = time.Second
	maxRepairWait = time.Minute
	maxRepairs    = 10
	calmAfter     = 2 * maxRepairWait
)

// repair is what was done lately about one unit's drift.
type repair struct {
	times int
	last  time.Time
	said  bool // that nothing more is tried
}

// Observe implements [Kind]: what the world shows of each wanted unit, in the
// form of a wish. A unit in motion shows nothing yet. Drift that is to be left
// alone is reported, once, and shown as if all were well. The agent is asked
// first: a unit that is made true meanwhile must not look like drift.
func (k *Units) Observe(ctx context.Context) (Observed, error) {
	begun, working := k.atWork()
	now := k.agent.outlook(UnitKind)
	states, err := k.Engine.States(ctx, false)
	k.pin(ctx, now, states, err)
	if err != nil {
		return nil, err
	}
	k.follow(now.wanted, states)
	since, _ := k.atWork()
	out := make(Observed, len(now.wanted))
	for name, r := range now.wanted {
		spec, ok := r.Spec.(*unitSpec)
		st, there := states[name]
		if !ok || !there || moving(st) {
			continue
		}
		last := now.last[name]
		force := inForce(r, last)
		have, why := observed(name, force, st)
		switch {
		case force != r.Digest && (since != begun || working[name]):
			// It may be on its way from the one to the other.
		case have != force:
			if last.succeeded(force) && k.toRepair(name, r, spec, why) {
				out[name] = have
			}
		case !last.failed(force) || k.wellAgain(name, spec, st):
			k.wentWell(name)
			out[name] = have
		}
	}
	return out, nil
}

// inForce gives the wish that a unit is held to: what is wanted, or as long as
// that was not attempted, what was last applied.
func inForce(r *Resource, last *Last) string {
	if last != nil && last.Digest != r.Digest && last.Result == Succeeded {
		return last.Digest
	}
	return r.Digest
}

// moving says whether a unit is on its way from one state to another.
func moving(st units.Status) bool {
	switch st.Active {
	case "activating", "deactivating", "reloading":
		return true
	}
	return st.Job != ""
}

// stateIs begins the words for a unit whose state is another than wanted.
const stateIs = "its state is "

// observed puts a unit's status in the form of a wish, and what is wrong with it
// in words, beside the wish that it is held to.
func observed(name, force string, st units.Status) (have, why string) {
	content, want := unwish(force)
	state := st.State()
	if units.IsTemplate(name) || st.Skipped && state == units.Loaded && want == units.Launched {
		state = want // it has no state of its own, or is left alone as its own condition asks
	}
	have = wish(st.Digest, state)
	switch {
	case st.Masked:
		return have + "+masked", "it is masked"
	case st.Missing:
		return "missing", "its file was deleted"
	case st.Digest != content && st.Placed == content:
		return have, "its files were edited"
	case st.Disabled && want == units.Launched:
		return have + "+disabled", "it is not enabled"
	case st.Outdated && have == force:
		return have + "+outdated", "systemd has not read its files again since they changed"
	}
	why = stateIs + st.Active
	if st.Result != "" && st.Result != "success" {
		why += " (" + st.Result + ")"
	}
	return have, why
}

// troubleOf gives the part of the words of a drift that tells one kind of trouble
// from another: how a unit came to be dead is no matter.
func troubleOf(why string) string {
	if strings.HasPrefix(why, stateIs) {
		return stateIs
	}
	return why
}

// toRepair says whether drift is to be repaired, and reports it once.
func (k *Units) toRepair(name string, r *Resource, spec *unitSpec, why string) bool {
	kind := troubleOf(why)
	k.mu.Lock()
	was, known := k.drifted[name]
	known = known && troubleOf(was) == kind
	k.drifted[name] = why
	tired := k.tired(name, kind)
	k.mu.Unlock()
	if !known && spec.drift != units.DriftOff {
		k.Publish(sse.Event{
			Type: sse.TypeUnitDrift, Level: sse.Warning, Source: r.Source, Revision: r.Revision, Pipeline: name,
			Message: fmt.Sprintf("Unit %s is not as it was made: %s", name, why), Fields: map[string]any{"unit": name, "policy": string(spec.drift)},
		})
	}
	return spec.drift == units.DriftRepair && !tired
}

// tired says whether a unit was repaired so often in a row that it is left alone.
// The caller holds the lock.
func (k *Units) tired(name, trouble string) bool {
	r := k.repairs[name][trouble]
	return r != nil && r.times >= maxRepairs
}

// Note implements [Noter]: drift that is left alone, and why that is.
func (k *Units) Note(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	why := k.drifted[name]
	switch {
	case why == "":
		return ""
	case k.tired(name, troubleOf(why)):
		return fmt.Sprintf("%s; it was repaired %d times in a row and is left alone until it changes or `abide retry %s`", why, maxRepairs, name)
	}
	return why + "; that is left alone, as its Drift= or its source's settings say"
}

// givenUp says whether a trouble of a unit is left alone because no repair lasts.
func (k *Units) givenUp(name, why string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.tired(name, troubleOf(why))
}

// differs says how a unit is not as it was made, "" when it is.
func (k *Units) differs(name string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.drifted[name]
}

// wellAfter is how long a unit that failed has to run before it counts as well
// again: one that falls over and over runs for a moment each time.
const wellAfter = 10 * time.Second

// wellAgain says whether a unit that failed, and is as wanted now by itself or by
// somebody's hand, is to be looked at once more: its probe has to agree. Nothing
// is done to it then but that.
func (k *Units) wellAgain(name string, spec *unitSpec, st units.Status) bool {
	if spec.want == units.Launched && st.Active == "active" && k.Now().Sub(st.Since) < wellAfter {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.drifted, name)
	return !k.tired(name, "")
}

func (k *Units) wentWell(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.drifted, name)
	for kind, r := range k.repairs[name] {
		if k.Now().Sub(r.last) > calmAfter {
			delete(k.repairs[name], kind)
		}
	}
	if len(k.repairs[name]) == 0 {
		delete(k.repairs, name)
	}
}

// patience gives how long a repair has to wait for its turn; zero for anything
// that is no repair. It counts the repair when its turn has come.
func (k *Units) patience(w Work) time.Duration {
	last := w.Record.Last
	if w.Change.Operation != OpRun || last == nil || last.Digest != w.Change.Digest || w.Record.Retry != nil {
		k.mu.Lock()
		delete(k.repairs, w.Change.Name)
		k.mu.Unlock()
		return 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	kind := troubleOf(k.drifted[w.Change.Name])
	r := k.repairs[w.Change.Name][kind]
	if r == nil {
		r = &repair{}
		if k.repairs[w.Change.Name] == nil {
			k.repairs[w.Change.Name] = map[string]*repair{}
		}
		k.repairs[w.Change.Name][kind] = r
	}
	if r.times > 0 {
		wait := min(minRepairWait<<(r.times-1), maxRepairWait)
		if left := wait - k.Now().Sub(r.last); left > 0 {
			return left
		}
	}
	r.times++
	r.last = k.Now()
	if r.times == maxRepairs && !r.said && kind != "" {
		r.said = true
		k.tell(w, sse.TypeUnitFailed, sse.Error, fmt.Sprintf("Unit %s was repaired %d times in a row; it is left alone until it changes or `abide retry %s`",
			w.Change.Name, maxRepairs, w.Change.Name), nil)
	}
	return 0
}

// repairs says whether a work puts right what was as wanted before.
func repairs(w Work) bool {
	last := w.Record.Last
	return w.Change.Operation == OpRun && last != nil && last.Digest == w.Change.Digest && last.Result == Succeeded && w.Record.Retry == nil
}

// tellDone publishes what was done to a unit.
func (k *Units) tellDone(w Work, res units.Result) {
	if len(res.Did) == 0 {
		if w.Record.Last.failed(w.Change.Digest) {
			k.tell(w, sse.TypeUnitStarted, sse.Success, fmt.Sprintf("Unit %s, which had failed, is as it is wanted now", w.Change.Name), nil)
		}
		return
	}
	typ := sse.TypeUnitChanged
	switch {
	case repairs(w):
		typ = sse.TypeUnitRepaired
	case w.Change.Operation == OpRemove:
		typ = sse.TypeUnitRemoved
	case res.Status.State() == units.Launched:
		typ = sse.TypeUnitStarted
	}
	k.tell(w, typ, sse.Success, fmt.Sprintf("Unit %s: %s", w.Change.Name, strings.Join(res.Did, ", ")), map[string]any{
		"did": res.Did, "active_state": res.Status.Active, "pid": res.Status.PID,
	})
}

// tellFailed publishes why a unit is not as wanted, with its last lines.
func (k *Units) tellFailed(w Work, res units.Result) {
	k.tell(w, sse.TypeUnitFailed, sse.Error, fmt.Sprintf("Unit %s failed: %v", w.Change.Name, res.Err), map[string]any{
		"error": res.Err.Error(), "result": res.Status.Result, "exit_code": res.Status.Exit, "journal": res.Log,
	})
}

func (k *Units) tell(w Work, typ, level, message string, fields map[string]any) {
	all := map[string]any{"unit": w.Change.Name}
	for key, v := range fields {
		all[key] = v
	}
	k.Publish(sse.Event{Type: typ, Level: level, Source: w.Change.Source, Revision: w.Change.Revision, Pipeline: w.Change.Name, Message: message, Fields: all})
}
