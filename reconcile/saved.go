package reconcile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/abide-agent/abide/sse"
)

// promise is a change of a saved plan that the agent is held to.
type promise struct {
	Change
	begun bool
}

// Accept holds the agent to a plan that was saved: [Agent.Once] then carries its
// changes out, each at most once, and nothing else. It looks at all sources, and
// gives [ErrMoved] with what is not any more as the plan says. Then nothing was
// applied. Call it before Once.
func (a *Agent) Accept(ctx context.Context, saved Plan) error {
	now, err := a.Plan(ctx)
	if err != nil {
		return err
	}
	if list := moved(saved, now); len(list) > 0 {
		if n := len(list); n > mostTold {
			list = append(list[:mostTold], fmt.Sprintf("and %d more", n-mostTold))
		}
		return fmt.Errorf("%w, and nothing was applied: %s; make a new plan with `abide plan --json`, and look at it", ErrMoved, strings.Join(list, "; "))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.promises = map[string]*promise{}
	for _, c := range saved.Changes {
		if todo(c) {
			a.promises[c.Kind+"/"+c.Name] = &promise{Change: c}
		}
	}
	return nil
}

// todo says whether a plan holds something to do of a resource, now or when what
// it waits for is there.
func todo(c Change) bool { return c.Pending() || c.Operation == OpWait }

// moved gives what of a saved plan is not as it was, as parts of a sentence.
func moved(saved, now Plan) (out []string) {
	out = movedSources(saved.Sources, now.Sources)
	before, after := keyed(saved.Changes), keyed(now.Changes)
	all := maps.Clone(before)
	maps.Copy(all, after)
	for _, key := range slices.Sorted(maps.Keys(all)) {
		was, planned := before[key]
		is, there := after[key]
		why := ""
		switch {
		case !planned || !todo(was):
			if todo(is) {
				why = fmt.Sprintf("is to do now (%s: %s), and the plan has nothing of it", is.Operation, is.Reason)
			}
		case !there:
			why = "is not known any more"
		case is.Operation != was.Operation:
			why = fmt.Sprintf("was to %s, and is %s now: %s", was.Operation, is.Operation, is.Reason)
		case is.Digest != was.Digest:
			why = "has another content now"
		case is.Observed != was.Observed:
			why = "was applied meanwhile"
		case is.Found != was.Found:
			why = "is not any more as it was found"
		}
		if why != "" {
			out = append(out, key+" "+why)
		}
	}
	return append(out, movedDevices(saved.Devices, now.Devices)...)
}

func keyed(list []Change) map[string]Change {
	out := make(map[string]Change, len(list))
	for _, c := range list {
		out[c.Kind+"/"+c.Name] = c
	}
	return out
}

func movedSources(saved, now []SourceStatus) (out []string) {
	after := map[string]SourceStatus{}
	for _, s := range now {
		after[s.Name] = s
	}
	for _, was := range saved {
		is, there := after[was.Name]
		delete(after, was.Name)
		switch {
		case !there:
			out = append(out, "source "+was.Name+" is not there")
		case was.Error != "":
			out = append(out, "source "+was.Name+" could not be read when the plan was made: "+was.Error)
		case is.Error != "":
			out = append(out, "source "+was.Name+" can't be read: "+is.Error)
		case is.Location != was.Location:
			out = append(out, fmt.Sprintf("source %s is %s, not %s", was.Name, is.Location, was.Location))
		case is.Revision != was.Revision:
			out = append(out, fmt.Sprintf("source %s is at %s, not at %s", was.Name, short(is.Revision), short(was.Revision)))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		out = append(out, "source "+name+" is not in the plan")
	}
	return out
}

// movedDevices compares what is sent to devices, as far as the plan shows it: in
// both, secrets are masked.
func movedDevices(saved, now []DevicePlan) (out []string) {
	after := map[string]DevicePlan{}
	for _, d := range now {
		after[d.Device] = d
	}
	for _, was := range saved {
		is, there := after[was.Device]
		delete(after, was.Device)
		switch {
		case !there:
			out = append(out, "nothing is to be sent to device "+was.Device+" any more")
		case was.Error == "" && is.Error != "":
			out = append(out, "nobody can say what device "+was.Device+" would be sent: "+is.Error)
		case was.XML != is.XML || was.Error != is.Error:
			out = append(out, "device "+was.Device+" would be sent something else")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		out = append(out, "device "+name+" would be sent something, and is not in the plan")
	}
	return out
}

// promised says whether a change may be begun. What the plan showed as waiting
// goes on when what it waits for is there. The caller holds mu.
func (a *Agent) promised(c Change) bool {
	if a.promises == nil {
		return true
	}
	p := a.promises[c.Kind+"/"+c.Name]
	switch {
	case p == nil, p.begun, p.Digest != c.Digest, p.Revision != c.Revision:
		return false
	case p.Operation == OpWait:
		return true
	}
	return p.Operation == c.Operation && p.Observed == c.Observed && p.Found == c.Found
}

// keep notes that a change was begun. The caller holds mu.
func (a *Agent) keep(c Change) {
	if p := a.promises[c.Kind+"/"+c.Name]; p != nil {
		p.begun = true
	}
}

// tellUnkept says which changes of a saved plan were left, since they moved
// between the look at everything and their beginning.
func (a *Agent) tellUnkept() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(a.promises)) {
		p := a.promises[key]
		if p.begun || !p.Pending() {
			continue
		}
		a.failed = true
		a.Publish(sse.Event{
			Type: sse.TypeProblem, Level: sse.Error, Source: p.Source, Pipeline: p.Name, Revision: p.Revision,
			Message: p.Kind + " " + p.Name + " was left as it is: it is not any more as the plan says; make a new plan",
		})
	}
}
