package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// serve opens a session with a peer that does what it is told. Both have ended
// when the test has.
func serve(t *testing.T, o Options, peer func(c *Conn)) *Session {
	t.Helper()
	ours, theirs := net.Pipe()
	var all sync.WaitGroup
	all.Go(func() {
		c := NewConn(theirs, ConnOptions{})
		defer c.Close()
		if _, err := Accept(t.Context(), c, 7, Base10, Base11); err != nil {
			t.Error(err)
			return
		}
		peer(c)
	})
	s, err := Open(t.Context(), ours, o)
	t.Cleanup(func() {
		ours.Close()
		all.Wait()
		if s != nil {
			<-s.Done()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask reads one request.
func ask(t *testing.T, c *Conn) *Request {
	q, err := ReadRequest(c, tree.Limits{})
	if err != nil {
		t.Error(err)
		return &Request{Root: base("rpc"), Op: base("none")}
	}
	return q
}

func say(t *testing.T, c *Conn, text []byte) {
	if err := c.WriteMessage(t.Context(), text); err != nil {
		t.Error(err)
	}
}

const reply = `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="%s">%s</rpc-reply>`

func TestCalls(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{}, func(c *Conn) {
		// Answers in the wrong order, with a notification between them.
		first, second := ask(t, c), ask(t, c)
		say(t, c, second.AppendReply(nil, base("data", leaf(tree.BaseSpace, "asked", second.Op.Name.Local))))
		say(t, c, AppendNotification(nil, time.Unix(0, 0), leaf("urn:x", "event", "1")))
		say(t, c, first.AppendReply(nil, base("data", leaf(tree.BaseSpace, "asked", first.Op.Name.Local))))
		// An answer without the id.
		ask(t, c)
		say(t, c, []byte(`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><ok/></rpc-reply>`))
		// Data that looks like the end of it, a warning.
		q := ask(t, c)
		warning := (&RPCError{Severity: "warning", Tag: "operation-failed", Message: "hm"}).Node()
		say(t, c, q.AppendReply(nil, warning, base("data", leaf("urn:x", "leaf", "</rpc-reply>\n##\n]]>]]>"))))
		// A warning beside an error.
		q = ask(t, c)
		say(t, c, q.AppendReply(nil, warning, (&RPCError{Tag: "in-use", AppTag: "a", Path: "/p", Type: "protocol", Info: base("error-info", leaf(tree.BaseSpace, "session-id", "4"))}).Node()))
		q = ask(t, c)
		say(t, c, q.AppendReply(nil))
	})
	var all sync.WaitGroup
	for _, name := range []string{"one", "two"} {
		all.Go(func() {
			r, err := s.Call(t.Context(), base(name))
			if err != nil || r.Root.Children[0].Children[0].Value != name {
				t.Errorf("%s: %v %v", name, r, err)
			}
		})
	}
	all.Wait()
	if n := <-s.Notifications(); n.Children[1].Value != "1" {
		t.Errorf("the notification is %s", n.Pretty())
	}
	if _, err := s.Call(t.Context(), base("three")); err != nil {
		t.Error(err)
	}
	r, err := s.Call(t.Context(), base("four"))
	if err != nil || len(r.Warnings) != 1 || r.Root.Children[1].Children[0].Value != "</rpc-reply>\n##\n]]>]]>" {
		t.Errorf("%+v %v", r, err)
	}
	_, err = s.Call(t.Context(), base("five"))
	e, ok := errors.AsType[*RPCError](err)
	if !ok || e.Type != "protocol" || e.Info.Children[0].Value != "4" || !HasTag(err, "x", "in-use") || HasTag(err, "hm") {
		t.Errorf("%+v", e)
	}
	if want := "the device says in-use (a) at /p; wait for the other session, or end it on the device"; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
	if s.ID() != 7 || !s.Capabilities().Has(":base:1.1") || s.Err() != nil {
		t.Error(s.ID(), s.Capabilities(), s.Err())
	}
	if err := s.Close(t.Context()); err != nil || !errors.Is(s.Err(), ErrClosed) {
		t.Error(err, s.Err())
	}
	lost, ok := errors.AsType[*LostError](s.Lock(t.Context(), Running))
	if !ok || lost.Sent {
		t.Errorf("a call after the end gave %+v", lost)
	}
}

// TestUnusable sends what no reader can take, and looks at what it costs.
func TestUnusable(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		text string // %s is the id
		call string // in the error of the call
		ends string // in the error of the session, empty when it goes on
	}{
		"an answer that is cut off":      {`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="%s"><data>`, "cannot be taken", ""},
		"an undeclared prefix":           {`<nc:rpc-reply message-id="%s"><a:b/></nc:rpc-reply>`, "prefix", ""},
		"a document type":                {`<!DOCTYPE a [<!ENTITY b "c">]><rpc-reply message-id="%s">&b;</rpc-reply>`, "cannot be taken", ""},
		"an answer to nobody":            {`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1%s"/>`, "never asked", "never asked"},
		"an answer to what is no number": {`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="a%s"/>`, "never asked", "never asked"},
		"a request":                      {`<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="%s"/>`, "neither an answer", "neither an answer"},
		"garbage":                        {"\x00\xff garbage %s", "no NETCONF message", "no NETCONF message"},
		"nothing but a comment":          {"<!-- %s -->", "no NETCONF message", "no NETCONF message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Options{}, func(c *Conn) {
				id, _ := ask(t, c).Root.Attr(tree.Name{Local: "message-id"})
				say(t, c, fmt.Appendf(nil, tt.text, id))
				if tt.ends == "" {
					say(t, c, ask(t, c).AppendReply(nil))
				}
			})
			err := s.Discard(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.call) {
				t.Errorf("the call gave %v", err)
			}
			if tt.ends == "" {
				if err := s.Discard(t.Context()); err != nil {
					t.Errorf("the next call gave %v", err)
				}
				return
			}
			<-s.Done()
			if lost, ok := errors.AsType[*LostError](err); !ok || !lost.Sent || !strings.Contains(s.Err().Error(), tt.ends) {
				t.Errorf("%v, and the session ended with %v", err, s.Err())
			}
		})
	}
}

