package device

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// memory is a [Keeper] that outlives a Manager.
type memory struct {
	mu      sync.Mutex
	entries map[string][]byte
	commits int
	full    bool
}

func (k *memory) Load(context.Context) ([]Write, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Write
	for key, value := range k.entries {
		out = append(out, Write{key, value})
	}
	return out, nil
}

func (k *memory) Commit(_ context.Context, writes ...Write) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full {
		return errors.New("no space left on device")
	}
	k.commits++
	for _, w := range writes {
		if w.Value == nil {
			delete(k.entries, w.Key)
		} else {
			k.entries[w.Key] = w.Value
		}
	}
	return nil
}

var errKilled = errors.New("killed")

// world is what outlives a Manager: devices and what is kept.
type world struct {
	t      testing.TB
	boxes  map[string]*box
	keep   *memory
	config Config
	descs  map[string]Device

	mu     sync.Mutex
	events []Event
	life   *life
	m      *Manager
}

// life is one process.
type life struct {
	w      *world
	mu     sync.Mutex
	dead   bool
	steps  int
	killAt int // the step at which it dies, from 1
	at     string
	end    context.CancelFunc
	ended  chan struct{}
}

// newWorld makes devices d1, d2, … of these kinds and starts a Manager.
func newWorld(t testing.TB, kindOf ...string) *world {
	w := &world{t: t, boxes: map[string]*box{}, keep: &memory{entries: map[string][]byte{}}, descs: map[string]Device{}}
	for i, kind := range kindOf {
		name := fmt.Sprintf("d%d", i+1)
		w.boxes[name] = newBox(name, kind)
		w.descs[name] = Device{Name: name, Addr: name, Confirmed: true}
	}
	w.start(0)
	t.Cleanup(func() { w.stop() })
	return w
}

// start begins a life that dies at a step, or never for 0.
func (w *world) start(killAt int) {
	w.t.Helper()
	l := &life{w: w, killAt: killAt, ended: make(chan struct{})}
	c := w.config
	c.Dial = l.dial
	c.Keep = l
	c.fail = l.step
	c.Tell = func(e Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.events = append(w.events, e)
	}
	m, err := New(context.Background(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	var devices []Device
	for _, d := range w.descs {
		devices = append(devices, d)
	}
	m.Inventory(devices)
	ctx, cancel := context.WithCancel(context.Background())
	l.end = cancel
	go func() {
		defer close(l.ended)
		_ = m.Run(ctx)
	}()
	w.life, w.m = l, m
}

// restartWith goes on with other settings.
func (w *world) restartWith(c Config) {
	w.t.Helper()
	w.stop()
	w.config = c
	w.start(0)
}

// stop ends the life in good order.
func (w *world) stop() {
	w.life.end()
	<-w.life.ended
}

// restart is the crash of a process and the start of the next.
func (w *world) restart() {
	w.t.Helper()
	w.life.die()
	w.stop()
	w.start(0)
}

func (l *life) die() {
	l.mu.Lock()
	l.dead = true
	l.mu.Unlock()
	for _, b := range l.w.boxes {
		b.cut()
	}
}

func (l *life) alive() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return errKilled
	}
	return nil
}

func (l *life) step(name string) error {
	l.mu.Lock()
	if !l.dead {
		l.steps++
	}
	dies := !l.dead && l.steps == l.killAt
	l.mu.Unlock()
	if dies {
		l.at = name
		l.die()
	}
	return l.alive()
}

func (l *life) Load(ctx context.Context) ([]Write, error) { return l.w.keep.Load(ctx) }

func (l *life) Commit(ctx context.Context, writes ...Write) error {
	if err := l.alive(); err != nil {
		return err
	}
	return l.w.keep.Commit(ctx, writes...)
}

func (l *life) dial(_ context.Context, d Device) (Session, error) {
	if err := l.alive(); err != nil {
		return nil, err
	}
	return l.w.boxes[d.Name].open()
}

// apply applies changes, all or none.
func (w *world) apply(mode Mode, changes ...Change) map[string]Result {
	w.t.Helper()
	return w.m.Apply(context.Background(), changes, Options{Mode: mode, Patience: 20 * time.Second})
}

// must applies changes and wants them to be made.
func (w *world) must(mode Mode, changes ...Change) {
	w.t.Helper()
	for owner, r := range w.apply(mode, changes...) {
		if r.Err != nil || len(r.Pending) > 0 {
			w.t.Fatalf("%s: %v, pending on %v", owner, r.Err, r.Pending)
		}
	}
}

// wants compares what runs on the devices.
func (w *world) wants(where string, want map[string]string) {
	w.t.Helper()
	for name, text := range want {
		if got := w.boxes[name].config(); !tree.Equal(mustParse(got), xml(text)) {
			w.t.Errorf("%s: %s has\n%s, want\n%s", where, name, got, xml(text).AppendXML(nil))
		}
	}
}

func mustParse(s string) *tree.Node {
	n, err := tree.Parse(strings.NewReader(s), tree.Limits{})
	if err != nil {
		panic(err)
	}
	return n
}

// quiet wants that nothing is left over anywhere.
func (w *world) quiet(where string) {
	w.t.Helper()
	for name, b := range w.boxes {
		b.mu.Lock()
		if len(b.locks) > 0 || b.pending != nil || !tree.Equal(b.candidate, b.running) {
			w.t.Errorf("%s: %s is left with locks %v, pending %v, candidate %s", where, name, b.locks, b.pending, b.candidate.AppendXML(nil))
		}
		b.mu.Unlock()
		if r := w.m.book.recordOf(name); !r.Settled() {
			w.t.Errorf("%s: the record of %s is unsettled: %+v", where, name, r)
		}
	}
	if n := len(w.m.book.decisions); n > 0 {
		w.t.Errorf("%s: %d decisions are left", where, n)
	}
}

// told counts the events of a type.
func (w *world) told(kind string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, e := range w.events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

// users gives the XML of a list of users, in the order of `name:key` words.
func users(words ...string) string {
	var b strings.Builder
	b.WriteString("<users>")
	for _, w := range words {
		name, key, _ := strings.Cut(w, ":")
		fmt.Fprintf(&b, "<user><name>%s</name>", name)
		if key != "" {
			fmt.Fprintf(&b, "<key>%s</key>", key)
		}
		b.WriteString("</user>")
	}
	return b.String() + "</users>"
}

// on gives one output for several devices.
func on(config string, devices ...string) map[string]*tree.Node {
	n := xml(config)
	out := map[string]*tree.Node{}
	for _, d := range devices {
		out[d] = n
	}
	return out
}

func same(config string, devices ...string) map[string]string {
	out := map[string]string{}
	for _, d := range devices {
		out[d] = config
	}
	return out
}

// inTime runs a test with a clock of its own.
func inTime(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}
