package sim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// patience is how long a client may take to say hello, and to take an answer.
const patience = time.Minute

// Peer is who is at the other end of a session.
type Peer struct{ User, Host string }

// session is one client's. What is below the line belongs to the device's mutex.
type session struct {
	d    *Device
	id   uint32
	peer Peer
	conn *netconf.Conn
	cut  context.CancelFunc // ends the connection, without waiting for it

	over   bool
	events chan []byte // nil before create-subscription
	filter *tree.Node  // what of the events is wanted; nil is all
}

// ServeConn serves one session without SSH on rwc, which it owns, until either side
// ends it. The error is nil when the client left in peace.
func (d *Device) ServeConn(ctx context.Context, rwc io.ReadWriteCloser, peer Peer) error {
	s := &session{d: d, peer: peer, conn: netconf.NewConn(rwc, netconf.ConnOptions{MaxMessage: maxRequest})}
	defer s.conn.Close()
	ctx, s.cut = context.WithCancel(ctx)
	defer s.cut()
	if err := d.begin(s); err != nil {
		return err
	}
	var telling sync.WaitGroup
	defer func() {
		d.mu.Lock()
		d.end(s)
		d.mu.Unlock()
		s.cut()
		telling.Wait()
	}()
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	if err := s.hello(ctx); err != nil {
		return err
	}
	told := false
	for {
		q, err := netconf.ReadRequest(s.conn, requestLimits)
		if err == io.EOF {
			return nil
		}
		if _, refused := errors.AsType[netconf.RPCErrors](err); err != nil && !refused {
			return err
		}
		reply, more := s.answer(ctx, q, err)
		if reply != nil {
			if err := s.write(ctx, reply); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		if events := s.subscription(); events != nil && !told {
			told = true
			telling.Go(func() { s.tell(ctx, events) })
		}
	}
}

func (s *session) hello(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err := netconf.Accept(ctx, s.conn, s.id, s.d.capabilities()...)
	return err
}

func (s *session) write(ctx context.Context, msg []byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return s.conn.WriteMessage(ctx, msg)
}

// tell sends notifications.
func (s *session) tell(ctx context.Context, events <-chan []byte) {
	for msg := range events {
		if s.write(ctx, msg) != nil {
			s.cut()
			return
		}
	}
}

// begin gives a session its number.
func (d *Device) begin(s *session) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.sessions) >= maxSessions {
		return fmt.Errorf("there are %d sessions already; close one", maxSessions)
	}
	d.last++
	for d.last == 0 || d.sessions[d.last] != nil { // after 4 billion sessions
		d.last++
	}
	s.id = d.last
	d.sessions[s.id] = s
	return nil
}

// end lets go of what a session has: its locks, and the confirmed commit that ends
// with it. It may be called more than once.
func (d *Device) end(s *session) {
	if s.over {
		return
	}
	s.over = true
	delete(d.sessions, s.id)
	if d.pending != nil && d.pending.token == "" && d.pending.by == s.id {
		d.rollBack("cancel")
	}
	for name, st := range d.stores {
		if st.locked == s.id {
			d.unlock(name)
		}
	}
	if s.events != nil {
		close(s.events)
	}
}

// subscription gives where the session's events come from, nil while there are none.
func (s *session) subscription() <-chan []byte {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.over {
		return nil
	}
	return s.events
}
