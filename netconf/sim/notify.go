package sim

import (
	"strconv"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// eventSpace is that of what a server tells of itself (RFC 6470).
const eventSpace = "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"

func event(local string, children ...*tree.Node) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: eventSpace, Local: local}, Children: children}
}

func eventLeaf(local, value string) *tree.Node { return leaf(eventSpace, local, value) }

// subscribe is create-subscription (RFC 5277 section 2.1.1), without replay.
func (c call) subscribe() (result, error) {
	stream, named := c.text("stream")
	switch {
	case c.s.events != nil:
		return result{}, protocol("in-use", "this session has a subscription")
	case named && stream != "NETCONF":
		return result{}, protocol("invalid-value", "there is no stream %.100q; the only one is NETCONF", stream)
	case c.param("startTime") != nil, c.param("stopTime") != nil:
		return result{}, unsupported("nothing is kept for replay")
	}
	filter := c.param("filter")
	if _, err := c.models.filtered(&tree.Node{}, filter); err != nil {
		return result{}, err
	}
	c.s.events, c.s.filter = make(chan []byte, maxWaiting), filter
	return result{}, nil
}

// publish tells an event to all who listen. Who doesn't read what was told before
// loses the session, so that he learns that he has missed something.
func (d *Device) publish(event *tree.Node) {
	var whole []byte
	for _, s := range d.sessions {
		if s.events == nil {
			continue
		}
		msg := whole
		if s.filter != nil {
			part, err := d.models.filtered(&tree.Node{Children: []*tree.Node{event}}, s.filter)
			if err != nil || len(part.Children) == 0 {
				continue
			}
			msg = netconf.AppendNotification(nil, time.Now(), part.Children[0])
		} else if whole == nil {
			whole = netconf.AppendNotification(nil, time.Now(), event)
			msg = whole
		}
		select {
		case s.events <- msg:
		default:
			s.cut()
		}
	}
}

// changedBy names a session; nil is the device itself.
func changedBy(s *session) []*tree.Node {
	if s == nil {
		return []*tree.Node{event("server")}
	}
	return []*tree.Node{
		eventLeaf("username", s.peer.User),
		eventLeaf("session-id", strconv.FormatUint(uint64(s.id), 10)),
		eventLeaf("source-host", s.peer.Host),
	}
}

// changeEvent tells of a change of running.
func changeEvent(by *session, edits []edit) *tree.Node {
	n := event("netconf-config-change", event("changed-by", changedBy(by)...), eventLeaf("datastore", "running"))
	for _, e := range edits {
		target := eventLeaf("target", e.target)
		target.Prefixes = e.prefixes
		n.Children = append(n.Children, event("edit", target, eventLeaf("operation", e.op)))
	}
	return n
}

// confirmEvent tells how it goes with a confirmed commit.
func confirmEvent(by *session, what string, timeout time.Duration) *tree.Node {
	n := event("netconf-confirmed-commit")
	if by != nil {
		n.Children = changedBy(by)
	}
	n.Children = append(n.Children, eventLeaf("confirm-event", what))
	if timeout > 0 {
		n.Children = append(n.Children, eventLeaf("timeout", strconv.Itoa(int(timeout/time.Second))))
	}
	return n
}
