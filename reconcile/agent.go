package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/sse"
)

// SourceConfig is one source with what it is granted.
type SourceConfig struct {
	Source   sources.Source
	Type     string // git, dir or file
	Policy   Policy
	As       string // what the resource of a file source is called, "" for the file's name
	Explicit bool   // acted upon once at every start, whatever the record says
}

// Config is what an Agent is made of. Store, Publish and Kinds are required.
type Config struct {
	Sources  []SourceConfig
	Kinds    []Kind
	Store    store.Store
	Publish  func(sse.Event)
	Grace    time.Duration // how long running work may go on after the context ended
	MaxRuns  int           // changes that are applied at the same time
	Baseline bool          // what a source holds when it is first seen counts as done
	MaxPrune int           // resources that may leave a source at once, 0: less than half of five or more
	Now      func() time.Time
	Jitter   func() float64 // 0..1, spreads retries
}

// Agent is the loop and what it knows. All methods are safe for concurrent use.
type Agent struct {
	Config
	kinds   map[string]Kind
	started time.Time
	wake    chan struct{} // capacity 1: look again

	mu        sync.Mutex
	order     []string
	sources   map[string]*sourceState
	want      map[string]*Resource
	refused   map[string]refusal  // wanted, and not for this host; see arrange
	yields    map[string][]string // what has to be gone first; see arrange
	needs     map[string][]string // what has to be well first; see waves
	problems  problem.List
	records   map[string]Record
	claims    map[string]string
	holds     map[string]Hold      // by source, "" for the agent
	pins      map[string]Hold      // by source
	gates     [gates]chan struct{} // capacity 1: see commit
	marks     map[string]mark      // by source
	busy      map[string]*activity
	backoff   map[string]*trouble
	explicit  map[string]bool
	left      map[string]time.Time // when what is gone was found to be; see leave
	promises  map[string]*promise  // by key: the changes of a saved plan that alone are carried out; nil: all
	since     map[string]firstSeen
	told      map[string]bool // problems that were published
	observed  map[string]Observed
	broken    map[string]error // parts that make the agent degraded, by name
	once      bool
	following bool // the loop runs and looks at the sources by itself
	failed    bool // something failed in this life
	stopping  bool

	work sync.WaitGroup
	ctx  context.Context // of all work; its cause says why work has to end
	stop context.CancelCauseFunc
	// halted ends when the agent begins to stop: nothing new is begun from then
	// on, while work that began may go on for the grace period.
	halted context.Context
	halt   context.CancelFunc
}

// sourceState is what is known of one source.
type sourceState struct {
	config  SourceConfig
	load    *loader
	kick    chan struct{} // capacity 1: take a snapshot
	turn    chan struct{} // capacity 1: held by the one look that is under way
	snap    *sources.Snapshot
	desired Desired
	looked  bool      // at least one look is over
	began   time.Time // when the last look that is over began
	status  SourceStatus
}

// trouble is the backoff of one resource.
type trouble struct {
	times  int
	until  time.Time
	reason string
	digest string
}

// New makes an agent and reads its records. Nothing runs before Run or Once.
func New(ctx context.Context, c Config) (*Agent, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Jitter == nil {
		c.Jitter = func() float64 { return 0.5 }
	}
	if c.MaxRuns <= 0 {
		c.MaxRuns = 8
	}
	a := &Agent{
		Config: c, kinds: map[string]Kind{}, started: c.Now(), wake: make(chan struct{}, 1),
		sources: map[string]*sourceState{}, want: map[string]*Resource{}, records: map[string]Record{}, claims: map[string]string{},
		holds: map[string]Hold{}, pins: map[string]Hold{}, marks: map[string]mark{}, busy: map[string]*activity{}, backoff: map[string]*trouble{}, explicit: map[string]bool{}, left: map[string]time.Time{},
		since: map[string]firstSeen{}, told: map[string]bool{}, observed: map[string]Observed{}, broken: map[string]error{},
	}
	a.ctx, a.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	a.halted, a.halt = context.WithCancel(context.Background())
	for i := range a.gates {
		a.gates[i] = make(chan struct{}, 1)
	}
	for _, k := range c.Kinds {
		a.kinds[k.Name()] = k
	}
	for _, s := range c.Sources {
		name := s.Source.Name()
		a.order = append(a.order, name)
		a.sources[name] = &sourceState{
			config: s, kick: make(chan struct{}, 1), turn: make(chan struct{}, 1), load: &loader{kinds: c.Kinds, policy: s.Policy, as: s.As},
			status: SourceStatus{Name: name, Location: s.Source.Location(), Type: s.Type},
		}
	}
	return a, a.restore(ctx)
}

