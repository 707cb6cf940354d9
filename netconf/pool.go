package netconf

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"time"
)

// PoolConfig says how a [Pool] connects. The zero value is good.
type PoolConfig struct {
	Dial     func(ctx context.Context, t Target) (*Session, error) // nil is [Dial]
	Parallel int                                                   // logins at a time; 0 is 32
	First    time.Duration                                         // the wait after a first failure; 0 is 1 s
	Most     time.Duration                                         // which doubles up to this; 0 is 5 min
	Jitter   func() float64                                        // from [0, 1); nil is random
	// Tell is told of every change, in order for each device. It must not wait
	// for the pool.
	Tell func(PoolEvent)
}

// PoolEvent is what became of a device's session.
type PoolEvent struct {
	Name    string
	Session *Session      // the new one; nil when there is none now
	Err     error         // why there is none
	Retry   time.Duration // until the next attempt
}

// Pool keeps one session with each of many devices. What is lost is connected
// again: at once after a session that held, else after a wait that doubles. All
// methods are safe for concurrent use, but for Set and Close beside each other.
type Pool struct {
	config PoolConfig
	logins chan struct{} // who has put something in may log in

	mu      sync.Mutex
	members map[string]*member
}

// member is one device. Its fields below mu are guarded by the pool's.
type member struct {
	name   string
	target Target
	cancel context.CancelFunc
	done   chan struct{}
	wake   chan struct{}

	session *Session
	err     error         // of the attempt before the next
	next    time.Time     // when that is; zero when one is under way
	changed chan struct{} // closed at the next change of these
}

// NewPool makes an empty pool, to be closed.
func NewPool(c PoolConfig) *Pool {
	if c.Dial == nil {
		c.Dial = Dial
	}
	if c.Parallel <= 0 {
		c.Parallel = 32
	}
	if c.First <= 0 {
		c.First = time.Second
	}
	if c.Most <= 0 {
		c.Most = 5 * time.Minute
	}
	if c.Jitter == nil {
		c.Jitter = rand.Float64
	}
	if c.Tell == nil {
		c.Tell = func(PoolEvent) {}
	}
	return &Pool{config: c, logins: make(chan struct{}, c.Parallel), members: map[string]*member{}}
}

// UnreachableError tells that a device has no session and none is being made.
type UnreachableError struct {
	Name string
	Next time.Time // when it is tried again
	Err  error     // what the last attempt ended with
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("the device %s is not reachable: %v (tried again at %s)", e.Name, e.Err, e.Next.Format(time.TimeOnly))
}

func (e *UnreachableError) Unwrap() error { return e.Err }

// Set says which devices there are. Sessions with those that are new or whose
// target changed are begun, those with others that are gone are ended, which may
// take a few seconds; all others are left alone.
func (p *Pool) Set(targets map[string]Target) {
	p.mu.Lock()
	var gone []*member
	for name, m := range p.members {
		if t, ok := targets[name]; !ok || !reflect.DeepEqual(t, m.target) {
			gone = append(gone, m)
			delete(p.members, name)
		}
	}
	p.mu.Unlock()
	for _, m := range gone {
		m.cancel()
	}
	for _, m := range gone {
		<-m.done
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(targets)) {
		if p.members[name] != nil {
			continue
		}
		ctx, cancel := context.WithCancel(context.Background())
		m := &member{
			name: name, target: targets[name], cancel: cancel,
			done: make(chan struct{}), wake: make(chan struct{}, 1), changed: make(chan struct{}),
		}
		p.members[name] = m
		go func() {
			defer close(m.done)
			p.keep(ctx, m)
		}()
	}
}

// Close ends all sessions.
func (p *Pool) Close() { p.Set(nil) }

// Session gives the session with a device. It waits for one that is being made,
// and gives an *[UnreachableError] at once while the next attempt is some time off.
func (p *Pool) Session(ctx context.Context, name string) (*Session, error) {
	for {
		p.mu.Lock()
		m := p.members[name]
		if m == nil {
			p.mu.Unlock()
			return nil, fmt.Errorf("there is no device %s in the inventory", name)
		}
		s, err, next, changed := m.session, m.err, m.next, m.changed
		p.mu.Unlock()
		switch {
		case s != nil && !ended(s):
			return s, nil
		case s == nil && !next.IsZero():
			return nil, &UnreachableError{Name: name, Next: next, Err: err}
		}
		select {
		case <-changed:
		case <-m.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("the device %s was not connected in time: %w", name, context.Cause(ctx))
		}
	}
}

func ended(s *Session) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// Wake makes the next attempt at a device now.
func (p *Pool) Wake(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m := p.members[name]; m != nil {
		select {
		case m.wake <- struct{}{}:
		default:
		}
	}
}

// keep keeps a session with one device until the context ends.
func (p *Pool) keep(ctx context.Context, m *member) {
	for failures := 0; ctx.Err() == nil; {
		p.note(m, nil, m.err, time.Time{})
		s, err := p.login(ctx, m.target)
		if err == nil {
			began := time.Now()
			p.note(m, s, nil, time.Time{})
			p.config.Tell(PoolEvent{Name: m.name, Session: s})
			select {
			case <-s.Done():
				err = s.Err()
			case <-ctx.Done():
				bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
				s.Close(bound)
				cancel()
				err = s.Err()
			}
			if time.Since(began) >= p.config.First {
				failures = 0
				p.note(m, nil, err, time.Time{})
				p.config.Tell(PoolEvent{Name: m.name, Err: err})
				continue
			}
		}
		if ctx.Err() != nil {
			return
		}
		wait := p.wait(failures)
		failures++
		p.note(m, nil, err, time.Now().Add(wait))
		p.config.Tell(PoolEvent{Name: m.name, Err: err, Retry: wait})
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-m.wake:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// note keeps what is known of a device, and tells those who wait for it.
func (p *Pool) note(m *member, s *Session, err error, next time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.session, m.err, m.next = s, err, next
	close(m.changed)
	m.changed = make(chan struct{})
	select {
	case <-m.wake: // of before this
	default:
	}
}

// login dials when it is its turn.
func (p *Pool) login(ctx context.Context, t Target) (*Session, error) {
	select {
	case p.logins <- struct{}{}:
		defer func() { <-p.logins }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return p.config.Dial(ctx, t)
}

// wait gives how long to wait after so many failures in a row: from half of it
// to all of it, so that devices that were lost together don't come back together.
func (p *Pool) wait(failures int) time.Duration {
	d := p.config.First
	for range failures {
		if d *= 2; d >= p.config.Most {
			d = p.config.Most
			break
		}
	}
	return d/2 + time.Duration(p.config.Jitter()*float64(d/2))
}
