package device

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

const boxModel = `module box {
  yang-version 1.1; namespace "urn:box"; prefix b;
  container system {
    leaf hostname { type string; }
    leaf secret { type string; }
    leaf-list dns { type string; ordered-by user; }
    container users {
      list user { key name;
        leaf name { type string; }
        leaf key { type string; }
        leaf role { type string; }
      }
    }
  }
}`

var boxSchema = sync.OnceValue(func() *tree.Def {
	s, warnings := yang.Compile([]yang.Module{{Text: boxModel}})
	if len(warnings) > 0 {
		panic(warnings[0])
	}
	return s.Root()
})

// Kinds of boxes.
var kinds = map[string][]string{
	"persist":   {":candidate:1.0", ":confirmed-commit:1.1", ":validate:1.1", ":notification:1.0", ":interleave:1.0"},
	"confirmed": {":candidate:1.0", ":confirmed-commit:1.0"},
	"candidate": {":candidate:1.0"},
	"running":   {":writable-running:1.0", ":rollback-on-error:1.0", ":startup:1.0"},
	"plain":     {":writable-running:1.0"},
}

// fault is what goes wrong with one request.
type fault string

const (
	refuse    fault = "refuse"     // rpc-error, nothing is done
	busyFault fault = "busy"       // lock-denied
	cutBefore fault = "cut-before" // the session ends, nothing is done
	cutAfter  fault = "cut-after"  // it is done, and the answer is lost
	hang      fault = "hang"       // no answer, nothing is done
	lie       fault = "lie"        // ok, and nothing is done
)

// box is a device in memory, as RFC 6241 has it.
type box struct {
	name string
	caps []string

	mu        sync.Mutex
	running   *tree.Node
	candidate *tree.Node
	startup   *tree.Node
	stamp     string
	locks     map[netconf.Datastore]uint32
	pending   *pending
	sessions  map[uint32]*boxSession
	last      uint32
	down      bool
	faults    map[string][]fault // by request, one each, "" for none
	always    map[string]fault
	calls     []string
	edits     []*tree.Node
	strict    func(*tree.Node) error // what it refuses at commit
}

// pending is a confirmed commit that is not confirmed.
type pending struct {
	persist  string
	session  uint32
	rollback *tree.Node
	timer    *time.Timer
}

func newBox(name, kind string) *box {
	empty := &tree.Node{Name: tree.Name{Local: "config"}}
	b := &box{
		name: name, running: empty, candidate: empty, startup: empty, locks: map[netconf.Datastore]uint32{},
		sessions: map[uint32]*boxSession{}, faults: map[string][]fault{}, always: map[string]fault{},
	}
	for _, c := range kinds[kind] {
		b.caps = append(b.caps, "urn:ietf:params:netconf:capability"+c)
	}
	b.caps = append(b.caps, "urn:box?module=box&revision=2024-01-01")
	return b
}

func (b *box) open() (*boxSession, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return nil, errors.New("connection refused")
	}
	b.last++
	s := &boxSession{box: b, id: b.last, done: make(chan struct{}), notes: make(chan *tree.Node, 16)}
	b.sessions[s.id] = s
	return s, nil
}

// config gives what runs, as text.
func (b *box) config() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.running.AppendXML(nil))
}

// byHand changes running, as an operator does.
func (b *box) byHand(config string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(xml(config))
	for _, s := range b.sessions {
		if s.subscribed {
			s.notes <- change(7777)
		}
	}
}

func change(session uint32) *tree.Node {
	const space = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"
	e := func(local, value string, c ...*tree.Node) *tree.Node {
		return &tree.Node{Name: tree.Name{Space: space, Local: local}, Value: value, Children: c}
	}
	return &tree.Node{Name: tree.Name{Local: "notification"}, Children: []*tree.Node{
		e("netconf-config-change", "", e("changed-by", "", e("session-id", fmt.Sprint(session)))),
	}}
}

func (b *box) set(config *tree.Node) {
	b.running, b.candidate = config, config
	b.stamp = time.Now().UTC().Truncate(time.Second).Format(time.RFC3339)
}

func (b *box) cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.sessions {
		b.end(s)
	}
}

func (b *box) setDown(down bool) {
	b.mu.Lock()
	b.down = down
	b.mu.Unlock()
	if down {
		b.cut()
	}
}

