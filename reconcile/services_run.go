package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"

	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/sse"
)

// Apply implements [Kind]: the code of all instances of the batch is run, and
// what they want goes to the devices in one step.
func (k *Services) Apply(ctx context.Context, batch []Work, report func(Work, Outcome)) {
	changes, works := []device.Change{}, map[string]Work{}
	for i, g := range k.generate(ctx, batch, false) {
		w := batch[i]
		if g.err != nil {
			report(w, k.codeOutcome(w, g.err))
			continue
		}
		works[w.Change.Name] = w
		changes = append(changes, g.change)
	}
	if changes = k.unclash(ctx, changes, works, report); len(changes) == 0 {
		return
	}
	of := map[string]string{}
	for name, w := range works {
		of[name] = w.Change.Digest
	}
	results := k.Devices.Apply(ctx, changes, device.Options{Mode: k.Mode, Patience: k.Wait, Of: of})
	for _, name := range slices.Sorted(maps.Keys(works)) {
		if k.Handlers != nil {
			k.Handlers.Pushed(name, results[name].Err)
		}
		report(works[name], k.outcome(works[name], results[name]))
	}
}

// generated is what the code of one instance made, or why it didn't.
type generated struct {
	change device.Change
	err    error
}

// generate runs the code of the instances side by side.
func (k *Services) generate(ctx context.Context, batch []Work, dry bool) []generated {
	out := make([]generated, len(batch))
	places := semaphore.NewWeighted(int64(k.Parallel))
	var wg sync.WaitGroup
	for i, w := range batch {
		if err := places.Acquire(ctx, 1); err != nil {
			out[i].err = context.Cause(ctx)
			continue
		}
		wg.Go(func() {
			defer places.Release(1)
			out[i].change.Owner = w.Change.Name
			if w.Resource == nil {
				k.tellGone(ctx, w, dry)
				return
			}
			output, err := k.run(ctx, w.Resource, dry, w.Record.Retry != nil)
			if output == nil {
				output = service.Output{}
			}
			out[i].change.Outputs, out[i].err = output, err
		})
	}
	wg.Wait()
	return out
}

// codeOutcome is how a change ends whose code gave an error. A handler that is
// away may come back, and one that erred may have been mended, so it is tried
// again; a template says the same every time.
func (k *Services) codeOutcome(w Work, err error) Outcome {
	if _, late := errors.AsType[*Waiting](err); late {
		return Outcome{Err: err}
	}
	k.tellFailed(w, err)
	if isTemplateError(err) {
		return Outcome{Last: k.last(w, Failed, err.Error()), Kept: true}
	}
	return Outcome{Err: err}
}

// outcome turns what the manager says of an instance into what the record needs.
func (k *Services) outcome(w Work, res device.Result) Outcome {
	k.setSlow(w.Change.Name, len(res.Pending) > 0)
	_, refused := errors.AsType[*device.RefusedError](res.Err)
	if conflict, ok := errors.AsType[*device.ConflictError](res.Err); ok {
		k.noteClash(w.Change.Name, conflict)
	} else if res.Err == nil && k.settled(w.Change.Name) {
		defer k.agent.Soon(ServiceKind)
	}
	switch {
	case res.Err == nil && len(res.Pending) > 0:
		return Outcome{Err: &Waiting{For: "device " + strings.Join(res.Pending, ", ") + ", which has yet to follow", Period: k.Wait}}
	case res.Err == nil:
		message := fmt.Sprintf("Service %s is on its devices", w.Change.Name)
		if w.Change.Operation == OpRemove {
			k.drop(w.Change.Name)
			message = fmt.Sprintf("Service %s has left its devices", w.Change.Name)
		}
		k.tell(w, sse.TypeServiceApplied, sse.Success, message, nil)
		return Outcome{Last: k.last(w, Succeeded, "")}
	}
	k.tellFailed(w, res.Err)
	switch {
	case !refused || w.Change.Operation == OpRemove:
		return Outcome{Err: res.Err} // what is in the way may go
	case k.Mode == device.All:
		return Outcome{Rejected: w.Change.Digest}
	}
	return Outcome{Last: k.last(w, Failed, res.Err.Error())}
}

func (k *Services) last(w Work, r Result, why string) Last {
	return Last{Digest: w.Change.Digest, Revision: w.Change.Revision, When: k.Now(), Result: r, Reason: why}
}

// drop forgets an instance that is gone.
func (k *Services) drop(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.made, name)
	delete(k.slow, name)
	delete(k.asked, name)
}

// failureText is an error as anybody may read it: of a conflict with both values,
// but for secret ones.
func failureText(err error) string {
	conflict, ok := errors.AsType[*device.ConflictError](err)
	if !ok {
		return err.Error()
	}
	var parts []string
	for i, c := range conflict.Conflicts {
		if i == mostConflicts {
			parts = append(parts, fmt.Sprintf("and %d more", len(conflict.Conflicts)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s of device %s is %q for %s and %q for %s",
			c.Path, c.Device, maskValue(c.Path, c.Values[0]), c.Owners[0], maskValue(c.Path, c.Values[1]), c.Owners[1]))
	}
	return "it is in conflict: " + strings.Join(parts, "; ") + "; change one of them"
}

// mostConflicts is how many of them are told one by one.
const mostConflicts = 5

func (k *Services) tellFailed(w Work, err error) {
	k.tell(w, sse.TypeServiceFailed, sse.Error, fmt.Sprintf("Service %s failed: %s", w.Change.Name, failureText(err)), map[string]any{"error": failureText(err)})
}

func (k *Services) tell(w Work, typ, level, message string, fields map[string]any) {
	all := map[string]any{"service": w.Change.Name}
	maps.Copy(all, fields)
	k.Publish(sse.Event{Type: typ, Level: level, Source: w.Change.Source, Revision: w.Change.Revision, Pipeline: w.Change.Name, Message: message, Fields: all})
}

// Observe implements [Kind]. Drift of devices is the manager's to repair, as
// their policies say. What shows here is an instance of which the manager wants
// something else, because the agent ended before it could record what it had
// done; and one that may configure devices of other sources, of which there are
// others now than when its code ran.
func (k *Services) Observe(context.Context) (Observed, error) {
	out := Observed{}
	for name, r := range k.agent.wanted(ServiceKind) {
		spec, ok := r.Spec.(*serviceSpec)
		if !ok || r.Broken() {
			continue
		}
		if k.Devices.MadeOf(name) != r.Digest {
			out[name] = "made of something else"
			continue
		}
		if len(spec.policy.Devices) == 0 {
			continue
		}
		k.mu.Lock()
		kept := k.made[name]
		k.mu.Unlock()
		if out[name] = r.Digest; kept.digest != k.inputs(r, spec, k.visible(spec)) {
			out[name] = "made for other devices"
		}
	}
	return out, nil
}
