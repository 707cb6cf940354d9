package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aymanbagabas/go-udiff"

	"github.com/abide-agent/abide/sse"
	"github.com/abide-agent/abide/units"
)

// UnitKind is the name of the kind.
const UnitKind = "unit"

// UnitConfig is what the kind of units is made of.
type UnitConfig struct {
	Engine  units.Engine
	Drift   units.Drift // where neither the unit nor its source says otherwise
	Publish func(sse.Event)
	Board   *units.Board         // where the API reads; nil: nobody does
	Machine func() units.Machine // this one, as [X-Fleet] chooses it; nil: one without a name
	Host    string
	Labels  map[string]string
	Wait    time.Duration // for the units of a batch before others go on; a second when zero
	Now     func() time.Time
}

// Units is the [Kind] of systemd units. What is there is observed all the time;
// a wish is fulfilled when the files on disk and the state of the unit are as
// wanted, and anything else is drift.
type Units struct {
	UnitConfig
	agent *Agent

	mu       sync.Mutex
	pinned   map[string]units.Live         // what stands on the board
	repairs  map[string]map[string]*repair // by unit and kind of trouble
	drifted  map[string]string             // the trouble that was reported of a unit
	slow     map[string]bool               // units whose job did not end in time
	working  map[string]bool               // units that Apply is at
	begun    int                           // how often it began
	seen     map[string]*sighting          // what was last seen of the others
	declared map[string]*Resource          // what stands on the board as declared
	kept     map[string]*Resource          // those of sources that were not read yet
}

var (
	_ Kind       = (*Units)(nil)
	_ Selector   = (*Units)(nil)
	_ Overlapper = (*Units)(nil)
	_ Arranger   = (*Units)(nil)
	_ Noter      = (*Units)(nil)
	_ Restorer   = (*Units)(nil)
	_ Watcher    = (*Units)(nil)
)

// NewUnits makes the kind. Attach completes it.
func NewUnits(c UnitConfig) *Units {
	if c.Wait == 0 {
		c.Wait = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Drift == "" {
		c.Drift = units.DriftRepair
	}
	return &Units{UnitConfig: c, pinned: map[string]units.Live{}, repairs: map[string]map[string]*repair{}, drifted: map[string]string{}, slow: map[string]bool{}, working: map[string]bool{}, seen: map[string]*sighting{}}
}

// Attach gives the kind the agent that knows what is wanted.
func (k *Units) Attach(a *Agent) { k.agent = a }

// Name implements [Kind].
func (k *Units) Name() string { return UnitKind }

// Selects implements [Selector]: `[X-Abide] Hosts=`. What [X-Fleet] asks for is
// judged for all units together, see Arrange.
func (k *Units) Selects(r *Resource) (bool, string) { return meantFor(r.Hosts, k.Host, k.Labels) }

// Lane implements [Kind]: units are made true in batches, so that a batch costs
// one reload. Those whose jobs take long have a lane of their own, in which they
// hold up only one another.
func (k *Units) Lane(c Change) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.slow[c.Name] {
		return "slow units"
	}
	return quickUnits
}

const quickUnits = "units"

// Overlaps implements [Overlapper]: a batch is over when its last unit has been
// watched for a moment, and systemd need not stand idle meanwhile.
func (k *Units) Overlaps(lane string) bool { return lane == quickUnits }

// setSlow notes whether a unit's job takes long, and gives whether it did so
// before.
func (k *Units) setSlow(name string, slow bool) (before bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	before = k.slow[name]
	if slow {
		k.slow[name] = true
	} else {
		delete(k.slow, name)
	}
	return before
}

// Describe implements [Kind].
func (k *Units) Describe(c *Change, want *Resource, applied []byte) {
	switch {
	case want == nil:
		c.Details = append(c.Details, "it is stopped and its files are removed")
	case len(applied) == 0:
		c.Details = append(c.Details, "it is placed and brought to "+string(want.Spec.(*unitSpec).want))
		c.Details = append(c.Details, ignoredHere(want)...)
	case c.Digest == want.Digest && !bytes.Equal(applied, want.Text):
		c.Diff = udiff.Unified("a/"+want.File, "b/"+want.File, string(applied), string(want.Text))
		c.Details = append(c.Details, ignoredHere(want)...)
	default:
		if why := k.differs(c.Name); why != "" {
			c.Details = append(c.Details, why)
		}
	}
}

// ignoredHere tells what of a unit's file has no effect, as a detail.
func ignoredHere(r *Resource) []string {
	spec := r.Spec.(*unitSpec)
	if len(spec.ignored) == 0 {
		return nil
	}
	return []string{"without effect here, and without harm: " + strings.Join(spec.ignored, ", ")}
}

