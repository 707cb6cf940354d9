package sim

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
	"github.com/abide-agent/abide/netconf/yang"
)

func base(local string, children ...*tree.Node) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: local}, Children: children}
}

func leaf(space, local, value string) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: space, Local: local}, Value: value}
}

// protocol is an error in how something was asked.
func protocol(tag, format string, a ...any) *netconf.RPCError {
	return &netconf.RPCError{Type: "protocol", Tag: tag, Message: fmt.Sprintf(format, a...)}
}

// element is a protocol error about one element (RFC 6241 appendix A).
func element(tag string, bad tree.Name, format string, a ...any) *netconf.RPCError {
	e := protocol(tag, format, a...)
	e.Info = base("error-info", leaf(tree.BaseSpace, "bad-element", bad.Local))
	if tag == "unknown-namespace" {
		e.Info.Children = append(e.Info.Children, leaf(tree.BaseSpace, "bad-namespace", bad.Space))
	}
	return e
}

func unsupported(format string, a ...any) *netconf.RPCError {
	return protocol("operation-not-supported", format, a...)
}

// lockDenied tells who has the lock, 0 for nobody who has a session.
func lockDenied(holder uint32, format string, a ...any) *netconf.RPCError {
	e := protocol("lock-denied", format, a...)
	e.Info = base("error-info", leaf(tree.BaseSpace, "session-id", strconv.FormatUint(uint64(holder), 10)))
	return e
}

// editError tells what an edit can't do.
func editError(err error) *netconf.RPCError {
	e, ok := errors.AsType[*tree.EditError](err)
	if !ok {
		return &netconf.RPCError{Message: err.Error()}
	}
	return &netconf.RPCError{Tag: e.Tag, Path: e.Path, Message: e.Message}
}

// faultErrors tells what the models refuse. Unless all is set, what only a whole
// configuration must keep to is left out.
func faultErrors(faults []yang.Fault, all bool) netconf.RPCErrors {
	var out netconf.RPCErrors
	for _, f := range faults {
		if f.Rule != (yang.Rule{}) && !all {
			continue
		}
		e := &netconf.RPCError{Tag: f.Rule.Tag, AppTag: f.Rule.AppTag, Path: f.Path, Message: f.Message}
		if e.Tag == "" {
			e.Tag = "invalid-value"
		}
		out = append(out, e)
	}
	return out
}

// errorNodes gives the elements of a reply that refuses. The paths of errors are
// written for people until here.
func (m *Models) errorNodes(err error) []*tree.Node {
	list, ok := errors.AsType[netconf.RPCErrors](err)
	if !ok {
		one, ok := errors.AsType[*netconf.RPCError](err)
		if !ok {
			one = &netconf.RPCError{Message: err.Error()}
		}
		list = netconf.RPCErrors{one}
	}
	var out []*tree.Node
	for _, e := range list[:min(len(list), maxTold)] {
		e := *e
		var prefixes map[string]string
		e.Path, prefixes = m.instance(e.Path)
		n := e.Node()
		if path := n.Child(tree.Name{Space: tree.BaseSpace, Local: "error-path"}); path != nil {
			path.Prefixes = prefixes
		}
		out = append(out, n)
	}
	return out
}
