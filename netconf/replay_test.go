package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// recorded is one exchange of a recorded session.
type recorded struct {
	request, reply string
	chunks         int
	verdict        string // what the one who recorded it noted
}

var replyHead = regexp.MustCompile(`^\((\d+) chunks\) `)

// readRecord reads a recorded session: >>> what the client sent, <<< what came
// back, ##### what was made of it. Hellos and notifications are kept apart.
func readRecord(t *testing.T, name string) (hello string, all []recorded, notifications []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range regexp.MustCompile(`(?m)^(>>>|<<<|#####) `).Split("\n"+string(text), -1)[1:] {
		part = strings.TrimSpace(part)
		chunks := 1
		if m := replyHead.FindStringSubmatch(part); m != nil {
			chunks, _ = strconv.Atoi(m[1])
			part = part[len(m[0]):]
		}
		switch {
		case strings.HasPrefix(part, "<rpc "):
			all = append(all, recorded{request: part})
		case strings.Contains(part, "<session-id>") && strings.Contains(part, "<hello"):
			hello = part
		case strings.Contains(part, "<notification"):
			if strings.HasSuffix(part, "</notification>") {
				notifications = append(notifications, part)
			}
		case strings.Contains(part, "<rpc-reply"):
			if last := &all[len(all)-1]; last.reply == "" {
				last.reply, last.chunks = part, chunks
			}
		case len(all) > 0:
			if last := &all[len(all)-1]; last.verdict == "" {
				last.verdict = part
			}
		}
	}
	return hello, all, notifications
}

// player answers as the device did that was recorded.
type player struct {
	*Conn
	t *testing.T
}

// play writes a recorded reply, in as many chunks as it had.
func (p player) play(w io.Writer, text string, chunks int) {
	size := max(1, (len(text)+chunks-1)/chunks)
	for text != "" {
		n := min(size, len(text))
		if _, err := fmt.Fprintf(w, "\n#%d\n%s", n, text[:n]); err != nil {
			p.t.Error(err)
		}
		text = text[n:]
	}
	io.WriteString(w, "\n##\n")
}

var messageID = regexp.MustCompile(`message-id="\d+"`)

// repeat makes a session ask what was asked in the recording.
func repeat(ctx context.Context, s *Session, op *tree.Node) error {
	at := func(path ...string) *tree.Node {
		n := op
		for _, local := range path {
			n = n.Child(tree.Name{Space: op.Name.Space, Local: local})
		}
		return n
	}
	store := func(in string) Datastore { return Datastore(at(in).Children[0].Name.Local) }
	text := func(local string) string {
		if n := at(local); n != nil {
			return n.Value
		}
		return ""
	}
	switch op.Name.Local {
	case "lock":
		return s.Lock(ctx, store("target"))
	case "unlock":
		return s.Unlock(ctx, store("target"))
	case "commit":
		seconds, _ := strconv.Atoi(text("confirm-timeout"))
		return s.Commit(ctx, CommitOptions{
			Confirmed: at("confirmed") != nil, Timeout: time.Duration(seconds) * time.Second,
			Persist: text("persist"), PersistID: text("persist-id"),
		})
	case "cancel-commit":
		return s.CancelCommit(ctx, text("persist-id"))
	case "discard-changes":
		return s.Discard(ctx)
	case "validate":
		return s.Validate(ctx, store("source"))
	case "copy-config":
		return s.CopyConfig(ctx, store("source"), store("target"))
	case "edit-config":
		o := EditOptions{Target: store("target"), Default: text("default-operation"), TestOption: text("test-option"), ErrorOption: text("error-option")}
		return s.EditConfig(ctx, o, at("config"))
	case "get-config":
		f := at("filter")
		if f == nil && len(op.Children) == 1 || f != nil && f.Attrs[0].Value == "subtree" {
			config, _, err := s.GetConfig(ctx, store("source"), f)
			if err == nil && config.Name != (tree.Name{Local: "config"}) {
				err = fmt.Errorf("the root is %v", config.Name)
			}
			return err
		}
	case "get-schema":
		text, err := s.GetSchema(ctx, text("identifier"), text("version"))
		if err == nil && !strings.Contains(text, "module openconfig-system {") {
			err = fmt.Errorf("the schema is %.80q", text)
		}
		return err
	case "create-subscription":
		_, err := s.Call(ctx, op) // Subscribe would try the other namespace too
		return err
	case "get":
		if at("filter", "x") == nil && strings.Contains(op.Pretty(), "<schemas/>") {
			list, err := s.Schemas(ctx)
			if err == nil && (len(list) < 22 || list[0].Format != "yang" || list[0].Locations[0] != "NETCONF" || SchemaSet(list) == "") {
				err = fmt.Errorf("%d schemas: %v", len(list), list)
			}
			return err
		}
	}
	_, err := s.Call(ctx, op)
	return err
}

