package service

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf"
)

// done ends a run as handlers do.
func done(tid string) string {
	return `<transaction-actions-done xmlns="http://clicon.org/controller"><tid>` + tid + `</tid></transaction-actions-done>`
}

// piped is a server with one handler of all services, in a bubble of time.
func piped(t *testing.T, o Options, f func(t *testing.T, s *Server, l *pipes, c *client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l, o)
		c := l.dial(t)
		c.subscribe("services-commit", "")
		c.subscribe("controller-transaction", "")
		f(t, s.Server, l, c)
	})
}

func TestLateHandler(t *testing.T) {
	t.Parallel()
	piped(t, Options{Timeout: time.Minute}, func(t *testing.T, s *Server, l *pipes, c *client) {
		begun := time.Now()
		first := start(t.Context(), s, users(t, opsDoc, "d1"))
		tid := tidOf(t, c.read())
		if o := <-first; o.err == nil || !strings.Contains(o.err.Error(), "hasn't made it in 1m0s") {
			t.Errorf("the error is %v", o.err)
		}
		if d := time.Since(begun); d != time.Minute+settle {
			t.Errorf("it is late after %v", d)
		}
		// It is still at work, and nobody waits for it.
		if _, err := s.Run(t.Context(), users(t, devsDoc, "d1")); err == nil || !strings.Contains(err.Error(), "still works on ssh-users[ops], for which its time is over") {
			t.Errorf("the error is %v", err)
		}
		if got := c.call(`<edit-config><target><actions xmlns="http://clicon.org/controller"/></target><config/></edit-config>`); !strings.Contains(got, "already completed(timeout?)") {
			t.Errorf("its edit is answered with %s", got)
		}
		if got := c.call(done(tid)); !strings.Contains(got, "<error-message>Transaction already completed(timeout?)</error-message>") {
			t.Errorf("its end is answered with %s", got)
		}
		if got := c.read(); !strings.Contains(got, "<tid>"+tid+"</tid><username>root</username><result>FAILED</result><origin>Actions</origin>") {
			t.Errorf("it is told %s", got)
		}
		again := start(t.Context(), s, users(t, devsDoc, "d1"))
		next := tidOf(t, c.read())
		if got := c.call(done(next)); got != okReply {
			t.Errorf("the next is answered with %s", got)
		}
		if o := <-again; o.err != nil || len(o.out) != 0 {
			t.Errorf("the next is %v (%v)", o.out, o.err)
		}
	})
}

func TestBusyHandler(t *testing.T) {
	t.Parallel()
	piped(t, Options{Timeout: time.Minute}, func(t *testing.T, s *Server, l *pipes, c *client) {
		a := start(t.Context(), s, users(t, opsDoc))
		tid := tidOf(t, c.read())
		b := start(t.Context(), s, users(t, devsDoc)) // waits for its turn
		synctest.Wait()
		if got := c.call(done(tid)); got != okReply {
			t.Error(got)
		}
		if o := <-a; o.err != nil {
			t.Error(o.err)
		}
		if got := c.read(); !strings.Contains(got, "<service>ssh-users[service-name='devs']</service>") {
			t.Errorf("it is given %s", got)
		} else {
			c.call(done(tidOf(t, got)))
		}
		if o := <-b; o.err != nil {
			t.Error(o.err)
		}
	})
}

