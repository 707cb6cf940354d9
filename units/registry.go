package units

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// RegistrySource is the name of the source that the registry is.
const RegistrySource = "fleet-api"

// MaxUnits bounds what callers of the API may create.
const MaxUnits = 10_000

// Keeper keeps what must outlive the agent: values under keys, written by the
// registry alone. The store of the agent fills it in.
type Keeper interface {
	// Load gives all that was ever saved and not taken away.
	Load(ctx context.Context) (map[string][]byte, error)
	// Save writes all of the keys in one step or none of them, a nil value
	// taking its key away, and returns when that is durable. It is called from
	// many goroutines at a time, never for one key by two.
	Save(ctx context.Context, writes map[string][]byte) error
}

// Stored is one unit of the registry. It is never changed once it was given out.
type Stored struct {
	Name    string
	Options []Option // as they read back from Text
	Text    string
	Hash    string // see [Hash]
	Desired State
	Created time.Time
	Changed time.Time // of Text or Desired
}

// Wish is what somebody wants of a unit in the registry.
type Wish struct {
	Options []Option // nil: those it has
	Desired State
}

// The errors of the registry that a caller can act on.
var (
	ErrNoUnit = errors.New("unit does not exist")
	ErrFull   = fmt.Errorf("the registry holds %d units already; delete some first", MaxUnits)
	// ErrNotKept wraps a failure of the Keeper: nothing has changed.
	ErrNotKept = errors.New("the registry of units can't be written")
)

// Registry holds the units that were created through the API, in memory for
// reading and in its [Keeper] for good. It is a source of desired state like any
// other, see [Registry.Tree]. All methods are safe for concurrent use; changes
// of one unit wait for each other, those of different ones don't.
type Registry struct {
	keeper  Keeper
	now     func() time.Time
	changed func()
	names   turns // who is changing a unit
	hosts   turns // who is changing metadata

	mu       sync.RWMutex
	units    map[string]*Stored
	order    []*Stored // by name
	tree     *Tree     // of the present state, once somebody asked
	metadata map[string]map[string]string
	held     int // units that are there or are being created
}

// RegistryOptions are what a Registry is made of. Keeper is required. Changed is
// called after every change, without a lock held; it must not block.
type RegistryOptions struct {
	Keeper  Keeper
	Changed func()
	Now     func() time.Time // time.Now when nil
}

// OpenRegistry reads what was kept. An entry that can't be read is left alone
// and becomes a problem; it never keeps the others from being read.
func OpenRegistry(ctx context.Context, o RegistryOptions) (*Registry, problem.List, error) {
	r := &Registry{
		keeper: o.Keeper, now: o.Now, changed: o.Changed,
		units: map[string]*Stored{}, metadata: map[string]map[string]string{},
	}
	if r.now == nil {
		r.now = time.Now
	}
	if r.changed == nil {
		r.changed = func() {}
	}
	kept, err := o.Keeper.Load(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("the registry of units can't be read: %w", err)
	}
	var faults problem.List
	for key, value := range kept {
		if err := r.restore(key, value); err != nil {
			faults = append(faults, problem.Problem{
				Severity: problem.Error, Message: fmt.Sprintf("the entry %s of the registry of units can't be read: %v", clip(key), err),
				Hint: "create the unit again; the entry is left as it is until then",
			})
		}
	}
	slices.SortFunc(r.order, byName)
	r.held = len(r.order)
	slices.SortFunc(faults, func(a, b problem.Problem) int { return strings.Compare(a.Message, b.Message) })
	return r, faults, nil
}

func byName(a, b *Stored) int { return strings.Compare(a.Name, b.Name) }

// The keys of the keeper.
const (
	unitKey    = "unit/"
	machineKey = "machine/"
)

// kept is the durable form of a unit.
type kept struct {
	Text    string    `json:"text"`
	Desired State     `json:"desired"`
	Created time.Time `json:"created"`
	Changed time.Time `json:"changed"`
}

func (r *Registry) restore(key string, value []byte) error {
	if id, ok := strings.CutPrefix(key, machineKey); ok {
		m := map[string]string{}
		if err := json.Unmarshal(value, &m); err != nil {
			return err
		}
		r.metadata[id] = m
		return nil
	}
	name, ok := strings.CutPrefix(key, unitKey)
	if !ok {
		return errors.New("it is of a kind that this version doesn't know")
	}
	var k kept
	if err := json.Unmarshal(value, &k); err != nil {
		return err
	}
	options, err := Parse(k.Text)
	if err != nil {
		return err
	}
	if !k.Desired.valid() {
		return fmt.Errorf("%q is no state", k.Desired)
	}
	s := &Stored{Name: name, Options: options, Text: k.Text, Hash: Hash(options), Desired: k.Desired, Created: k.Created, Changed: k.Changed}
	r.units[name], r.order = s, append(r.order, s)
	return nil
}

func (s State) valid() bool { return s == Inactive || s == Loaded || s == Launched }

// ParseState reads a state, in fleet's words also for what is none.
func ParseState(word string) (State, error) {
	if s := State(word); s.valid() {
		return s, nil
	}
	return "", fmt.Errorf("invalid value %q for JobState", word)
}

// Rank orders the states: inactive below loaded below launched.
func (s State) Rank() int { return slices.Index([]State{Inactive, Loaded, Launched}, s) }

// Get gives one unit.
func (r *Registry) Get(name string) (*Stored, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	s, ok := r.units[name]
	return s, ok
}

// After gives at most limit units whose names follow after, in their order.
func (r *Registry) After(after string, limit int) []*Stored {
	r.mu.RLock()
	defer r.mu.RUnlock()
	i, found := slices.BinarySearchFunc(r.order, after, func(s *Stored, name string) int { return cmp.Compare(s.Name, name) })
	if found {
		i++
	}
	return slices.Clone(r.order[i:min(i+limit, len(r.order))])
}

// Tree gives all units as files, with a revision.
func (r *Registry) Tree() *Tree {
	r.mu.RLock()
	tree := r.tree
	r.mu.RUnlock()
	if tree != nil {
		return tree
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tree == nil {
		r.tree = newTree(r.order)
	}
	return r.tree
}
