package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// session is one connection of a handler, of an operator, or of both in one. The
// server's lock guards what is below it.
type session struct {
	server *Server
	conn   *netconf.Conn
	id     uint32
	pid    int32  // of the process at the other end, 0 when unknown
	user   string // who the client says it is
	plain  bool   // the client is clixon's own kind: its replies repeat nothing of the request
	wake   chan struct{}
	jobs   sync.WaitGroup // its commits

	services bool     // subscribed to services-commit
	claims   []string // the services that it names; none: all unclaimed ones
	results  bool     // subscribed to controller-transaction
	asking   bool     // a request is being answered
	asked    time.Time
	run      *run            // that it works on, or nil
	served   bool            // it has had a run
	learned  map[string]bool // of services: whether it has made something of one
	queue    []notice
}

// notice is a notification that waits to be sent. The client waits for one that
// is awaited, and asks nothing meanwhile.
type notice struct {
	msg     []byte
	awaited bool
}

// String names the session in messages.
func (n *session) String() string {
	if n.pid > 0 {
		return fmt.Sprintf("session %d, process %d", n.id, n.pid)
	}
	return fmt.Sprintf("session %d", n.id)
}

// read answers requests until the client leaves.
func (n *session) read(ctx context.Context) error {
	// A client that says nothing at all is none.
	silent := time.AfterFunc(helloTimeout, func() { n.conn.Close() })
	defer silent.Stop()
	for first := true; ; first = false {
		root, err := n.receive()
		if !silent.Stop() && first {
			return fmt.Errorf("it has said nothing for %v", helloTimeout)
		}
		if err == io.EOF {
			return nil
		}
		if first && err == nil {
			hello := root.Name == helloName
			if n.greeted(root, hello); hello {
				if err := n.write(ctx, netconf.AppendHello(nil, n.id)); err != nil {
					return err
				}
				continue
			}
		}
		if more, err := n.request(ctx, root, err); err != nil || !more {
			return err
		}
	}
}

var (
	helloName = tree.Name{Space: tree.BaseSpace, Local: "hello"}
	rpcName   = tree.Name{Space: tree.BaseSpace, Local: "rpc"}
)

// greeted takes the first message of a session. Clients begin with a hello and
// then get one, with the number of the session and no capabilities in it; or
// they ask at once, and then would take a hello for the answer.
func (n *session) greeted(root *tree.Node, hello bool) {
	user, plain := root.Attr(tree.Name{Space: libSpace, Local: "username"})
	n.user, n.plain = clip(user), plain || !hello
}

// receive reads the next message.
func (n *session) receive() (*tree.Node, error) {
	r, err := n.conn.ReadMessage()
	if err != nil {
		return nil, err
	}
	return tree.Parse(r, tree.Limits{Bytes: maxMessage, Nodes: maxNodes})
}

// request answers one message, or what is wrong with it, and says whether the
// session goes on.
func (n *session) request(ctx context.Context, root *tree.Node, err error) (more bool, _ error) {
	n.asks(true, false)
	q, reply := &netconf.Request{Root: root}, answer{}
	fault, ok := errors.AsType[*tree.SyntaxError](err)
	switch {
	case ok:
		reply.err = &netconf.RPCError{Type: "rpc", Tag: "malformed-message", Message: fault.Error()}
	case err != nil:
		return false, err
	case root.Name != rpcName:
		return false, fmt.Errorf("it sent <%s> in the namespace %q instead of an rpc", clip(root.Name.Local), clip(root.Name.Space))
	case len(root.Children) != 1:
		reply.err = &netconf.RPCError{Type: "rpc", Tag: "malformed-message", Message: fmt.Sprintf("an rpc asks one thing, this one %d", len(root.Children))}
	}
	if reply.err != nil {
		n.malformed(reply.err)
	} else {
		q.Op = root.Children[0]
		reply = n.safely(ctx, q)
	}
	err = n.write(ctx, n.frame(q, reply))
	n.asks(false, reply.quiet)
	if reply.then != nil {
		reply.then()
	}
	return !reply.last, err
}