// LostState is the write that makes an agent start in hold: its records are
// gone while other traces of an earlier life are there, so that nobody can say
// what was done already.
func LostState(why string, now time.Time) store.Op {
	return store.Put(keyHold, encode(Hold{By: "abide", Reason: why, Since: now}))
}

// Keys of the store. Holds and claims can't be rebuilt from anything else.
const (
	keyRecord  = "record/"
	keyApplied = "applied/"
	keyHold    = "hold/"
	keyPin     = "pin/"
	keyClaim   = "claim/"
	keySource  = "source/"
)

// NotRebuildable are the prefixes that the store copies to its backup.
func NotRebuildable() []string { return []string{keyHold, keyPin, keyClaim} }

func (a *Agent) restore(ctx context.Context) error {
	return errors.Join(
		each(ctx, a.Store, keyRecord, func(_ string, r Record) { a.records[r.Kind+"/"+r.Name] = r }),
		each(ctx, a.Store, keyHold, func(_ string, h Hold) { a.holds[h.Source] = h }),
		each(ctx, a.Store, keyPin, func(_ string, h Hold) { a.pins[h.Source] = h }),
		each(ctx, a.Store, keySource, func(name string, m mark) { a.marks[name] = m }),
		each(ctx, a.Store, keyClaim, func(key, source string) { a.claims[key] = source }),
	)
}

// each decodes the entries below prefix. An entry that can't be read is an
// error: guessing at what was done is worse than asking.
func each[T any](ctx context.Context, s store.Store, prefix string, f func(key string, v T)) error {
	entries, _, err := s.List(ctx, prefix, "", 0)
	if err != nil {
		return fmt.Errorf("the state can't be read: %w", err)
	}
	for _, e := range entries {
		var v T
		if err := json.Unmarshal(e.Value, &v); err != nil {
			return fmt.Errorf("the state's entry %s can't be read: %w; restore the state directory from a backup, or move it away", e.Key, err)
		}
		f(e.Key[len(prefix):], v)
	}
	return nil
}

// Go runs f as part of the agent's work, which a shutdown waits for and, after
// the grace period, ends through f's context. It gives false when the agent is
// stopping: then f does not run.
func (a *Agent) Go(f func(ctx context.Context)) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopping {
		return false
	}
	a.work.Go(func() { f(a.ctx) })
	return true
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own types always encode
	}
	return b
}

// hint makes the loop look again. It never blocks.
func (a *Agent) hint() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// degrade marks a part as broken, or as well again with a nil error, and tells
// when that changes the agent's health.
func (a *Agent) degrade(part string, err error) {
	a.mu.Lock()
	was, is := a.broken[part], err
	if err != nil {
		a.broken[part] = err
	} else {
		delete(a.broken, part)
	}
	a.mu.Unlock()
	switch {
	case was == nil && is != nil:
		a.Publish(sse.Event{Type: sse.TypeHealth, Level: sse.Error, Message: part + ": " + is.Error(), Fields: map[string]any{"status": "degraded"}})
	case was != nil && is == nil:
		a.Publish(sse.Event{Type: sse.TypeHealth, Level: sse.Success, Message: part + " is well again", Fields: map[string]any{"status": "healthy"}})
	}
}
