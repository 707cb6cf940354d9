package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// answer is what a session replies: elements, or an error, or <ok/> for neither.
type answer struct {
	elements []*tree.Node
	err      error
	quiet    bool   // the client asks nothing more because of it
	last     bool   // the session ends with it
	then     func() // called when the reply is out
}

// failed is an error in the form in which controllers tell them.
func failed(format string, args ...any) answer {
	return answer{err: &netconf.RPCError{Message: fmt.Sprintf(format, args...)}}
}

func refused(tag, format string, args ...any) answer {
	return answer{err: &netconf.RPCError{Type: "protocol", Tag: tag, Message: fmt.Sprintf(format, args...)}}
}

// answer answers one request.
func (n *session) answer(ctx context.Context, q *netconf.Request) answer {
	op := q.Op
	switch op.Name.Local {
	case "create-subscription":
		return n.subscribe(op)
	case "get", "get-config":
		return n.get(op)
	case "edit-config":
		return n.edit(op)
	case "transaction-actions-done", "transactions-actions-done":
		return n.actionsDone(op)
	case "transaction-error":
		return n.actionsFailed(op)
	case "controller-commit":
		return n.commit(ctx, op, n.userOf(q.Root))
	case "datastore-diff":
		return n.diff(n.userOf(q.Root))
	case "commit", "discard-changes", "validate": // nothing is ever in candidate that isn't in running
		return answer{}
	case "close-session":
		return answer{last: true, quiet: true}
	}
	return refused("operation-not-supported", "The operation %s is not served here; services and devices are changed in the repository", clip(op.Name.Local))
}

// userOf gives the user that a request names, which is what the client says.
func (n *session) userOf(rpc *tree.Node) string {
	for _, name := range []tree.Name{{Space: libSpace, Local: "username"}, {Local: "username"}} {
		if user, ok := rpc.Attr(name); ok && user != "" {
			return clip(user)
		}
	}
	return n.user
}

// find gives the text of a child by its local name: the namespaces of these
// requests differ from what their standards say.
func find(op *tree.Node, local string) (string, bool) {
	if c := child(op, local); c != nil {
		return strings.TrimSpace(c.Value), true
	}
	return "", false
}

func child(op *tree.Node, local string) *tree.Node {
	for _, c := range op.Children {
		if c.Name.Local == local {
			return c
		}
	}
	return nil
}

// subscribe subscribes the session to a stream. A filter on services-commit that
// selects services names those that the handler makes.
func (n *session) subscribe(op *tree.Node) answer {
	stream, _ := find(op, "stream")
	s := n.server
	switch stream {
	case "services-commit", "service-commit": // the second is what the API's documentation says
		var claims []string
		if f := child(op, "filter"); f != nil {
			sel, err := filterOf(f)
			if err != nil {
				return refused("invalid-value", "%v", err)
			}
			claims = sel.services()
		}
		s.mu.Lock()
		again := n.services
		n.services = true
		n.claim(claims)
		s.mu.Unlock()
		if again {
			return failed("services-commit client already registered")
		}
		s.told()
		return answer{}
	case "controller-transaction":
		s.mu.Lock()
		n.results = true
		s.mu.Unlock()
		return answer{}
	}
	return refused("invalid-value", "No such stream")
}

// filterOf reads the filter of a get, get-config or subscription.
func filterOf(f *tree.Node) (selection, error) {
	kind, text, has := "", "", false
	for _, a := range f.Attrs {
		switch a.Name.Local {
		case "type":
			kind = a.Value
		case "select":
			text, has = a.Value, true
		}
	}
	if kind != "xpath" || !has && len(f.Children) > 0 {
		return selection{}, errors.New("only filters of the type xpath, with a select, are understood")
	}
	return parseXPath(text, f.Prefixes)
}

// get answers get and get-config.
func (n *session) get(op *tree.Node) answer {
	var sel selection
	if f := child(op, "filter"); f != nil {
		var err error
		if sel, err = filterOf(f); err != nil {
			return refused("invalid-value", "%v", err)
		}
	}
	n.names(sel.services())
	depth, content := 0, "all"
	for _, a := range op.Attrs {
		switch a.Name.Local {
		case "depth":
			d, err := strconv.Atoi(a.Value)
			if a.Value != "unbounded" && (err != nil || d < 1) {
				return refused("bad-attribute", "depth is a number from 1, or unbounded")
			}
			depth = d
		case "content":
			content = a.Value
		}
	}
	data := &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: "data"}}
	if op.Name.Local == "get-config" || content != "nonconfig" {
		data.Children = append(data.Children, n.view().top(sel)...)
	}
	if op.Name.Local == "get" && content != "config" && sel.wants(transactionsName) {
		data.Children = append(data.Children, n.server.transactions())
	}
	data = sel.of(data)
	if depth > 0 {
		data = shallow(data, depth)
	}
	return answer{elements: []*tree.Node{data}}
}

