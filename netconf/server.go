package netconf

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// Accept exchanges hellos as a server that offers these capabilities and goes
// over to chunks when both sides can. On a Conn that is chunked already it stays
// so. The context bounds the exchange alone; when it ends, the Conn is closed.
func Accept(ctx context.Context, c *Conn, sessionID uint32, capabilities ...string) (*Hello, error) {
	chunks := NewCapabilities(capabilities).Has(Base11)
	return exchange(ctx, c, AppendHello(nil, sessionID, capabilities...), chunks)
}

// Request is an rpc that a client sent.
type Request struct {
	Op   *tree.Node // what is asked, the one child of the rpc
	Root *tree.Node // the rpc, whose attributes the reply repeats
}

// ReadRequest reads the next request. The error is io.EOF when the client left.
// With [RPCErrors] there is a Request without Op: what the client sent is no rpc,
// which is to be answered with them, and the session goes on. Any other error
// ends it.
func ReadRequest(c *Conn, limits tree.Limits) (*Request, error) {
	r, err := c.ReadMessage()
	if err != nil {
		return nil, err
	}
	root, err := tree.Parse(r, limits)
	if err != nil {
		if _, framing := errors.AsType[*FramingError](err); framing {
			return nil, err
		}
		return &Request{}, RPCErrors{{Type: "rpc", Tag: "malformed-message", Message: err.Error()}}
	}
	q := &Request{Root: root}
	switch {
	case root.Name != (tree.Name{Space: tree.BaseSpace, Local: "rpc"}):
		return nil, fmt.Errorf("the client sent <%s> in the namespace %q instead of an rpc", root.Name.Local, root.Name.Space)
	case len(root.Children) != 1:
		return q, RPCErrors{{Type: "rpc", Tag: "malformed-message", Message: fmt.Sprintf("an rpc asks one thing, this one %d", len(root.Children))}}
	}
	q.Op = root.Children[0]
	return q, nil
}

// AppendReply writes the reply of these elements, <ok/> for none, with all
// attributes of the request (RFC 6241, section 4.2).
func (q *Request) AppendReply(dst []byte, elements ...*tree.Node) []byte {
	if len(elements) == 0 {
		elements = []*tree.Node{base("ok")}
	}
	reply := base("rpc-reply", elements...)
	if q.Root != nil {
		reply.Attrs, reply.Prefixes = q.Root.Attrs, q.Root.Prefixes
	}
	return reply.AppendXML(dst)
}

// AppendError writes the reply that refuses a request: with the errors of
// [RPCErrors] or an [RPCError], or with operation-failed and the text of another.
func (q *Request) AppendError(dst []byte, err error) []byte {
	list, ok := errors.AsType[RPCErrors](err)
	if !ok {
		if one, ok := errors.AsType[*RPCError](err); ok {
			list = RPCErrors{one}
		} else {
			list = RPCErrors{{Message: err.Error()}}
		}
	}
	elements := make([]*tree.Node, len(list))
	for i, e := range list {
		elements[i] = e.Node()
	}
	return q.AppendReply(dst, elements...)
}

// AppendData writes the reply of a get or get-config: the children of a
// configuration's root.
func (q *Request) AppendData(dst []byte, config *tree.Node) []byte {
	return q.AppendReply(dst, base("data", children(config)...))
}

// AppendNotification writes a notification of an event (RFC 5277, section 4).
func AppendNotification(dst []byte, at time.Time, event *tree.Node) []byte {
	n := &tree.Node{Name: tree.Name{Space: NotificationSpace, Local: "notification"}}
	n.Children = []*tree.Node{leaf(NotificationSpace, "eventTime", at.UTC().Format(time.RFC3339Nano)), event}
	return n.AppendXML(dst)
}
