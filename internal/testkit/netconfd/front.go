package netconfd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	Refuse Fault = iota // answered with an error, and never seen by the device
	Cut                 // the session ends, the device never sees it
	Lose                // the device does it, and the session ends instead of the answer
	Hang                // never answered, never seen by the device
	Slow                // a second late
)

// Request is one that a client sent.
type Request struct {
	Op   string // commit, edit-config, …
	Text string // all of the message, as it was on the wire
}

// plan is a fault that waits for its request.
type plan struct {
	op    string
	fault Fault
	times int
}

// front is a proxy between the clients of a device and its netconfd.
type front struct {
	listener net.Listener
	back     string
	all      sync.WaitGroup

	mu     sync.Mutex
	plans  []plan
	seen   []Request
	open   map[io.Closer]bool
	closed bool
}

// listen begins to take clients at one socket for a netconfd at another.
func listen(name, back string) (*front, error) {
	l, err := net.Listen("unix", name)
	if err != nil {
		return nil, err
	}
	f := &front{listener: l, back: back, open: map[io.Closer]bool{}}
	f.all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			f.all.Go(func() { f.serve(client) })
		}
	})
	return f, nil
}

func (f *front) close() {
	if f == nil {
		return
	}
	f.listener.Close()
	f.mu.Lock()
	f.closed = true
	for c := range f.open {
		c.Close()
	}
	f.mu.Unlock()
	f.all.Wait()
}

// hold notes what has to be closed when the front is.
func (f *front) hold(cs ...io.Closer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range cs {
		if f.open[c] = true; f.closed {
			c.Close()
		}
	}
}

func (f *front) drop(cs ...io.Closer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range cs {
		c.Close()
		delete(f.open, c)
	}
}

// line is one session that passes through.
type line struct {
	*front
	client, server net.Conn

	mu   sync.Mutex
	lose bool // what comes from the device next is the answer that gets lost
}

func (f *front) serve(client net.Conn) {
	server, err := net.Dial("unix", f.back)
	if err != nil {
		client.Close()
		return
	}
	f.hold(client, server)
	defer f.drop(client, server)
	l := &line{front: f, client: client, server: server}
	f.all.Go(func() {
		defer f.drop(client, server)
		l.answers()
	})
	l.requests()
}

// answers passes on what the device says, byte by byte as it came.
func (l *line) answers() {
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		l.mu.Lock()
		lost := l.lose
		if n > 0 && !lost {
			_, werr := l.client.Write(buf[:n])
			err = errors.Join(err, werr)
		}
		l.mu.Unlock()
		if err != nil || lost {
			return
		}
	}
}

// requests reads what the client says: first how the subsystem announces it, then
// its hello, then requests. They go on as the client framed them.
func (l *line) requests() {
	in := netconf.NewConn(struct {
		io.Reader
		io.WriteCloser
	}{l.client, l.client}, netconf.ConnOptions{})
	chunked := false
	for {
		r, err := in.ReadMessage()
		if err != nil {
			return
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return
		}
		framed := append(bytes.Clone(text), "]]>]]>"...)
		if chunked {
			framed = fmt.Appendf(nil, "\n#%d\n%s\n##\n", len(text), text)
		}
		if root, err := tree.ParseBytes(text); err == nil && root.Name.Local == "rpc" && len(root.Children) == 1 {
			if !l.request(root, text) {
				continue
			}
		} else if err == nil && root.Name.Local == "hello" && bytes.Contains(text, []byte(netconf.Base11)) {
			chunked = true
			in.Upgrade()
		}
		if _, err := l.server.Write(framed); err != nil {
			return
		}
	}
}

// request notes a request, lets go wrong what is to go wrong, and says whether
// the device gets it.
func (l *line) request(rpc *tree.Node, text []byte) bool {
	op := rpc.Children[0].Name.Local
	fault, ok := l.note(Request{Op: op, Text: string(text)})
	if !ok {
		return true
	}
	switch fault {
	case Refuse:
		q := netconf.Request{Root: rpc}
		reply := q.AppendError(nil, &netconf.RPCError{Message: "disk full"})
		l.mu.Lock()
		defer l.mu.Unlock()
		fmt.Fprintf(l.client, "\n#%d\n%s\n##\n", len(reply), reply)
		return false
	case Cut:
		l.drop(l.client, l.server)
		return false
	case Lose:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lose = true
		return true
	case Hang:
		return false
	}
	time.Sleep(time.Second)
	return true
}

// note keeps a request, and gives the fault that waits for it.
func (f *front) note(r Request) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, r)
	for i := range f.plans {
		if p := &f.plans[i]; p.times > 0 && (p.op == "" || p.op == r.Op) {
			p.times--
			return p.fault, true
		}
	}
	return 0, false
}

// Fail lets a number of requests of one operation ("" for any) go wrong from here
// on. A times of 0 takes back all faults of that operation.
func (d *Device) Fail(t testing.TB, op string, fault Fault, times int) {
	t.Helper()
	f := d.watched(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.plans {
		if f.plans[i].op == op && times == 0 {
			f.plans[i].times = 0
		}
	}
	if times > 0 {
		f.plans = append(f.plans, plan{op, fault, times})
	}
}

// Seen gives the requests since the last time it was asked, in their order.
func (d *Device) Seen(t testing.TB) []Request {
	t.Helper()
	f := d.watched(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

func (d *Device) watched(t testing.TB) *front {
	t.Helper()
	if d.front == nil {
		t.Fatal("nobody watches the device; start the kit with Watch")
	}
	return d.front
}

// Disconnect ends all sessions of the device.
func (d *Device) Disconnect(t testing.TB) {
	t.Helper()
	f := d.watched(t)
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.open {
		c.Close()
	}
}