// TestReplay repeats two recorded sessions: what we send is what was sent then,
// and what we make of the answers is what was noted then.
func TestReplay(t *testing.T) {
	t.Parallel()
	for name, min := range map[string]int{"clixon.log": 54, "netconfd.log": 54} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hello, all, notifications := readRecord(t, name)
			hello = strings.ReplaceAll(hello, yuma, "urn:x") // a nudge was not recorded
			ours, theirs := net.Pipe()
			var played []string // the requests as they came
			var server sync.WaitGroup
			defer server.Wait()
			defer ours.Close()
			server.Go(func() {
				p := player{NewConn(theirs, ConnOptions{}), t}
				if _, err := exchange(t.Context(), p.Conn, []byte(hello), true); err != nil {
					t.Error(err)
				}
				for _, r := range all {
					q, err := ReadRequest(p.Conn, tree.Limits{})
					if err != nil {
						t.Error(err)
						return
					}
					id, _ := q.Root.Attr(tree.Name{Local: "message-id"})
					played = append(played, q.Op.Pretty())
					p.play(theirs, messageID.ReplaceAllString(r.reply, `message-id="`+id+`"`), r.chunks)
				}
				for _, n := range notifications {
					p.play(theirs, n, 2)
				}
				p.Close()
			})
			s, err := Open(t.Context(), ours, Options{})
			if err != nil {
				t.Fatal(err)
			}
			errs := 0
			for i, r := range all {
				rpc, err := tree.ParseBytes([]byte(r.request))
				if err != nil {
					t.Fatal(err)
				}
				err = repeat(t.Context(), s, rpc.Children[0])
				if want := rpc.Children[0].Pretty(); played[i] != want {
					t.Errorf("sent\n%swant\n%s", played[i], want)
				}
				if refused := checkVerdict(t, r, err); refused {
					errs++
				}
			}
			if len(all) < min || errs < 10 {
				t.Errorf("only %d exchanges were found, with %d errors", len(all), errs)
			}
			got := 0
			for n := range s.Notifications() {
				got++
				if n.Child(tree.Name{Space: "urn:ietf:params:xml:ns:yang:ietf-netconf-notifications", Local: "netconf-config-change"}) == nil {
					t.Errorf("the notification is\n%s", n.Pretty())
				}
			}
			if got != len(notifications) || name == "netconfd.log" && got == 0 {
				t.Errorf("%d notifications of %d came", got, len(notifications))
			}
			if <-s.Done(); s.Err() == nil {
				t.Error("the session is over without a reason")
			}
		})
	}
}

var noted = regexp.MustCompile(`(tag|app-tag|path|message)=([^;]*)`)

// checkVerdict compares an error with the one in the reply, and with what was
// noted about it.
func checkVerdict(t *testing.T, r recorded, err error) (refused bool) {
	t.Helper()
	if refused = strings.Contains(r.reply, "<rpc-error"); !refused {
		if err != nil {
			t.Errorf("%s\ngave %v", r.request, err)
		}
		return false
	}
	e, ok := errors.AsType[*RPCError](err)
	if !ok {
		t.Errorf("%s\ngave %v, want an RPCError", r.request, err)
		return true
	}
	_, facts, ok := strings.Cut(r.verdict, "ERROR ")
	if !ok {
		return true
	}
	first := map[string]string{}
	for _, m := range noted.FindAllStringSubmatch(facts, -1) {
		if first[m[1]] == "" {
			first[m[1]] = strings.TrimSpace(m[2])
		}
	}
	if e.Severity != "error" || e.Tag != first["tag"] || e.AppTag != first["app-tag"] || e.Path != first["path"] || !strings.HasPrefix(e.Message, first["message"]) {
		t.Errorf("read %+v of\n%s\nwant %v", *e, r.reply, first)
	}
	return true
}