// end is the end of a session: locks go, a confirmed commit of its own is undone.
func (b *box) end(s *boxSession) {
	if b.sessions[s.id] == nil {
		return
	}
	delete(b.sessions, s.id)
	for ds, id := range b.locks {
		if id == s.id {
			delete(b.locks, ds)
		}
	}
	if b.pending != nil && b.pending.persist == "" && b.pending.session == s.id {
		b.rollback()
	}
	close(s.done)
}

func (b *box) rollback() {
	b.pending.timer.Stop()
	b.set(b.pending.rollback)
	b.pending = nil
}

// boxSession is one session; it is a [Session].
type boxSession struct {
	box        *box
	id         uint32
	done       chan struct{}
	notes      chan *tree.Node
	subscribed bool
}

var errCut = errors.New("the device ended the session")

func no(tag, message string) error {
	return netconf.RPCErrors{{Type: "application", Tag: tag, Severity: "error", Message: message}}
}

// do carries a request out, with what goes wrong.
func (s *boxSession) do(ctx context.Context, op string, f func() error) error {
	b := s.box
	b.mu.Lock()
	b.calls = append(b.calls, op)
	which := b.always[op]
	if q := b.faults[op]; len(q) > 0 {
		which, b.faults[op] = q[0], q[1:]
	}
	defer b.mu.Unlock()
	if b.sessions[s.id] == nil {
		return errCut
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	switch which {
	case refuse:
		return no("operation-failed", op+" is refused")
	case busyFault:
		return no("lock-denied", "somebody else")
	case cutBefore:
		b.end(s)
		return errCut
	case cutAfter:
		_ = f()
		b.end(s)
		return errCut
	case hang:
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-s.done:
		}
		b.mu.Lock()
		return fmt.Errorf("no answer in time: %w", context.Cause(ctx))
	case lie:
		return nil
	}
	return f()
}

func (s *boxSession) ID() uint32                         { return s.id }
func (s *boxSession) Capabilities() netconf.Capabilities { return netconf.NewCapabilities(s.box.caps) }
func (s *boxSession) Notifications() <-chan *tree.Node   { return s.notes }
func (s *boxSession) Done() <-chan struct{}              { return s.done }

func (s *boxSession) Close(context.Context) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.end(s)
	return nil
}

func (s *boxSession) Lock(ctx context.Context, d netconf.Datastore) error {
	return s.do(ctx, "lock", func() error {
		b := s.box
		switch {
		case b.locks[d] != 0:
			err := no("lock-denied", "it is locked").(netconf.RPCErrors)
			id := &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: "session-id"}, Value: fmt.Sprint(b.locks[d])}
			err[0].Info = &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: "error-info"}, Children: []*tree.Node{id}}
			return err
		case d == netconf.Candidate && !tree.Equal(b.candidate, b.running):
			return no("lock-denied", "candidate has already been modified")
		case d == netconf.Running && b.pending != nil && b.pending.session != s.id:
			return no("lock-denied", "a confirmed commit is outstanding")
		}
		b.locks[d] = s.id
		return nil
	})
}

func (s *boxSession) Unlock(ctx context.Context, d netconf.Datastore) error {
	return s.do(ctx, "unlock", func() error {
		if s.box.locks[d] != s.id {
			return no("operation-failed", "not locked")
		}
		delete(s.box.locks, d)
		return nil
	})
}

func (s *boxSession) Discard(ctx context.Context) error {
	return s.do(ctx, "discard", func() error {
		s.box.candidate = s.box.running
		return nil
	})
}

func (s *boxSession) GetConfig(ctx context.Context, d netconf.Datastore, filter *tree.Node) (out *tree.Node, stamp string, err error) {
	err = s.do(ctx, "get", func() error {
		out, stamp = s.box.running, s.box.stamp
		if filter != nil && len(filter.Children) == 0 {
			out = &tree.Node{Name: tree.Name{Local: "config"}}
		}
		return nil
	})
	if err == nil && out == nil { // a lie
		out = &tree.Node{Name: tree.Name{Local: "config"}}
	}
	return out, stamp, err
}

func (s *boxSession) locked(ds ...netconf.Datastore) error {
	for _, d := range ds {
		if id := s.box.locks[d]; id != 0 && id != s.id {
			return no("in-use", "locked")
		}
	}
	return nil
}

