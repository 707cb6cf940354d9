package reconcile

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
)

// Commit does what an operator of the service API commits, as a
// [service.Committer]. Git is the truth: a commit with actions has the loop look
// at the sources and apply what there is, or all of it again; one without has the
// devices put right. A dry run answers with the differences.
func (k *Services) Commit(ctx context.Context, r service.CommitRequest) (service.CommitResult, error) {
	if r.Push != "COMMIT" {
		return k.dryCommit(ctx, r)
	}
	switch r.Actions {
	case "NONE":
		return k.pushAll(ctx, r)
	case "FORCE":
		for name := range k.agent.wanted(ServiceKind) {
			if r.Instance == "" || name == r.Instance {
				if err := k.agent.Retry(ctx, ServiceKind+"/"+name, operator(r)); err != nil {
					return service.CommitResult{}, err
				}
			}
		}
	}
	if r.Instance != "" && k.agent.wanted(ServiceKind)[r.Instance] == nil {
		return service.CommitResult{}, fmt.Errorf("there is no service instance %s in any source", r.Instance)
	}
	k.agent.lookAgain(ctx)
	return k.await(ctx, r)
}

func operator(r service.CommitRequest) string { return "user " + r.User + " of the service API" }

// awaitEvery is how often a commit looks whether the loop is done with it.
const awaitEvery = 20 * time.Millisecond

// await waits until the loop has nothing to do any more with the services, and
// gives the first failure of one.
func (k *Services) await(ctx context.Context, r service.CommitRequest) (service.CommitResult, error) {
	out := service.CommitResult{}
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		all, err := k.ServiceStatus(ctx)
		if err != nil {
			return out, err
		}
		busy, failure := false, ""
		for _, s := range all {
			if r.Instance != "" && s.Name != r.Instance {
				continue
			}
			switch s.State {
			case "pending", "running":
				busy = true
			case "waiting", "failed", "broken":
				if k.isAsked(s.Name) {
					busy = true
					continue
				}
				failure = s.Name + ": " + s.Reason
				if s.Problems.Err() != nil {
					failure = s.Name + ": " + s.Problems.Err().Error()
				}
			}
			if s.Rejected != "" && s.Rejected == s.Want {
				failure = s.Name + ": " + s.Reason
			}
			out.Devices = append(out.Devices, s.Devices...)
		}
		if !busy {
			slices.Sort(out.Devices)
			out.Devices = slices.Compact(out.Devices)
			if failure != "" {
				return out, errors.New(failure)
			}
			return out, nil
		}
		out.Devices = nil
		select {
		case <-tick.C:
		case <-ctx.Done():
			return out, context.Cause(ctx)
		}
	}
}

// pushAll has the devices put right that the request names.
func (k *Services) pushAll(ctx context.Context, r service.CommitRequest) (out service.CommitResult, err error) {
	for _, d := range k.Devices.Devices() {
		if d.Disabled || !named(r, d) {
			continue
		}
		out.Devices = append(out.Devices, d.Name)
		err = errors.Join(err, k.Devices.Sync(ctx, d.Name))
	}
	if len(out.Devices) == 0 {
		return out, errors.New("No devices are selected (or no devices exist) and you have requested commit PUSH") //nolint:staticcheck // the words of the API
	}
	return out, err
}

// named says whether a request is about a device: by its name, by one of its
// groups, or because it names none.
func named(r service.CommitRequest, d device.Status) bool {
	matches := func(globs []string, names ...string) bool {
		return slices.ContainsFunc(globs, func(g string) bool {
			return slices.ContainsFunc(names, func(n string) bool {
				ok, err := path.Match(g, n)
				return ok && err == nil
			})
		})
	}
	return len(r.Devices)+len(r.Groups) == 0 || matches(r.Devices, d.Name) || matches(r.Groups, d.Groups...)
}

// dryCommit gives the differences that a commit would make.
func (k *Services) dryCommit(ctx context.Context, r service.CommitRequest) (service.CommitResult, error) {
	out := service.CommitResult{Diff: map[string]string{}}
	var works []Work
	if r.Actions == "FORCE" {
		for name, res := range k.agent.wanted(ServiceKind) {
			if r.Instance == "" || name == r.Instance {
				works = append(works, Work{Change: Change{Kind: ServiceKind, Name: name, Source: res.Source}, Resource: res, Record: Record{Retry: &Request{}}})
			}
		}
	} else {
		k.agent.lookAgain(ctx)
		works = k.agent.pendingWorks(ServiceKind)
	}
	for _, p := range k.Render(ctx, works) {
		if p.Error != "" {
			return out, fmt.Errorf("%s: %s", p.Device, p.Error)
		}
		if p.Diff != "" {
			out.Devices = append(out.Devices, p.Device)
			out.Diff[p.Device] = p.Diff
		}
	}
	if len(out.Devices) == 0 {
		out.Reason = "No device configuration changed, no push necessary"
	}
	if r.Push == "VALIDATE" {
		out.Warning = "nothing was sent to the devices, which validate what is committed"
	}
	return out, nil
}

// lookAgain has every source looked at, and gives the loop its turn.
func (a *Agent) lookAgain(ctx context.Context) {
	a.refresh(ctx)
	a.hint()
}

// pendingWorks gives what the loop would do with one kind, now or as soon as what
// it waits for allows.
func (a *Agent) pendingWorks(kind string) (out []Work) {
	a.mu.Lock()
	defer a.mu.Unlock()
	changes, works := a.plan()
	for _, c := range changes {
		if c.Kind == kind && (c.Operation == OpRun || c.Operation == OpRemove || c.Operation == OpWait) {
			out = append(out, works[c.Kind+"/"+c.Name])
		}
	}
	return out
}
