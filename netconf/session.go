package netconf

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/abide-agent/abide/netconf/tree"
)

// ReplyLimits bounds a message that a [Session] takes unless [Options] says
// something else: a larger reply is the error of its call alone, and costs no
// more memory than what was read until then.
var ReplyLimits = tree.Limits{Bytes: 32 << 20, Depth: 128, Nodes: 1 << 20, Share: true}

// Options says how a [Session] is held. The zero value is good.
type Options struct {
	Only10        bool        // never go over to chunks, for devices that offer them and can't
	MaxMessage    int64       // bytes; 0 is [MaxMessage]
	Reply         tree.Limits // of one message; the zero value is [ReplyLimits]
	Notifications int         // how many may wait to be read; 0 is 64
}

// Session is the client's side of a NETCONF session. Any number of goroutines
// may use it; what they send is answered in whatever order the device chooses.
type Session struct {
	conn   *Conn
	hello  *Hello
	limits tree.Limits

	mu      sync.Mutex
	last    uint64                   // the message id that was given last
	pending map[uint64]chan<- answer // each has room for its answer
	over    bool
	err     error // why it is over
	leaving bool  // we have taken leave, so that however it ends, we ended it

	notifications chan *tree.Node
	dropped       atomic.Uint64
	done          chan struct{}
}

type answer struct {
	reply *tree.Node
	err   error
}

// ErrClosed is why a session ended that we closed.
var ErrClosed = errors.New("it was closed by us")

// Open begins a session on rwc, which it owns from here on, even when it gives
// an error. The context bounds the exchange of the hellos alone. This is the way
// to a device that calls home, too.
func Open(ctx context.Context, rwc io.ReadWriteCloser, o Options) (*Session, error) {
	offered := []string{Base10, Base11}
	if o.Only10 {
		offered = offered[:1]
	}
	if o.Notifications <= 0 {
		o.Notifications = 64
	}
	if o.Reply == (tree.Limits{}) {
		o.Reply = ReplyLimits
	}
	c := NewConn(rwc, ConnOptions{MaxMessage: o.MaxMessage})
	hello, err := exchange(ctx, c, AppendHello(nil, 0, offered...), !o.Only10)
	if err == nil && hello.SessionID == 0 {
		err = errors.New("the peer's hello has no session-id, as a server's must; check that it is a NETCONF server")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	s := &Session{
		conn: c, hello: hello, limits: o.Reply,
		pending:       map[uint64]chan<- answer{},
		notifications: make(chan *tree.Node, o.Notifications),
		done:          make(chan struct{}),
	}
	go s.run()
	return s, nil
}

// ID gives the session's number on the device.
func (s *Session) ID() uint32 { return s.hello.SessionID }

// Capabilities gives what the device offers.
func (s *Session) Capabilities() Capabilities { return s.hello.Capabilities }

// Notifications gives what comes after [Session.Subscribe]. It is closed when
// the session ends. Of what nobody reads in time, the newest is dropped.
func (s *Session) Notifications() <-chan *tree.Node { return s.notifications }

// Dropped counts the notifications that were lost, because nobody read them in
// time or because they were too large: whoever goes by them has to look for
// himself when it grows.
func (s *Session) Dropped() uint64 { return s.dropped.Load() }

// Done is closed when the session is over, and [Session.Err] says why.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err says why the session is over; nil while it is not.
func (s *Session) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Reply is what a device answered, without an error.
type Reply struct {
	Root     *tree.Node  // the rpc-reply
	Warnings []*RPCError // those of severity warning
}

// Call sends an operation and waits for its answer. The error is [RPCErrors]
// when the device refuses, a *[LostError] when the session ends, [ErrUnsendable],
// or that of the context. After the last the session goes on, and the operation may yet be
// carried out: a late answer is dropped.
func (s *Session) Call(ctx context.Context, op *tree.Node) (*Reply, error) {
	id, answered, err := s.expect()
	if err != nil {
		return nil, err
	}
	if err := s.conn.WriteMessage(ctx, request(id, op)); err != nil {
		s.forget(id)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%s could not be sent in time: %w", op.Name.Local, err)
		case errors.Is(err, ErrUnsendable):
			return nil, fmt.Errorf("%s: %w", op.Name.Local, err)
		}
		s.end(fmt.Errorf("nothing can be sent to the device: %w", err))
		return nil, fmt.Errorf("%s: %w", op.Name.Local, &LostError{Sent: true, Err: s.Err()})
	}
	select {
	case a := <-answered:
		if a.err != nil {
			return nil, fmt.Errorf("%s: %w", op.Name.Local, a.err)
		}
		errs, warnings := readErrors(a.reply)
		if len(errs) > 0 {
			return nil, RPCErrors(errs)
		}
		return &Reply{Root: a.reply, Warnings: warnings}, nil
	case <-ctx.Done():
		s.forget(id)
		return nil, fmt.Errorf("the device did not answer %s in time: %w", op.Name.Local, context.Cause(ctx))
	}
}