func (s *boxSession) EditConfig(ctx context.Context, o netconf.EditOptions, edit *tree.Node) error {
	return s.do(ctx, "edit", func() error {
		b := s.box
		if err := s.locked(o.Target); err != nil {
			return err
		}
		from := b.candidate
		if o.Target == netconf.Running {
			from = b.running
		}
		b.edits = append(b.edits, edit)
		now, err := tree.ApplyEdit(from, edit, boxSchema())
		if err != nil {
			return no("data-missing", err.Error())
		}
		if o.Target == netconf.Running {
			if b.strict != nil {
				if err := b.strict(now); err != nil {
					if o.ErrorOption == "" { // what it has done by then stays
						b.set(now)
					}
					return err
				}
			}
			b.set(now)
			return nil
		}
		b.candidate = now
		return nil
	})
}

func (s *boxSession) Validate(ctx context.Context, d netconf.Datastore) error {
	return s.do(ctx, "validate", func() error { return nil })
}

func (s *boxSession) Commit(ctx context.Context, o netconf.CommitOptions) error {
	b := s.box
	b.mu.Lock()
	op := "commit"
	if !o.Confirmed && (o.PersistID != "" || b.pending != nil && b.pending.session == s.id) {
		op = "confirm"
	}
	b.mu.Unlock()
	return s.do(ctx, op, func() error { return s.commit(o) })
}

func (s *boxSession) commit(o netconf.CommitOptions) error {
	b := s.box
	if err := s.locked(netconf.Running, netconf.Candidate); err != nil {
		return err
	}
	switch p := b.pending; {
	case p == nil && o.PersistID != "":
		return no("operation-failed", "persistent confirmed commit not active")
	case p != nil && o.PersistID == "" && p.persist != "":
		return no("in-use", "another confirmed commit is outstanding")
	case p != nil && p.persist != o.PersistID:
		return no("invalid-value", "invalid value")
	}
	if b.strict != nil {
		if err := b.strict(b.candidate); err != nil {
			return err
		}
	}
	was := b.running
	if b.pending != nil {
		b.pending.timer.Stop()
		was = b.pending.rollback
		b.pending = nil
	}
	b.set(b.candidate)
	if o.Confirmed {
		p := &pending{persist: o.Persist, session: s.id, rollback: was}
		p.timer = time.AfterFunc(o.Timeout, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.pending == p {
				b.rollback()
			}
		})
		b.pending = p
	}
	return nil
}

func (s *boxSession) CancelCommit(ctx context.Context, id string) error {
	return s.do(ctx, "cancel", func() error {
		b := s.box
		if b.pending == nil {
			return no("operation-failed", "operation failed")
		}
		if b.pending.persist != id || id == "" && b.pending.session != s.id {
			return no("invalid-value", "invalid value")
		}
		b.rollback()
		return nil
	})
}

func (s *boxSession) CopyConfig(ctx context.Context, source, target netconf.Datastore) error {
	return s.do(ctx, "copy", func() error {
		s.box.startup = s.box.running
		return nil
	})
}

func (s *boxSession) Schemas(ctx context.Context) (out []netconf.Schema, err error) {
	err = s.do(ctx, "schemas", func() error {
		out = []netconf.Schema{{Name: "box", Version: "2024-01-01", Format: "yang", Namespace: "urn:box", Locations: []string{"NETCONF"}}}
		return nil
	})
	return out, err
}

func (s *boxSession) GetSchema(ctx context.Context, name, version string) (text string, err error) {
	err = s.do(ctx, "get-schema", func() error {
		text = boxModel
		return nil
	})
	return text, err
}

func (s *boxSession) Subscribe(ctx context.Context, stream string) error {
	return s.do(ctx, "subscribe", func() error {
		s.subscribed = true
		return nil
	})
}

func (b *box) called(op string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(b.calls), func(c string) bool { return c != op }))
}

// all gives the requests so far.
func (b *box) all() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.calls)
}

// xml gives a configuration with what stands in the system container.
func xml(s string) *tree.Node {
	if s != "" {
		s = `<system xmlns="urn:box">` + s + `</system>`
	}
	n, err := tree.Parse(strings.NewReader("<config>"+s+"</config>"), tree.Limits{})
	if err != nil {
		panic(err)
	}
	return n
}