// names takes what a client selects of <services> for what it makes: in front of
// its first run it says which services are its own; in a run, that the handler
// knows the service.
func (n *session) names(services []string) {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case n.run != nil:
		if name := n.run.req.Instance.Service; slices.Contains(services, name) {
			n.learned[name] = true
		}
	case !n.served:
		n.claim(services)
	}
}

// claim adds to the services that the session makes. The caller holds the lock.
func (n *session) claim(services []string) {
	for _, name := range services {
		if len(n.claims) < maxClaims && !slices.Contains(n.claims, name) {
			n.claims = append(n.claims, strings.Clone(name))
		}
	}
}

var transactionsName = tree.Name{Space: Namespace, Local: "transactions"}

// transactions gives the state of all transactions.
func (s *Server) transactions() *tree.Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &tree.Node{Name: transactionsName, Children: make([]*tree.Node, len(s.book.list))}
	for i, t := range s.book.list {
		n.Children[i] = t.entry()
	}
	return n
}

// working gives the run that a request belongs to: that of its session or, where
// a client listens in one session and asks in another, that of its process.
func (n *session) working() *run {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if n.run != nil || n.services || n.pid == 0 {
		return n.run
	}
	var only *run
	for _, m := range s.sessions {
		if m.pid == n.pid && m.run != nil {
			if only != nil {
				return nil // it can't be told which
			}
			only = m.run
		}
	}
	return only
}

// view gives what the session reads.
func (n *session) view() *view {
	if r := n.working(); r != nil {
		return r.view
	}
	if n.server.options.View == nil {
		return newView(&Request{})
	}
	v := n.server.options.View()
	return newView(&Request{All: func() *tree.Node { return v.Services }, Devices: v.Devices, Config: v.Config})
}

// transaction gives the run that a request names by its tid.
func (n *session) transaction(op *tree.Node) (*run, error) {
	text, ok := find(op, "tid")
	if !ok {
		return nil, errors.New("No tid")
	}
	tid, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return nil, errors.New("Invalid tid")
	}
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[tid]
	mine := r != nil && (n.run == r || !n.services && slices.ContainsFunc(s.sessions, func(m *session) bool { return m.run == r && m.pid == n.pid }))
	t := s.book.find(tid)
	switch {
	case mine:
		return r, nil
	case r != nil:
		return nil, errors.New("Transaction belongs to another session")
	case t == nil:
		return nil, errors.New("No such transaction")
	case t.state == stateDone:
		return nil, errLate
	}
	return nil, errors.New("Transaction in unexpected state")
}

// actionsDone ends a run: what was edited is its output. Of a run that is over
// already the client is told so, and is free again.
func (n *session) actionsDone(op *tree.Node) answer {
	return n.end(op, nil, "")
}

// actionsFailed ends a run with the handler's error.
func (n *session) actionsFailed(op *tree.Node) answer {
	reason, _ := find(op, "reason")
	origin, _ := find(op, "origin")
	if reason == "" {
		reason = "the handler failed, and gives no reason"
	}
	return n.end(op, &HandlerError{Origin: clip(origin), Reason: clip(strings.Join(strings.Fields(reason), " "))}, clip(origin))
}

func (n *session) end(op *tree.Node, failure *HandlerError, origin string) answer {
	r, err := n.transaction(op)
	if err != nil {
		return failed("%v", err)
	}
	late := n.server.over(r)
	if failure != nil {
		failure.Service, failure.Instance = r.req.Instance.Service, r.req.Instance.Name()
		failure.Hint = "look at the log of the handler"
		n.server.finished(r, failure, origin)
	} else {
		n.server.finished(r, nil, "controller")
	}
	if late {
		a := failed("%v", errLate)
		a.quiet = true
		return a
	}
	return answer{quiet: true}
}

func (s *Server) over(r *run) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.over
}

// malformed notes that a part of a run was lost.
func (n *session) malformed(err error) {
	if r := n.working(); r != nil {
		r.edits.refuse(err)
	}
}