func TestNothingIsSentBetweenARequestAndItsReply(t *testing.T) {
	t.Parallel()
	piped(t, Options{Committer: commits{}}, func(t *testing.T, s *Server, l *pipes, c *client) {
		run := start(t.Context(), s, users(t, opsDoc, "d1"))
		tid := tidOf(t, c.read())
		operator := l.dial(t)
		operator.subscribe("controller-transaction", "")
		operator.call(commitOf("CHANGE", "NONE", "candidate", ""))
		if got := operator.read(); !strings.Contains(got, "SUCCESS") {
			t.Errorf("the operator is told %s", got)
		}
		for range 3 { // each answer is that to its question
			time.Sleep(time.Second)
			if got := c.call(`<get-config><source><actions xmlns="http://clicon.org/controller"/></source></get-config>`); !strings.Contains(got, "<data>") {
				t.Fatalf("the answer is %s", got)
			}
		}
		if got := c.call(done(tid)); got != okReply {
			t.Errorf("the answer is %s", got)
		}
		<-run
		if got := c.read(); !strings.Contains(got, "<controller-transaction") {
			t.Errorf("behind the run comes %s", got)
		}
		s.Pushed("ssh-users[ops]", errors.New("no"))
		if got := c.read(); !strings.Contains(got, "FAILED") {
			t.Errorf("of its own run it hears %s", got)
		}
		// It may ask because of that: the next run keeps its distance.
		begun := time.Now()
		start(t.Context(), s, users(t, opsDoc, "d1"))
		time.Sleep(settle / 2)
		c.call(`<get-config><source><actions xmlns="http://clicon.org/controller"/></source></get-config>`)
		if got := c.read(); !strings.Contains(got, "<services-commit") || time.Since(begun) != settle/2+settle {
			t.Errorf("after %v comes %s", time.Since(begun), got)
		}
	})
}