// Watch implements [Watcher].
func (k *Units) Watch(ctx context.Context, hint func()) error {
	err := k.Engine.Watch(ctx, func(string) { hint() })
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Apply implements [Kind].
func (k *Units) Apply(ctx context.Context, batch []Work, report func(Work, Outcome)) {
	works := map[string]Work{}
	var targets []units.Target
	ends := map[string]func(){}
	defer func() {
		for _, end := range ends {
			end()
		}
	}()
	for _, w := range batch {
		if period := k.patience(w); period > 0 {
			report(w, Outcome{Err: &Waiting{For: "the next try to repair it", Period: period}})
			continue
		}
		if restores(w) && units.Content(unbundle(w.Applied)) != contentOf(w.Change.Digest) {
			report(w, Outcome{Err: &Waiting{For: "what was last applied of it, which is not at hand any more", Period: maxRepairWait}})
			continue
		}
		works[w.Change.Name], ends[w.Change.Name] = w, k.begin(w.Change.Name)
		targets = append(targets, k.target(w))
	}
	if len(targets) == 0 {
		return
	}
	if err := k.Engine.Ping(ctx); err != nil {
		for _, w := range works {
			report(w, Outcome{Err: err})
		}
		return
	}
	k.Engine.Converge(ctx, targets, k.Wait, func(t units.Target, res units.Result) {
		w := works[t.Name]
		o := k.outcome(ctx, w, t, res)
		ends[t.Name]()
		delete(ends, t.Name)
		report(w, o)
	})
}

func (k *Units) target(w Work) units.Target {
	t := units.Target{Name: w.Change.Name, Source: w.Change.Source}
	if w.Change.Operation == OpRemove {
		t.Remove, t.Want = true, units.Inactive
		return t
	}
	if restores(w) {
		return restoration(w, t)
	}
	spec := w.Resource.Spec.(*unitSpec)
	t.Want, t.Text, t.DropIns, t.Digest, t.Probe = spec.want, spec.unit.Text, spec.unit.DropIns, spec.unit.Content, spec.unit.Abide.Probe
	t.Restart = len(w.Applied) == 0 || units.MeaningfulDigest(unbundle(w.Applied)) != spec.unit.Meaning
	return t
}

// Restores implements [Restorer].
func (k *Units) Restores() {}

// restores says whether a work puts right what was last applied, and not what is
// wanted now.
func restores(w Work) bool { return w.Resource != nil && w.Change.Digest != w.Resource.Digest }

// restoration is the target of putting right what was last applied.
func restoration(w Work, t units.Target) units.Target {
	t.Text, t.DropIns = unbundle(w.Applied)
	t.Digest = units.Content(t.Text, t.DropIns)
	_, t.Want = unwish(w.Change.Digest)
	parts := make([]units.Part, len(t.DropIns))
	for i, d := range t.DropIns {
		parts[i] = units.Part{Path: d.Name, Text: d.Text}
	}
	u, _ := units.Load(t.Name, units.Part{Path: t.Name, Text: t.Text}, parts)
	t.Probe = u.Abide.Probe
	return t
}

// outcome turns what an engine says of a target into what the record needs, and
// tells about it.
func (k *Units) outcome(ctx context.Context, w Work, t units.Target, res units.Result) Outcome {
	busy := errors.Is(res.Err, units.ErrBusy)
	slow := k.setSlow(w.Change.Name, busy)
	switch {
	case busy:
		return Outcome{Err: &Waiting{For: "its job, which goes on", Period: k.Wait}}
	case errors.Is(res.Err, units.ErrUnavailable):
		return Outcome{Err: res.Err}
	case res.Err == nil:
		if slow && len(res.Did) == 0 { // its job has ended since it was last looked at
			res.Did = []string{doneMeanwhile[t.Want]}
		}
		k.tellDone(w, res)
		return Outcome{Last: k.last(w, Succeeded, ""), Kept: restores(w)}
	}
	k.tellFailed(w, res)
	if repairs(w) { // it was as wanted once, so it is tried again, until the agent gives up
		return Outcome{Err: &Waiting{For: "the next try to repair it", Period: minRepairWait}}
	}
	if spec, ok := specOf(w); ok && spec.unit.Abide.Rollback && len(w.Applied) > 0 && !bytes.Equal(w.Applied, w.Resource.Text) {
		return k.rollBack(ctx, w, t, res.Err)
	}
	return Outcome{Last: k.last(w, Failed, res.Err.Error()), Kept: true}
}

// doneMeanwhile says what the job has done that took longer than its batch.
var doneMeanwhile = map[units.State]string{units.Launched: "started", units.Loaded: "stopped", units.Inactive: "stopped"}

func specOf(w Work) (*unitSpec, bool) {
	if w.Resource == nil {
		return nil, false
	}
	spec, ok := w.Resource.Spec.(*unitSpec)
	return spec, ok
}

func (k *Units) last(w Work, r Result, why string) Last {
	return Last{Digest: w.Change.Digest, Revision: w.Change.Revision, When: k.Now(), Result: r, Reason: why}
}

// rollbackWait is how long a unit has to be well again with its last good
// content: longer than for a change, since a rollback is tried only once.
const rollbackWait = 10 * time.Second

// rollBack puts the last good content of a unit back. The digest that failed is
// rejected; a rollback that fails too is a failure and never reads as success.
func (k *Units) rollBack(ctx context.Context, w Work, t units.Target, cause error) Outcome {
	t.Text, t.DropIns = unbundle(w.Applied)
	t.Digest, t.Restart = units.Content(t.Text, t.DropIns), true
	var back units.Result
	k.Engine.Converge(ctx, []units.Target{t}, rollbackWait, func(_ units.Target, r units.Result) { back = r })
	if back.Err != nil {
		k.tell(w, sse.TypeUnitFailed, sse.Error, fmt.Sprintf("Unit %s could not be rolled back either: %v", t.Name, back.Err), nil)
		return Outcome{Last: k.last(w, Failed, fmt.Sprintf("%v; the rollback failed too: %v", cause, back.Err)), Kept: true}
	}
	k.tell(w, sse.TypeUnitRolledBack, sse.Warning, fmt.Sprintf("Unit %s was rolled back to its last good content: %v", t.Name, cause), nil)
	return Outcome{Rejected: w.Change.Digest}
}
