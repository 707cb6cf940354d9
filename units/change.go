package units

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// Change lets decide look at a unit (nil: it isn't there) and say what is wanted
// of it, without anybody changing it meanwhile. A nil Wish changes nothing, nor
// does one that the unit fulfils already. It returns when the change is durable,
// with the unit as it is then; an error of decide is given back as it is.
func (r *Registry) Change(ctx context.Context, name string, decide func(present *Stored) (*Wish, error)) (*Stored, error) {
	done, err := r.names.take(ctx, name)
	if err != nil {
		return nil, err
	}
	defer done()
	present, _ := r.Get(name)
	wish, err := decide(present)
	if err != nil || wish == nil {
		return present, err
	}
	next, err := r.next(name, present, wish)
	if err != nil || next == present {
		return present, err
	}
	if present == nil {
		if err := r.reserve(); err != nil {
			return nil, err
		}
	}
	value, err := json.Marshal(kept{next.Text, next.Desired, next.Created, next.Changed})
	if err == nil {
		err = r.save(ctx, map[string][]byte{unitKey + name: value})
	}
	if err != nil {
		if present == nil {
			r.release()
		}
		return present, err
	}
	r.mu.Lock()
	r.units[name], r.tree = next, nil
	if i, found := slices.BinarySearchFunc(r.order, next, byName); found {
		r.order[i] = next
	} else {
		r.order = slices.Insert(r.order, i, next)
	}
	r.mu.Unlock()
	r.changed()
	return next, nil
}

// next is the unit as it is wanted: present itself when nothing changes.
func (r *Registry) next(name string, present *Stored, wish *Wish) (*Stored, error) {
	now := r.now().UTC()
	next := &Stored{Name: name, Created: now, Changed: now, Desired: wish.Desired}
	if present != nil {
		next.Created, next.Text, next.Options, next.Hash = present.Created, present.Text, present.Options, present.Hash
	}
	if wish.Options != nil {
		next.Text = Serialize(wish.Options)
		read, err := Parse(next.Text)
		if err != nil {
			return nil, err
		}
		next.Options, next.Hash = read, Hash(read)
	}
	if present != nil && present.Text == next.Text && present.Desired == next.Desired {
		return present, nil
	}
	return next, nil
}

// Put creates a unit, or replaces its options and desired state.
func (r *Registry) Put(ctx context.Context, name string, options []Option, desired State) (*Stored, error) {
	return r.Change(ctx, name, func(*Stored) (*Wish, error) { return &Wish{Options: options, Desired: desired}, nil })
}

// SetDesired changes what is wanted of a unit, or gives [ErrNoUnit].
func (r *Registry) SetDesired(ctx context.Context, name string, desired State) (*Stored, error) {
	return r.Change(ctx, name, func(present *Stored) (*Wish, error) {
		if present == nil {
			return nil, ErrNoUnit
		}
		return &Wish{Desired: desired}, nil
	})
}

// Delete takes a unit away, or gives [ErrNoUnit].
func (r *Registry) Delete(ctx context.Context, name string) error {
	done, err := r.names.take(ctx, name)
	if err != nil {
		return err
	}
	defer done()
	present, ok := r.Get(name)
	if !ok {
		return ErrNoUnit
	}
	if err := r.save(ctx, map[string][]byte{unitKey + name: nil}); err != nil {
		return err
	}
	r.mu.Lock()
	delete(r.units, name)
	r.tree = nil
	r.held--
	if i, found := slices.BinarySearchFunc(r.order, present, byName); found {
		r.order = slices.Delete(r.order, i, i+1)
	}
	r.mu.Unlock()
	r.changed()
	return nil
}

// save is not cut short by a caller who goes away: whether something was written
// must be known.
func (r *Registry) save(ctx context.Context, writes map[string][]byte) error {
	if err := r.keeper.Save(context.WithoutCancel(ctx), writes); err != nil {
		return fmt.Errorf("%w: %w", ErrNotKept, err)
	}
	return nil
}

// reserve takes the place of a unit that is about to be created.
func (r *Registry) reserve() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.held >= MaxUnits {
		return ErrFull
	}
	r.held++
	return nil
}

func (r *Registry) release() {
	r.mu.Lock()
	r.held--
	r.mu.Unlock()
}

// turns lets one caller at a time work under a name.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// take waits until nobody else works under the name. The caller then has it
// until done.
func (t *turns) take(ctx context.Context, name string) (done func(), err error) {
	for {
		t.mu.Lock()
		other := t.busy[name]
		if other == nil {
			if t.busy == nil {
				t.busy = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			t.busy[name] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, name)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
