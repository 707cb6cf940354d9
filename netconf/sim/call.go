package sim

import (
	"context"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// call is a request that is being carried out, under the device's mutex.
type call struct {
	*Device
	s  *session
	op *tree.Node
}

// result is what a request gives: elements of the reply, none for ok.
type result struct {
	elements []*tree.Node
	modified time.Time // the reply's last-modified, if any
}

// operation is one that the device has.
type operation struct {
	do     func(c call) (result, error)
	params []string // the elements that it may have, in its own namespace
}

// operation gives one by its name.
func (d *Device) operation(name tree.Name) (operation, error) {
	candidate := d.options.Mode == WithCandidate
	switch name {
	case baseName("get"):
		return operation{call.get, []string{"filter"}}, nil
	case baseName("get-config"):
		return operation{call.getConfig, []string{"source", "filter"}}, nil
	case baseName("edit-config"):
		return operation{call.editConfig, []string{"target", "default-operation", "test-option", "error-option", "config", "url"}}, nil
	case baseName("copy-config"):
		return operation{call.copyConfig, []string{"target", "source"}}, nil
	case baseName("delete-config"):
		return operation{call.deleteConfig, []string{"target"}}, nil
	case baseName("lock"):
		return operation{call.lock, []string{"target"}}, nil
	case baseName("unlock"):
		return operation{call.unlockOwn, []string{"target"}}, nil
	case baseName("validate"):
		return operation{call.validateStore, []string{"source"}}, nil
	case baseName("kill-session"):
		return operation{call.kill, []string{"session-id"}}, nil
	case baseName("close-session"):
		return operation{call.closeSession, nil}, nil
	case tree.Name{Space: netconf.MonitoringSpace, Local: "get-schema"}:
		return operation{call.getSchema, []string{"identifier", "version", "format"}}, nil
	case tree.Name{Space: netconf.NotificationSpace, Local: "create-subscription"}:
		return operation{call.subscribe, []string{"stream", "filter", "startTime", "stopTime"}}, nil
	}
	if candidate {
		switch name {
		case baseName("commit"):
			return operation{call.commit, []string{"confirmed", "confirm-timeout", "persist", "persist-id"}}, nil
		case baseName("discard-changes"):
			return operation{call.discard, nil}, nil
		case baseName("cancel-commit"):
			return operation{call.cancelCommit, []string{"persist-id"}}, nil
		}
	}
	switch name.Space {
	case tree.BaseSpace, netconf.MonitoringSpace, netconf.NotificationSpace:
		return operation{}, unsupported("there is no operation %s here", name.Local)
	}
	return operation{}, element("unknown-namespace", name, "no model has the namespace of %s", name.Local)
}

func baseName(local string) tree.Name { return tree.Name{Space: tree.BaseSpace, Local: local} }

// param gives a parameter of the request, nil where it isn't there.
func (c call) param(local string) *tree.Node {
	return c.op.Child(tree.Name{Space: c.op.Name.Space, Local: local})
}

// check refuses parameters that the operation hasn't, or that are there twice.
func (o operation) check(op *tree.Node) error {
	seen := map[string]bool{}
	for _, n := range op.Children {
		known := false
		for _, name := range o.params {
			known = known || n.Name == tree.Name{Space: op.Name.Space, Local: name}
		}
		if !known || seen[n.Name.Local] {
			return element("unknown-element", n.Name, "%s has no such parameter, or has it twice", op.Name.Local)
		}
		seen[n.Name.Local] = true
	}
	return nil
}

// answer carries a request out, and says whether the session goes on. There is no
// reply where none is to be sent.
func (s *session) answer(ctx context.Context, q *netconf.Request, unreadable error) (reply []byte, more bool) {
	d := s.d
	if unreadable != nil {
		return q.AppendReply(nil, d.models.errorNodes(unreadable)...), true
	}
	if _, ok := q.Root.Attr(tree.Name{Local: "message-id"}); !ok {
		e := element("missing-attribute", baseName("rpc"), "an rpc must have a message-id")
		e.Type = "rpc"
		e.Info.Children = append([]*tree.Node{leaf(tree.BaseSpace, "bad-attribute", "message-id")}, e.Info.Children...)
		return q.AppendReply(nil, d.models.errorNodes(e)...), true
	}
	f := d.fault(q.Op.Name.Local)
	if f != nil && !f.before(ctx) {
		return f.instead(q)
	}
	r, err := s.carryOut(q.Op, f)
	switch {
	case f != nil && f.Kind == Lose:
		return nil, false
	case err != nil:
		return q.AppendReply(nil, d.models.errorNodes(err)...), true
	case !r.modified.IsZero():
		q = stamped(q, r.modified)
	}
	return q.AppendReply(nil, r.elements...), q.Op.Name != baseName("close-session")
}

// carryOut does what is asked.
func (s *session) carryOut(op *tree.Node, f *Fault) (result, error) {
	d := s.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.over {
		return result{}, protocol("operation-failed", "the session was ended")
	}
	o, err := d.operation(op.Name)
	if err == nil {
		err = o.check(op)
	}
	if err != nil {
		return result{}, err
	}
	r, err := o.do(call{d, s, op})
	if err == nil && f != nil && f.Kind == Rewrite {
		err = d.rewrite(f)
	}
	return r, err
}

// stamped adds the time of the last change to the attributes of the reply, as some
// servers do.
func stamped(q *netconf.Request, at time.Time) *netconf.Request {
	root := *q.Root
	root.Attrs = append(root.Attrs[:len(root.Attrs):len(root.Attrs)], tree.Attr{
		Name: tree.Name{Local: "last-modified"}, Value: at.UTC().Format(time.RFC3339),
	})
	return &netconf.Request{Op: q.Op, Root: &root}
}
