package service

import (
	"bytes"
	"context"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

const (
	opsDoc = `<ssh-users xmlns="http://clicon.org/ssh-users"><service-name>ops</service-name>` +
		`<username><name>alice</name><ssh-key>AAA2</ssh-key><role>guest</role></username>` +
		`<username><name>eric</name><ssh-key>AAA1</ssh-key><role>admin</role></username></ssh-users>`
	devsDoc = `<ssh-users xmlns="http://clicon.org/ssh-users"><service-name>devs</service-name>` +
		`<username><name>kim</name><ssh-key>&lt;k&amp;"im"></ssh-key><role>guest</role></username></ssh-users>`
)

// serving is a server on a socket, with what it has warned of.
type serving struct {
	*Server
	path  string
	come  chan struct{} // told when handlers come and go
	mu    sync.Mutex
	warns []string
}

// serve starts a server that ends with the test.
func serve(t testing.TB, o Options) *serving {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, l, o)
	s.path = path
	return s
}

// pipes is a listener without a kernel, for tests with a clock of their own.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipes() *pipes { return &pipes{conns: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *pipes) Addr() net.Addr { return nil }

// dial begins a session as clixon's clients do.
func (p *pipes) dial(t testing.TB) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	p.conns <- theirs
	c := netconf.NewConn(ours, netconf.ConnOptions{Chunked: true})
	t.Cleanup(func() { c.Close() })
	return greet(t, c)
}

func serveOn(t testing.TB, l net.Listener, o Options) *serving {
	t.Helper()
	s := &serving{come: make(chan struct{}, 100)}
	o.Handlers = func() { s.come <- struct{}{} }
	o.Warn = func(text string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.warns = append(s.warns, text)
	}
	s.Server = NewServer(o)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *serving) warned() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.warns, "\n")
}

// client is the other side of a session.
type client struct {
	t    testing.TB
	conn *netconf.Conn
}

const clixonHello = `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" cl:username="root" cl:transport="ctrl:services" xmlns:cl="http://clicon.org/lib"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>`

// dial begins a session as clixon's clients do.
func dial(t testing.TB, path string) *client {
	t.Helper()
	return greet(t, connection(t, path))
}

// connection connects and says nothing.
func connection(t testing.TB, path string) *netconf.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c := netconf.NewConn(conn, netconf.ConnOptions{Chunked: true})
	t.Cleanup(func() { c.Close() })
	return c
}

func greet(t testing.TB, conn *netconf.Conn) *client {
	t.Helper()
	c := &client{t, conn}
	c.send(clixonHello)
	if got := c.read(); !strings.HasPrefix(got, `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><session-id>`) {
		t.Fatalf("the hello is %s", got)
	}
	return c
}

func (c *client) send(msg string) {
	c.t.Helper()
	if err := c.conn.WriteMessage(context.Background(), []byte(msg)); err != nil {
		c.t.Fatal(err)
	}
}

// read gives the next message, "" when the session is over.
func (c *client) read() string {
	c.t.Helper()
	r, err := c.conn.ReadMessage()
	if err != nil {
		return ""
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return ""
	}
	return string(b)
}

// call asks one thing as a client of clixon's does.
func (c *client) call(op string) string {
	c.t.Helper()
	c.send(`<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:cl="http://clicon.org/lib" username="root" message-id="42">` + op + `</rpc>`)
	return c.read()
}

const okReply = `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><ok/></rpc-reply>`

// subscribe makes the session a handler's.
func (c *client) subscribe(stream, sel string) {
	c.t.Helper()
	got := c.call(`<create-subscription xmlns="urn:ietf:params:xml:ns:netmod:notification"><stream>` + stream + `</stream><filter type="xpath" select="` + sel + `" xmlns:ctrl="http://clicon.org/controller"/></create-subscription>`)
	if got != okReply {
		c.t.Fatalf("the reply is %s", got)
	}
}

var stamps = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z`)

// timeless replaces what differs from run to run.
func timeless(s string) string { return stamps.ReplaceAllString(s, "TIME") }

// users is the request for an instance of ssh-users among others.
func users(t testing.TB, doc string, devices ...string) Request {
	t.Helper()
	all, err := tree.ParseBytes([]byte(`<services xmlns="` + Namespace + `">` + opsDoc + devsDoc + `</services>`))
	if err != nil {
		t.Fatal(err)
	}
	r := Request{Instance: instance(t, doc), All: func() *tree.Node { return all }, User: "root"}
	for _, d := range devices {
		r.Devices = append(r.Devices, Device{Name: d})
	}
	return r
}

// outcome is what Run gives.
type outcome struct {
	out Output
	err error
}

func start(ctx context.Context, s *Server, r Request) <-chan outcome {
	c := make(chan outcome, 1)
	go func() {
		out, err := s.Run(ctx, r)
		c <- outcome{out, err}
	}()
	return c
}

// ended waits for what a run gives.
func ended(t testing.TB, c <-chan outcome) outcome {
	t.Helper()
	select {
	case o := <-c:
		return o
	case <-time.After(time.Minute):
		t.Fatal("the run doesn't end")
	}
	panic("unreachable")
}

// tidOf reads the transaction of a message.
func tidOf(t testing.TB, msg string) string {
	t.Helper()
	_, after, ok := strings.Cut(msg, "<tid>")
	tid, _, _ := strings.Cut(after, "</tid>")
	if !ok {
		t.Fatalf("%q has no tid", msg)
	}
	return tid
}

// usersXML is what users of openconfig look like, as the handler makes them.
func usersXML(names ...string) string {
	var b bytes.Buffer
	b.WriteString(`<config><system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users>`)
	for _, u := range names {
		f := strings.Split(u, "/")
		b.WriteString(`<user><username>` + f[0] + `</username><config><username>` + f[0] + `</username><ssh-key>` + f[1] + `</ssh-key><role>` + f[2] + `</role></config></user>`)
	}
	b.WriteString(`</users></authentication></aaa></system></config>`)
	return b.String()
}
