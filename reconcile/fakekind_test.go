package reconcile

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sources"
)

// fakeKind is a family whose resources are the files below its directory. A line
// "after: A B" names what one waits for, "schedule: CRON|ZONE" when alone it comes
// due, "fail", "reject" and "broken" what becomes of it.
type fakeKind struct {
	name    string
	applied func(Change)

	mu   sync.Mutex
	have Observed
	sick map[string]string // what is there instead of what is applied
	did  []string
}

func (k *fakeKind) Name() string                                 { return k.name }
func (k *fakeKind) Wants(path string) bool                       { return strings.HasPrefix(path, k.name+"s/") }
func (k *fakeKind) Claims(File) (bool, string)                   { return true, "" }
func (k *fakeKind) Parse(file File) any                          { return string(file.Data) }
func (k *fakeKind) Describe(*Change, *Resource, []byte)          {}
func (k *fakeKind) Lane(c Change) string                         { return c.Name }
func (k *fakeKind) set(name, digest string)                      { k.mu.Lock(); k.have[name] = digest; k.mu.Unlock() }
func (k *fakeKind) Watch(ctx context.Context, hint func()) error { <-ctx.Done(); return nil }

func (k *fakeKind) Load(_ *sources.Snapshot, file File, parsed any, _ Policy) Resource {
	r := Resource{Kind: k.name, Name: strings.TrimPrefix(file.Path, k.name+"s/"), Text: file.Data, Digest: textDigest(file.Data)}
	for line := range strings.Lines(parsed.(string)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "after":
			r.After = strings.Fields(value)
		case "broken":
			r.Problems = problem.List{{Severity: problem.Error, File: file.Path, Message: "it is broken", Hint: "mend it"}}
		case "schedule":
			expr, zone, _ := strings.Cut(value, "|")
			s, err := runner.ParseSchedule(expr, zone)
			if err != nil {
				panic(err)
			}
			r.Schedule, r.Manual = s, true
		}
	}
	return r
}

func (k *fakeKind) Observe(context.Context) (Observed, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := Observed{}
	for name, digest := range k.have {
		out[name] = digest
	}
	return out, nil
}

func (k *fakeKind) Apply(_ context.Context, batch []Work, report func(Work, Outcome)) {
	for _, w := range batch {
		k.mu.Lock()
		k.did = append(k.did, string(w.Change.Operation)+" "+k.name+"/"+w.Change.Name)
		if k.applied != nil {
			k.applied(w.Change)
		}
		o := Outcome{Last: Last{Digest: w.Change.Digest, Revision: w.Change.Revision, Result: Succeeded}}
		switch text := ""; {
		case w.Change.Operation == OpRemove:
			delete(k.have, w.Change.Name)
		default:
			if text = string(w.Resource.Text); strings.Contains(text, "fail") {
				o.Last.Result, o.Last.Reason = Failed, "as asked for"
			} else if strings.Contains(text, "reject") {
				o = Outcome{Rejected: w.Change.Digest}
			} else if k.have != nil {
				k.have[w.Change.Name] = w.Change.Digest
				if digest := k.sick[w.Change.Name]; digest != "" {
					o.Last.Result, k.have[w.Change.Name] = Failed, digest
				}
			}
		}
		k.mu.Unlock()
		report(w, o)
	}
}

// count gives how many are there.
func (k *fakeKind) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.have)
}

// spoil makes what is there of a resource another digest, whatever is applied.
func (k *fakeKind) spoil(name, digest string) {
	k.set(name, digest)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sick = map[string]string{name: digest}
}

// take gives what was done, sorted.
func (k *fakeKind) take() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := k.did
	k.did = nil
	slices.Sort(out)
	return out
}