func TestSilentClients(t *testing.T) {
	t.Parallel()
	piped(t, Options{}, func(t *testing.T, s *Server, l *pipes, c *client) {
		// One that reads nothing loses its session.
		run := start(t.Context(), s, users(t, opsDoc))
		if o := <-run; o.err == nil || !strings.Contains(o.err.Error(), "went away") {
			t.Errorf("the error is %v", o.err)
		}
		if _, err := s.Run(t.Context(), users(t, opsDoc)); err == nil || !strings.Contains(err.Error(), "no handler is connected") {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestTransactionsAreForgotten(t *testing.T) {
	t.Parallel()
	piped(t, Options{}, func(t *testing.T, s *Server, l *pipes, c *client) {
		for range maxTransactions + 20 {
			run := start(t.Context(), s, users(t, opsDoc))
			if got := c.call(done(tidOf(t, c.read()))); got != okReply {
				t.Fatal(got)
			}
			<-run
		}
		got := c.call(`<get><nc:filter nc:type="xpath" nc:select="/co:transactions/co:transaction/co:tid" xmlns:co="http://clicon.org/controller"/></get>`)
		if n := strings.Count(got, "<tid>"); n != maxTransactions || !strings.Contains(got, "<tid>21</tid>") || strings.Contains(got, "<tid>20</tid>") {
			t.Errorf("%d are kept: %.200s", n, got)
		}
	})
}

func TestRequestsThatAreRefused(t *testing.T) {
	t.Parallel()
	const edit = `<edit-config><target><actions xmlns="http://clicon.org/controller"/></target>`
	piped(t, Options{}, func(t *testing.T, s *Server, l *pipes, c *client) {
		run := start(t.Context(), s, users(t, opsDoc, "d1"))
		tid := tidOf(t, c.read())
		for _, r := range []struct{ op, want string }{
			{`<lock><target><candidate/></target></lock>`, "operation-not-supported"},
			{`<create-subscription xmlns="urn:ietf:params:xml:ns:netmod:notification"><stream>NETCONF</stream></create-subscription>`, "No such stream"},
			{`<create-subscription xmlns="urn:ietf:params:xml:ns:netmod:notification"><stream>services-commit</stream></create-subscription>`, "services-commit client already registered"},
			{`<get-config><source><running/></source><filter type="subtree"><services/></filter></get-config>`, "only filters of the type xpath"},
			{`<get-config nc:depth="x"/>`, "depth is a number"},
			{`<get><nc:filter nc:type="xpath" nc:select="/x:y"/></get>`, "is not declared"},
			{`<transaction-actions-done xmlns="http://clicon.org/controller"/>`, "No tid"},
			{`<transaction-actions-done xmlns="http://clicon.org/controller"><tid>x</tid></transaction-actions-done>`, "Invalid tid"},
			{done("99"), "No such transaction"},
			{`<controller-commit xmlns="http://clicon.org/controller"><push>COMMIT</push></controller-commit>`, "operation-not-supported"},
			{`<controller-commit xmlns="http://clicon.org/controller"><actions>CHANGE</actions></controller-commit>`, "Only candidates db supported if actions"},
			{`<controller-commit xmlns="http://clicon.org/controller"/>`, "No changes to push"},
			{`<controller-commit xmlns="http://clicon.org/controller"><actions>DELETE</actions><source>ds:candidate</source></controller-commit>`, "deleted in the repository"},
			{edit + `</edit-config>`, "The edit has no config"},
			{edit + `<default-operation>replace</default-operation><config/></edit-config>`, "default operation"},
			{`<a/><b/>`, "an rpc asks one thing"},
			{`<a><b></a>`, "malformed-message"},
		} {
			if got := c.call(r.op); !strings.Contains(got, "<rpc-error>") || !strings.Contains(got, r.want) {
				t.Errorf("%s is answered with %s, want %q", r.op, got, r.want)
			}
		}
		// What was refused or lost was a part of the output.
		if got := c.call(done(tid)); got != okReply {
			t.Error(got)
		}
		if o := <-run; o.err == nil || !strings.Contains(o.err.Error(), "the handler's edit is refused") {
			t.Errorf("the error is %v", o.err)
		}
		c.conn.WriteMessage(context.Background(), []byte("<hello/>"))
		if got := c.read(); strings.HasPrefix(got, "<rpc-reply") {
			t.Errorf("a second hello is answered with %s", got)
		}
	})
}

func TestTooManySessions(t *testing.T) {
	t.Parallel()
	piped(t, Options{}, func(t *testing.T, s *Server, l *pipes, c *client) {
		for range maxSessions - 1 {
			l.dial(t)
		}
		ours, theirs := net.Pipe()
		l.conns <- theirs
		if _, err := ours.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("one more session isn't closed: %v", err)
		}
	})
}

func TestGreetings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := newPipes()
		s := serveOn(t, l, Options{View: func() View { return View{Devices: []Device{{Name: "d1"}}} }})
		open := func() *client {
			ours, theirs := net.Pipe()
			l.conns <- theirs
			return &client{t, netconf.NewConn(ours, netconf.ConnOptions{Chunked: true})}
		}
		// Scripts on clixon-pyapi ask at once, and take what comes for the answer.
		c := open()
		if got := c.call(`<get-config><source><running/></source><nc:filter nc:type="xpath" nc:select="/ctrl:devices" xmlns:ctrl="http://clicon.org/controller"/></get-config>`); got !=
			`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><data><devices xmlns="http://clicon.org/controller"><device><name>d1</name><enabled>true</enabled><config/></device></devices></data></rpc-reply>` {
			t.Errorf("without a hello the answer is %s", got)
		}
		if got := c.call("<close-session/>"); got != okReply || c.read() != "" {
			t.Errorf("the end is answered with %s", got)
		}
		// A client that is not clixon's has its message-id back.
		c = open()
		c.send(`<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><capabilities><capability>urn:ietf:params:netconf:base:1.1</capability></capabilities></hello>`)
		if got := c.read(); got != `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><session-id>2</session-id></hello>` {
			t.Errorf("the hello is %s", got)
		}
		if got := c.call("<commit/>"); got != `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="42"><ok/></rpc-reply>` {
			t.Errorf("the reply is %s", got)
		}
		// What is no NETCONF is turned away, and so is who says nothing.
		for _, msg := range []string{"<html/>", ""} {
			c = open()
			if msg != "" {
				c.send(msg)
			}
			if got := c.read(); got != "" {
				t.Errorf("%q is answered with %s", msg, got)
			}
		}
		synctest.Wait()
		for _, want := range []string{"it sent <html> in the namespace", "it has said nothing for 10s"} {
			if !strings.Contains(s.warned(), want) {
				t.Errorf("the warnings are %q, want %q", s.warned(), want)
			}
		}
	})
}
