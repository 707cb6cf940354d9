package netconf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// yard is where a pool finds its devices, all in this process.
type yard struct {
	ctx    context.Context
	all    sync.WaitGroup
	mu     sync.Mutex
	down   map[string]bool
	cut    map[string]context.CancelFunc // ends the device's last session
	dials  []string                      // name and time since the beginning
	began  time.Time
	slow   time.Duration
	logins int
	mostAt int // a time
	events []string
}

func newYard(t *testing.T) *yard {
	return &yard{ctx: t.Context(), down: map[string]bool{}, cut: map[string]context.CancelFunc{}, began: time.Now()}
}

func (y *yard) dial(ctx context.Context, t Target) (*Session, error) {
	y.mu.Lock()
	y.dials = append(y.dials, fmt.Sprintf("%s@%v", t.Addr, time.Since(y.began)))
	down := y.down[t.Addr]
	y.logins++
	y.mostAt = max(y.mostAt, y.logins)
	y.mu.Unlock()
	defer func() { y.mu.Lock(); y.logins--; y.mu.Unlock() }()
	time.Sleep(y.slow)
	if down {
		return nil, errors.New("it is down")
	}
	ours, theirs := net.Pipe()
	peer, cut := context.WithCancel(y.ctx)
	context.AfterFunc(peer, func() { theirs.Close() })
	y.mu.Lock()
	y.cut[t.Addr] = cut
	y.mu.Unlock()
	y.all.Go(func() { defer cut(); answerAll(peer, NewConn(theirs, ConnOptions{})) })
	return Open(ctx, ours, t.Options)
}

func (y *yard) tell(e PoolEvent) {
	y.mu.Lock()
	defer y.mu.Unlock()
	text := e.Name + " up"
	if e.Session == nil {
		text = fmt.Sprintf("%s %v %v", e.Name, e.Retry, e.Err)
	}
	y.events = append(y.events, text)
}

func (y *yard) set(name string, down bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.down[name] = down
	if cut := y.cut[name]; cut != nil {
		cut()
	}
}

func (y *yard) took() (dials, events string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	dials, events = strings.Join(y.dials, " "), strings.Join(y.events, "\n")
	y.dials, y.events = nil, nil
	return dials, events
}

// bubble runs a test of a pool with all its devices in a time of its own.
func bubble(t *testing.T, c PoolConfig, f func(t *testing.T, y *yard, p *Pool)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t)
		c.Dial, c.Tell = y.dial, y.tell
		if c.Jitter == nil {
			c.Jitter = func() float64 { return 1 }
		}
		p := NewPool(c)
		f(t, y, p)
		p.Close()
		y.all.Wait()
	})
}

func target(name string) map[string]Target { return map[string]Target{name: {Addr: name}} }

func TestPoolBackoff(t *testing.T) {
	bubble(t, PoolConfig{Most: 10 * time.Second}, func(t *testing.T, y *yard, p *Pool) {
		y.set("a", true)
		p.Set(target("a"))
		time.Sleep(40 * time.Second)
		synctest.Wait()
		if dials, _ := y.took(); dials != "a@0s a@1s a@3s a@7s a@15s a@25s a@35s" {
			t.Errorf("dialled %s", dials)
		}
		_, err := p.Session(t.Context(), "a")
		u, ok := errors.AsType[*UnreachableError](err)
		if !ok || u.Next.Sub(y.began) != 45*time.Second || !strings.Contains(err.Error(), "it is down") {
			t.Errorf("the session is refused with %v", err)
		}
		y.set("a", false)
		p.Wake("a")
		synctest.Wait()
		s, err := p.Session(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Discard(t.Context()); err != nil {
			t.Error(err)
		}
		if dials, _ := y.took(); dials != "a@40s" {
			t.Errorf("dialled %s", dials)
		}
		if again, err := p.Session(t.Context(), "a"); again != s || err != nil {
			t.Error("another session", err)
		}
	})
}

func TestPoolLoss(t *testing.T) {
	bubble(t, PoolConfig{}, func(t *testing.T, y *yard, p *Pool) {
		p.Set(target("a"))
		first, err := p.Session(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		y.set("a", false) // the session that held ends: the next begins at once
		synctest.Wait()
		second, err := p.Session(t.Context(), "a")
		if err != nil || second == first {
			t.Fatal("no new session", err)
		}
		y.set("a", false) // this one did not hold
		synctest.Wait()
		if _, err := p.Session(t.Context(), "a"); err == nil {
			t.Error("there is a session with a device that throws us out")
		}
		time.Sleep(time.Minute)
		dials, events := y.took()
		if dials != "a@0s a@1h0m0s a@1h0m1s" {
			t.Errorf("dialled %s", dials)
		}
		if want := "a up\na 0s the device ended the session\na up\na 1s the device ended the session\na up"; events != want {
			t.Errorf("told\n%s\nwant\n%s", events, want)
		}
	})
}

func TestPoolSet(t *testing.T) {
	bubble(t, PoolConfig{Parallel: 2}, func(t *testing.T, y *yard, p *Pool) {
		y.slow = time.Second
		targets := map[string]Target{}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			targets[name] = Target{Addr: name}
		}
		p.Set(targets)
		kept := map[string]*Session{}
		for name := range targets {
			s, err := p.Session(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			kept[name] = s
		}
		if took := time.Since(y.began); took != 3*time.Second || y.mostAt != 2 {
			t.Errorf("5 logins of 1 s each, 2 at a time, took %v, with %d at a time", took, y.mostAt)
		}
		delete(targets, "a")
		targets["b"] = Target{Addr: "b", User: "another"}
		p.Set(targets)
		for _, name := range []string{"a", "b"} {
			if !ended(kept[name]) || !errors.Is(kept[name].Err(), ErrClosed) {
				t.Errorf("the session with %s goes on: %v", name, kept[name].Err())
			}
		}
		if _, err := p.Session(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "no device a") {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if _, err := p.Session(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a session that is being made is given too early: %v", err)
		}
		if s, err := p.Session(t.Context(), "b"); err != nil || s == kept["b"] {
			t.Error("no new session with b", err)
		}
		if s, err := p.Session(t.Context(), "c"); err != nil || s != kept["c"] {
			t.Error("the session with c was not kept", err)
		}
		p.Wake("nobody")
	})
}

func TestPoolWait(t *testing.T) {
	t.Parallel()
	p := NewPool(PoolConfig{})
	for i := range 100 {
		d := min(time.Second<<min(i, 20), 5*time.Minute)
		if w := p.wait(i); w < d/2 || w > d {
			t.Errorf("after %d failures it waits for %v, of %v", i, w, d)
		}
	}
}