// TestLargeReply sends 64 MB: the call fails, the memory stays, the session goes on.
func TestLargeReply(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Reply: tree.Limits{Bytes: 1 << 20}}, func(c *Conn) {
		id, _ := ask(t, c).Root.Attr(tree.Name{Local: "message-id"})
		leaves := strings.Repeat("<leaf>some value</leaf>", 64<<20/23)
		say(t, c, fmt.Appendf(nil, reply, id, "<data>"+leaves+"</data>"))
		say(t, c, ask(t, c).AppendReply(nil))
	})
	_, _, err := s.GetConfig(t.Context(), Running, nil)
	if err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("the call gave %v", err)
	}
	if err := s.Discard(t.Context()); err != nil {
		t.Errorf("the next call gave %v", err)
	}
}

// TestEndlessReply never ends: the session does, with its call.
func TestEndlessReply(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{MaxMessage: 1 << 20, Reply: tree.Limits{Bytes: 1 << 10}}, func(c *Conn) {
		id, _ := ask(t, c).Root.Attr(tree.Name{Local: "message-id"})
		text := fmt.Sprintf(reply, id, "")
		for {
			if _, err := fmt.Fprintf(c.rwc, "\n#%d\n%s", len(text), text); err != nil {
				return
			}
			text = strings.Repeat("x", 1000)
		}
	})
	if err := s.Discard(t.Context()); err == nil {
		t.Error("an answer without an end was taken")
	}
	if <-s.Done(); !errors.Is(s.Err(), ErrTooLarge) {
		t.Errorf("the session ended with %v", s.Err())
	}
}