func request(id uint64, op *tree.Node) []byte {
	rpc := base("rpc", op)
	rpc.Attrs = []tree.Attr{{Name: tree.Name{Local: "message-id"}, Value: strconv.FormatUint(id, 10)}}
	return rpc.AppendXML(nil)
}

func (s *Session) expect() (uint64, <-chan answer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, nil, &LostError{Err: s.err}
	}
	s.last++
	c := make(chan answer, 1)
	s.pending[s.last] = c
	return s.last, c, nil
}

func (s *Session) forget(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, id)
}

// Close takes leave of the device, for which it waits as long as the context
// lets it, and ends the session. What is still unanswered then is lost.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	s.leaving = true
	s.mu.Unlock()
	_, err := s.Call(ctx, base("close-session"))
	s.end(ErrClosed)
	<-s.done
	if _, lost := errors.AsType[*LostError](err); lost {
		err = nil // that is what was wanted
	}
	return err
}

// end makes the session over, once, and lets nobody wait.
func (s *Session) end(err error) {
	s.mu.Lock()
	if s.leaving {
		err = ErrClosed
	}
	if !s.over {
		s.over, s.err = true, err
		for id, c := range s.pending {
			c <- answer{err: &LostError{Sent: true, Err: err}}
			delete(s.pending, id)
		}
	}
	s.mu.Unlock()
	s.conn.Close()
}

// run reads until the session is over.
func (s *Session) run() {
	defer close(s.done)
	defer close(s.notifications)
	heard := sync.OnceFunc(func() {})
	if s.Capabilities().Has(yuma) {
		var nudging sync.WaitGroup
		defer nudging.Wait()
		first := make(chan struct{})
		heard = sync.OnceFunc(func() { close(first) })
		nudging.Go(func() { s.nudge(first) })
	}
	for {
		err := s.next()
		heard()
		if err != nil {
			if err == io.EOF {
				err = errors.New("the device ended the session")
			}
			s.end(err)
			return
		}
	}
}

// next reads one message. Its error ends the session.
func (s *Session) next() error {
	r, err := s.conn.ReadMessage()
	if err != nil {
		return err
	}
	var begin head
	root, err := tree.Parse(io.TeeReader(r, &begin), s.limits)
	if err != nil {
		if _, framing := errors.AsType[*FramingError](err); framing {
			return err
		}
		return s.unreadable(begin, err)
	}
	switch root.Name.Local {
	case "rpc-reply":
		id, has := root.Attr(tree.Name{Local: "message-id"})
		return s.deliver(id, has, answer{reply: root})
	case "notification":
		select {
		case s.notifications <- root:
		default:
			s.dropped.Add(1)
		}
		return nil
	}
	return fmt.Errorf("the device sent <%s>, which is neither an answer nor a notification", root.Name.Local)
}

// deliver hands an answer to who waits for it. An answer without an id, as to an
// rpc that the device couldn't read, is for the only one who waits.
func (s *Session) deliver(text string, has bool, a answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if !has && len(s.pending) == 1 {
		for id = range s.pending {
			err = nil
		}
	}
	if err != nil || id == 0 || id > s.last {
		return fmt.Errorf("the device answered a message-id %.20q that it was never asked", text)
	}
	if c := s.pending[id]; c != nil {
		delete(s.pending, id)
		c <- a
	}
	return nil
}

// unreadable deals with a message that is too large, or not XML as it should be.
// It costs the session nothing when it is clear whom it was for.
func (s *Session) unreadable(begin head, cause error) error {
	name, id, has := begin.root()
	switch name {
	case "rpc-reply":
		return s.deliver(id, has, answer{err: fmt.Errorf("the device's answer cannot be taken: %w", cause)})
	case "notification":
		s.dropped.Add(1)
		return nil
	}
	return fmt.Errorf("the device sent something that is no NETCONF message: %w", cause)
}

// head keeps the beginning of a message.
type head struct {
	text [1 << 10]byte
	n    int
}

func (h *head) Write(p []byte) (int, error) {
	h.n += copy(h.text[h.n:], p)
	return len(p), nil
}

// root gives the local name of the root element and its message-id.
func (h *head) root() (name, id string, has bool) {
	d := xml.NewDecoder(bytes.NewReader(h.text[:h.n]))
	for {
		token, err := d.RawToken()
		if err != nil {
			return "", "", false
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		for _, a := range start.Attr {
			if a.Name.Local == "message-id" && a.Name.Space == "" {
				id, has = a.Value, true
			}
		}
		return start.Name.Local, id, has
	}
}
