package service

import (
	"strconv"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// maxTransactions is how many transactions are told of: those that are under way
// and the last ones before them.
const maxTransactions = 100

// state is where a transaction stands, in the words of the service API.
type state string

const (
	stateActions state = "ACTIONS" // service code is at work
	stateInit    state = "INIT"    // what it made is being pushed, or is about to
	stateDone    state = "DONE"
)

// The results of transactions.
const (
	resultInit    = "INIT"
	resultFailed  = "FAILED"
	resultSuccess = "SUCCESS"
)

// transaction is what the API tells of one run of service code, or of one
// commit that an operator asked for. The server's lock guards it.
type transaction struct {
	tid            uint64
	user           string
	instance       string   // whose run it is; "" for a commit
	handler        *session // of a run; it may have left
	state          state
	result         string
	reason, origin string
	warning        string
	description    string
	devices        []string
	diff           string // of a dry run
	begun, at      time.Time
	node           *tree.Node // what is told of it, made when it is asked for
}

// book holds the last transactions, the newest last.
type book struct {
	last uint64
	list []*transaction
}

// begin adds a transaction. The oldest one that has ended makes room; those
// under way are bounded by the sessions and commits that there may be.
func (b *book) begin(t transaction) *transaction {
	b.last++
	t.tid, t.begun, t.at, t.result = b.last, time.Now(), time.Now(), resultInit
	if len(b.list) >= maxTransactions {
		at := 0
		for i, old := range b.list {
			if old.state != stateActions && (old.instance != "" || old.state == stateDone) {
				at = i
				break
			}
		}
		b.list = append(b.list[:at], b.list[at+1:]...)
	}
	b.list = append(b.list, &t)
	return &t
}

func (b *book) find(tid uint64) *transaction {
	for i := len(b.list) - 1; i >= 0; i-- {
		if b.list[i].tid == tid {
			return b.list[i]
		}
	}
	return nil
}

// pushing gives the run of an instance whose outcome on the devices isn't known
// yet, or nil. There is at most one.
func (b *book) pushing(instance string) *transaction {
	for i := len(b.list) - 1; i >= 0; i-- {
		if t := b.list[i]; t.instance == instance && t.state == stateInit {
			return t
		}
	}
	return nil
}

// enter puts a transaction into another state.
func (t *transaction) enter(s state) {
	t.state, t.at, t.node = s, time.Now(), nil
}

// end resolves a transaction: with an error it has failed.
func (t *transaction) end(err error, origin string) {
	t.result = resultSuccess
	if err != nil {
		t.result, t.reason, t.origin = resultFailed, clip(err.Error()), origin
	}
	t.enter(stateDone)
}

// clip keeps texts of others at a length that fits into a message.
func clip(s string) string {
	const most = 4 << 10
	if len(s) <= most {
		return s
	}
	return s[:most] + "…"
}

const stampFormat = "2006-01-02T15:04:05.000000Z"

func stamp(t time.Time) string { return t.UTC().Format(stampFormat) }

// element makes a node of the controller's namespace.
func element(local string, children ...*tree.Node) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: Namespace, Local: local}, Children: children}
}

func textElement(local, value string) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: Namespace, Local: local}, Value: value}
}

// optional appends a leaf that has a value.
func optional(n *tree.Node, local, value string) {
	if value != "" {
		n.Children = append(n.Children, textElement(local, value))
	}
}

// entry gives the transaction's entry in the list of transactions.
func (t *transaction) entry() *tree.Node {
	if t.node != nil {
		return t.node
	}
	n := element("transaction", textElement("tid", strconv.FormatUint(t.tid, 10)), textElement("username", t.user), textElement("result", t.result))
	optional(n, "reason", t.reason)
	if len(t.devices) > 0 {
		devices := element("devices")
		for _, name := range t.devices {
			devices.Children = append(devices.Children, element("device", textElement("name", name)))
		}
		n.Children = append(n.Children, devices)
	}
	n.Children = append(n.Children, textElement("state", string(t.state)), textElement("description", t.description))
	optional(n, "origin", t.origin)
	optional(n, "warning", t.warning)
	n.Children = append(n.Children, textElement("timestamp0", stamp(t.begun)), textElement("timestamp", stamp(t.at)))
	t.node = n
	return n
}

// notice is the notification of the transaction's end.
func (t *transaction) notice() []byte {
	n := element("controller-transaction", textElement("tid", strconv.FormatUint(t.tid, 10)), textElement("username", t.user), textElement("result", t.result))
	optional(n, "origin", t.origin)
	optional(n, "reason", t.reason)
	return notification(time.Now(), n)
}

// commitNotice tells a handler to run its code for an instance.
func (t *transaction) commitNotice(i *Instance, dryRun bool) []byte {
	n := element("services-commit", textElement("tid", strconv.FormatUint(t.tid, 10)), textElement("source", "actions"), textElement("target", "actions"))
	if dryRun {
		n.Children = append(n.Children, textElement("diff", "true"))
	}
	n.Children = append(n.Children, textElement("service", i.tag()))
	return notification(t.begun, n)
}

const notificationSpace = "urn:ietf:params:xml:ns:netconf:notification:1.0"

func notification(at time.Time, event *tree.Node) []byte {
	when := &tree.Node{Name: tree.Name{Space: notificationSpace, Local: "eventTime"}, Value: stamp(at)}
	n := &tree.Node{Name: tree.Name{Space: notificationSpace, Local: "notification"}, Children: []*tree.Node{when, event}}
	return n.AppendXML(nil)
}