// TestPatience ends calls by their context, and takes late answers.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, Options{}, func(c *Conn) {
			q := ask(t, c)
			time.Sleep(time.Minute)
			say(t, c, q.AppendReply(nil))
			say(t, c, ask(t, c).AppendReply(nil))
			ask(t, c)
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Lock(ctx, Running); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "did not answer lock in time") {
			t.Error(err)
		}
		if err := s.Lock(t.Context(), Running); err != nil {
			t.Error(err)
		}
		err := s.Lock(t.Context(), Running)
		if lost, ok := errors.AsType[*LostError](err); !ok || !lost.Sent || !strings.Contains(err.Error(), "the device ended the session") {
			t.Error(err)
		}
	})
}

func TestNotificationsThatNobodyReads(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Notifications: 2, Reply: tree.Limits{Bytes: 1000}}, func(c *Conn) {
		for i := range 5 {
			say(t, c, AppendNotification(nil, time.Unix(0, 0), leaf("urn:x", "event", fmt.Sprint(i))))
		}
		say(t, c, AppendNotification(nil, time.Unix(0, 0), leaf("urn:x", "event", strings.Repeat("x", 2000))))
		say(t, c, ask(t, c).AppendReply(nil))
	})
	if err := s.Discard(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	var got []string
	for n := range s.Notifications() {
		got = append(got, n.Children[1].Value)
	}
	if fmt.Sprint(got) != "[0 1]" || s.Dropped() != 4 {
		t.Errorf("read %v, dropped %d", got, s.Dropped())
	}
}

func TestHello(t *testing.T) {
	t.Parallel()
	hello := func(inside string) string {
		return `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">` + inside + `</hello>]]>]]>`
	}
	capabilities := func(uri string) string {
		return `<capabilities><capability>` + uri + `</capability></capabilities>`
	}
	for name, tt := range map[string]struct{ in, err string }{
		"without base":           {hello(capabilities(":candidate") + `<session-id>1</session-id>`), "neither base:1.0 nor base:1.1"},
		"without a session id":   {hello(capabilities(Base10)), "no session-id"},
		"with a session id of 0": {hello(capabilities(Base10) + `<session-id>0</session-id>`), "not a number from 1"},
		"a login prompt":         {"Welcome!\r\nlogin: ]]>]]>", "something else than a hello"},
		"nothing at all":         {"", "ended the session before its hello"},
		"cut off":                {"<hello>", "before its ]]>]]>"},
		"another element":        {`<rpc/>]]>]]>`, "<rpc> in the namespace"},
		"too large":              {hello(strings.Repeat(capabilities("a"), 300_000)), "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Open(t.Context(), &stream{Reader: strings.NewReader(tt.in)}, Options{})
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

// TestOldFraming talks to a device without chunks, and to one that is not to use them.
func TestOldFraming(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o       Options
		offered []string
	}{"an old device": {Options{}, []string{Base10}}, "a broken device": {Options{Only10: true}, []string{Base10, Base11}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := net.Pipe()
			var peer sync.WaitGroup
			defer peer.Wait()
			peer.Go(func() {
				c := NewConn(theirs, ConnOptions{})
				if _, err := Accept(t.Context(), c, 1, tt.offered...); err != nil {
					t.Error(err)
				}
				if c.chunked.Load() {
					t.Error("the server went over to chunks")
				}
				say(t, c, ask(t, c).AppendReply(nil))
				c.Close()
			})
			s, err := Open(t.Context(), ours, tt.o)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Discard(t.Context()); err != nil {
				t.Error(err)
			}
			<-s.Done()
		})
	}
}

// TestSilentPeer gives up on one that never says hello, and on one that never reads.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := Open(ctx, ours, Options{}); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no hello came") {
			t.Error(err)
		}
	})
	s := serve(t, Options{}, func(c *Conn) { <-t.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := s.Lock(ctx, Running); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	<-s.Done()
}