// safely keeps a panic in what a request leads to from ending anything else.
func (n *session) safely(ctx context.Context, q *netconf.Request) (a answer) {
	defer func() {
		if p := recover(); p != nil {
			n.server.warn(fmt.Sprintf("a request of %s on the service API failed: %v\n%s", n, p, debug.Stack()))
			a = failed("The request failed within the server; see its log")
			n.malformed(errors.New("a request failed within the server"))
		}
	}()
	return n.answer(ctx, q)
}

// asks notes that the client waits for a reply, or has it. Quiet says that it
// asks nothing more because of it.
func (n *session) asks(yes, quiet bool) {
	n.server.mu.Lock()
	n.asking = yes
	if n.run == nil && !quiet && !yes {
		n.asked = time.Now()
	}
	n.server.mu.Unlock()
	if !yes {
		n.stir()
	}
}

// write sends one message. A client that doesn't read loses its session.
func (n *session) write(ctx context.Context, msg []byte) error {
	ctx, cancel := context.WithTimeoutCause(ctx, writeTimeout, fmt.Errorf("it reads nothing for %v", writeTimeout))
	defer cancel()
	return n.conn.WriteMessage(ctx, msg)
}

// frame puts an answer into a reply. Elements have no prefixes: clients look for
// names as they are written.
func (n *session) frame(q *netconf.Request, a answer) []byte {
	root := *q
	if n.plain || q.Root == nil {
		root.Root = nil
	} else if id, ok := q.Root.Attr(tree.Name{Local: "message-id"}); ok {
		root.Root = &tree.Node{Attrs: []tree.Attr{{Name: tree.Name{Local: "message-id"}, Value: id}}}
	}
	if a.err != nil {
		return root.AppendError(nil, a.err)
	}
	return root.AppendReply(nil, a.elements...)
}

// free says whether the session could be sent something that it did not ask for,
// and when that can be said for sure. The caller holds the lock.
func (n *session) free(now time.Time) (yes bool, in time.Duration) {
	switch {
	case n.run != nil || n.asking:
		return false, -1
	case now.Sub(n.asked) < settle:
		return false, settle - now.Sub(n.asked)
	}
	return true, 0
}

// enqueue has a notification sent when the session is free. The caller holds the
// lock. A session that lets too many wait misses the oldest.
func (n *session) enqueue(msg notice) {
	if len(n.queue) >= maxQueue {
		n.queue = n.queue[1:]
	}
	n.queue = append(n.queue, msg)
	n.stir()
}

func (n *session) stir() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// notify sends what is enqueued, and tells those who wait for a handler when the
// session has become free.
func (n *session) notify(ctx context.Context) {
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-timer.C:
		}
		msg, in := n.next()
		if in > 0 {
			timer.Reset(in)
		}
		if msg == nil {
			continue
		}
		if n.write(ctx, msg) != nil {
			n.conn.Close() // which ends read
			return
		}
		// Handlers run code of theirs, which may ask, when something has failed.
		n.asks(false, !bytes.Contains(msg, []byte("<result>"+resultFailed)))
	}
}

// next takes a notification that may be sent now, or says when to look again.
func (n *session) next() (msg []byte, in time.Duration) {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	if n.run == nil && !n.asking {
		if i := slices.IndexFunc(n.queue, func(q notice) bool { return q.awaited }); i >= 0 {
			return n.take(i), 0
		}
	}
	free, in := n.free(time.Now())
	if !free {
		return nil, in
	}
	if len(n.queue) == 0 {
		if n.services {
			n.server.stir()
		}
		return nil, 0
	}
	return n.take(0), 0
}

// take takes a notification off the queue. Nothing else is sent before it is
// out.
func (n *session) take(i int) []byte {
	msg := n.queue[i].msg
	n.queue = slices.Delete(n.queue, i, i+1)
	n.asking = true
	return msg
}
