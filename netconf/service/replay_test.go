package service

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// exchange is one recorded message, without its framing.
type exchange struct {
	fromClient bool
	text       string
}

// recorded reads a recording of testdata/wire: of clixon-controller, with an
// unmodified clixon-pyapi, or with an operator.
func recorded(t testing.TB, name, separator string) []exchange {
	t.Helper()
	b, err := os.ReadFile("testdata/wire/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var out []exchange
	parts := regexp.MustCompile(separator).Split(string(b), -1)
	for i, head := range regexp.MustCompile(separator).FindAllString(string(b), -1) {
		body := chunks.ReplaceAllString(parts[i+1], "")
		body, _, _ = strings.Cut(body, "\n#####")
		if body = strings.TrimSpace(body); body != "" {
			out = append(out, exchange{strings.Contains(head, "C>S") || strings.Contains(head, ">>>"), body})
		}
	}
	if len(out) < 10 {
		t.Fatalf("%s has %d messages", name, len(out))
	}
	return out
}

var chunks = regexp.MustCompile(`\n#(\d+|#)\n`)

// TestReplayOfPyapi plays the side of pyapi as it was recorded, byte by byte:
// from its hello to the end of a dry run and of a run. What it gets is what the
// controller sent, but for the parts of the configuration that are not ours.
func TestReplayOfPyapi(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Committer: commits{}})
	messages := recorded(t, "pyapi.log", `(?m)^=== \S+ [CS]>[CS] \d+\n`)
	r := users(t, opsDoc, "d1", "d2")
	all := parsed(t, `<services xmlns="`+Namespace+`">`+opsDoc+`</services>`)
	r.All = func() *tree.Node { return all }
	const want = "alice/AAA2/guest"

	c := &client{t, connection(t, s.path)}
	var run <-chan outcome
	for i, m := range messages {
		if m.fromClient {
			c.send(m.text)
			continue
		}
		switch {
		case strings.Contains(m.text, "<controller-transaction") && strings.Contains(m.text, "<tid>1</tid>"):
			dial(t, s.path).call(commitOf("CHANGE", "COMMIT", "candidate", ""))
		case strings.Contains(m.text, "<services-commit"):
			r.DryRun = strings.Contains(m.text, "<diff>true</diff>")
			run = start(t.Context(), s.Server, r)
		case strings.Contains(m.text, "<controller-transaction"):
			o := ended(t, run)
			if o.err != nil || len(o.out) != 2 || xmlOf(o.out["d1"]) != usersXML(want, "eric/AAA1/admin") || xmlOf(o.out["d2"]) != xmlOf(o.out["d1"]) {
				t.Fatalf("it makes %s (%v)", xmlOf(o.out["d1"]), o.err)
			}
			s.Pushed("ssh-users[ops]", nil) // which a dry run doesn't wait for
		}
		got := timeless(c.read())
		if strings.Contains(m.text, "<processes") {
			if i := strings.Index(got, "<devices"); i < 0 || !strings.Contains(m.text, got[strings.Index(got, "<services"):i]) || !strings.Contains(got, "<config/></device>") {
				t.Errorf("message %d: %s, want the services of %s", i, got, m.text)
			}
		} else if got != timeless(m.text) {
			t.Errorf("message %d:\n%s, want\n%s", i, got, timeless(m.text))
		}
	}
}

// TestReplayOfOperator plays an operator as recorded. What is Git's business is
// refused; hellos, subscriptions and commits are answered in the same words.
func TestReplayOfOperator(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Committer: commits{}, View: func() View {
		return View{Services: element("services"), Devices: []Device{{Name: "d1"}}}
	}})
	dial(t, s.path) // has the number of its session differ from that of its commits
	var c *client
	answered := map[string]int{}
	for i, m := range recorded(t, "operator.log", `(?m)^(>>>|<<<) `) {
		switch {
		case m.fromClient && strings.HasPrefix(m.text, "<hello"):
			c = &client{t, connection(t, s.path)}
			c.send(m.text)
			if got := c.read(); !strings.HasPrefix(got, `<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><session-id>`) {
				t.Errorf("message %d: %s", i, got)
			}
		case m.fromClient:
			c.send(m.text)
			got := c.read()
			op := operation.FindStringSubmatch(m.text)[1]
			answered[op]++
			switch op {
			case "create-subscription":
				if got != okReply {
					t.Errorf("message %d: %s", i, got)
				}
			case "controller-commit":
				if !strings.HasPrefix(got, `<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><tid xmlns="http://clicon.org/controller">`) {
					t.Errorf("message %d: %s", i, got)
					break
				}
				if end := c.read(); !strings.Contains(end, "<tid>"+regexp.MustCompile(`>(\d+)</tid>`).FindStringSubmatch(got)[1]+"</tid><username>root</username><result>SUCCESS</result>") {
					t.Errorf("message %d ends with %s", i, end)
				}
			case "get", "get-config":
				if !strings.Contains(got, "<data") || strings.Contains(got, "rpc-error") {
					t.Errorf("message %d: %s", i, got)
				}
			default:
				if strings.Contains(m.text, `nc:operation="remove"`) && got == okReply {
					break // what isn't there anyway
				}
				if !strings.Contains(got, "<rpc-error>") || !strings.Contains(got, "in the repository") {
					t.Errorf("message %d, %s: %s", i, op, got)
				}
			}
		}
	}
	for _, op := range []string{"create-subscription", "controller-commit", "get-config", "edit-config", "connection-change"} {
		if answered[op] == 0 {
			t.Errorf("the recording has no %s", op)
		}
	}
}

var operation = regexp.MustCompile(`<rpc [^>]*><([a-z-]+)`)

// BenchmarkTransaction is a run as pyapi makes it, less what pyapi computes.
func BenchmarkTransaction(b *testing.B) {
	s := serve(b, Options{})
	c := dial(b, s.path)
	c.subscribe("services-commit", "")
	c.subscribe("controller-transaction", "")
	r := users(b, opsDoc, "d1", "d2")
	messages := recorded(b, "pyapi.log", `(?m)^=== \S+ [CS]>[CS] \d+\n`)
	edit := ""
	for _, m := range messages {
		if strings.Contains(m.text, "<edit-config>") {
			edit = m.text
		}
	}
	for b.Loop() {
		run := start(b.Context(), s.Server, r)
		tid := tidOf(b, c.read())
		c.call(`<get><nc:filter nc:type="xpath" nc:select="/co:transactions/co:transaction[co:tid='` + tid + `']" xmlns:co="http://clicon.org/controller"/></get>`)
		c.call(`<get-config><source><actions xmlns="http://clicon.org/controller"/></source><nc:filter nc:type="xpath" nc:select="/"/></get-config>`)
		c.send(edit)
		c.read()
		c.call(done(tid))
		if o := <-run; o.err != nil || len(o.out) != 2 {
			b.Fatal(o.err)
		}
	}
}
