package e2e

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/netconf"
)

// handlerProgram asks and answers as clixon-pyapi does. Its test is the service
// API's own.
const handlerProgram = "../../netconf/service/testdata/handler.py"

// handler is a process that makes the instances of one service.
type handler struct {
	t     *testing.T
	cmd   *exec.Cmd
	said  *syncBuffer
	ended chan struct{}
}

// handler starts one, and waits until it listens.
func (l *lab) handler(service string, args ...string) *handler {
	t := l.daemon.t
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		notrun.Because(t, "there is no python3 for the handler")
	}
	args = append([]string{handlerProgram, l.socket(), "--service", service, "--claim", "/ctrl:services/" + service}, args...)
	h := &handler{t: t, cmd: exec.Command(python, args...), said: &syncBuffer{}, ended: make(chan struct{})}
	h.cmd.Stdout, h.cmd.Stderr = h.said, h.said
	if err := h.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(h.ended)
		_ = h.cmd.Wait()
	}()
	t.Cleanup(h.kill)
	h.expect("listening")
	return h
}

func (h *handler) kill() {
	_ = h.cmd.Process.Kill()
	<-h.ended
}

// expect waits until the handler has said something.
func (h *handler) expect(line string) {
	h.t.Helper()
	for deadline := time.Now().Add(time.Minute); !strings.Contains("\n"+h.said.String(), "\n"+line+"\n"); {
		if time.Now().After(deadline) {
			h.t.Fatalf("the handler never said %q, but\n%s", line, h.said.String())
		}
		time.Sleep(20 * time.Millisecond) // another process, which nothing can signal
	}
}

// socket is where the agent serves its service API.
func (l *lab) socket() string { return filepath.Join(l.state, "api") }

// byHandlers makes the service of the lab one that handlers make, and adds a
// second such service, guests.
func (l *lab) byHandlers() {
	l.args = append(l.args, "--netconf-socket", l.socket())
	if err := os.Remove(filepath.Join(l.dir, "services/ssh-users.tmpl")); err != nil {
		l.fatal(err)
	}
	l.write("services/guests.yang", strings.ReplaceAll(usersModel, "ssh-users", "guests"))
}

// guests writes an instance of the second service.
func (l *lab) guests(instance string, users ...string) {
	l.users(instance, users...)
	name := "services/" + instance + ".xml"
	text, err := os.ReadFile(filepath.Join(l.dir, name))
	if err != nil {
		l.fatal(err)
	}
	l.write(name, strings.ReplaceAll(string(text), "ssh-users", "guests"))
}

// service gives the line of `abide services` about an instance.
func (l *lab) service(name string) string {
	l.daemon.t.Helper()
	out, _ := l.cli("services")
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, name) {
			return line
		}
	}
	return ""
}

// TestHandlersOfServices: two services are made by two handlers, which come, go,
// hang and die on their own.
func TestHandlersOfServices(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 2})
	l.byHandlers()
	l.users("ops", "eric:A1:admin", "alice:B1:guest")
	l.commit("ops")
	begin := time.Now()
	l.start()
	line := l.stream("?since=0").wait(`"service_failed"`)
	if !strings.Contains(line, "no handler is connected for the service ssh-users") || !strings.Contains(line, "start its handler") {
		t.Errorf("without a handler the event is %s", line)
	}
	t.Logf("without a handler there was an error after %v", time.Since(begin))
	ops := l.handler("ssh-users")
	l.expectUsers("the handler has come", "alice:B1", "eric:A1")
	ops.expect("made 4 for ssh-users ops diff=False")
	ops.expect("result SUCCESS")

	hangs := l.handler("guests", "--mode", "hang")
	events := l.stream("")
	l.guests("visit", "zoe:Z1:guest")
	l.users("ops", "eric:A2:admin")
	l.commit("both")
	hangs.expect("hanging")
	hangs.kill()
	if line := events.wait(`"service_failed"`); !strings.Contains(line, "guests[visit]: the handler") || !strings.Contains(line, "went away in the middle of it") {
		t.Errorf("of a handler that died the event is %s", line)
	}
	l.expectUsers("the other's goes on", "eric:A2")
	if line := l.service("guests[visit]"); !strings.Contains(line, "waiting") || !strings.Contains(line, "handler") {
		t.Errorf("the instance of the one that died: %s", line)
	}
	guests := l.handler("guests")
	l.expectUsers("the handler is back", "eric:A2", "zoe:Z1")
	guests.expect("made 2 for guests visit diff=False")

	l.git("rm", "-q", "services/ops.xml")
	l.commit("without ops")
	l.expectUsers("ops is gone", "zoe:Z1")
	ops.expect("made 0 for ssh-users ops diff=False")
	l.eventually("nobody knows of ops", func() bool { return l.service("ssh-users[ops]") == "" })
}

// TestLateHandler: a handler that takes its time holds up no other instance.
func TestLateHandler(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{}, "--netconf-service-timeout", "20s")
	l.byHandlers()
	l.commit("nothing yet")
	l.start()
	hangs, _ := l.handler("guests", "--mode", "hang"), l.handler("ssh-users")
	events := l.stream("")
	l.guests("visit", "zoe:Z1:guest")
	l.users("ops", "eric:A1:admin")
	l.commit("both")
	hangs.expect("hanging")
	begin := time.Now()
	l.expectUsers("the other's goes on", "eric:A1")
	took := time.Since(begin)
	if line := events.wait(`"service_failed"`); !strings.Contains(line, "guests[visit]: the handler") || !strings.Contains(line, "hasn't made it in 20s") {
		t.Errorf("of a handler that is late the event is %s", line)
	}
	if late := time.Since(begin); took > late/2 {
		t.Errorf("the other was made after %v, the late one failed after %v", took, late)
	}
}

// operator is a session of somebody who commits on the service API.
type operator struct {
	t    *testing.T
	conn *netconf.Conn
}

func (l *lab) operator() *operator {
	t := l.daemon.t
	t.Helper()
	c, err := net.Dial("unix", l.socket())
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{t: t, conn: netconf.NewConn(c, netconf.ConnOptions{Chunked: true})}
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { _ = o.conn.Close() }) })
	o.send(`<hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" cl:username="alex" xmlns:cl="http://clicon.org/lib"><capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>`)
	if got := o.read(); !strings.Contains(got, "<session-id>") {
		t.Fatalf("the hello is %s", got)
	}
	o.call(`<create-subscription xmlns="urn:ietf:params:xml:ns:netmod:notification"><stream>controller-transaction</stream></create-subscription>`)
	return o
}

func (o *operator) send(msg string) {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(o.t.Context(), time.Minute)
	defer cancel()
	if err := o.conn.WriteMessage(ctx, []byte(msg)); err != nil {
		o.t.Fatal(err)
	}
}

func (o *operator) read() string {
	o.t.Helper()
	stop := time.AfterFunc(time.Minute, func() { _ = o.conn.Close() })
	defer stop.Stop()
	r, err := o.conn.ReadMessage()
	if err != nil {
		o.t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		o.t.Fatal(err)
	}
	return string(text)
}

// call asks, and gives the reply.
func (o *operator) call(body string) string {
	o.t.Helper()
	o.send(`<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" cl:username="alex" xmlns:cl="http://clicon.org/lib" message-id="42">` + body + `</rpc>`)
	got := o.read()
	for strings.Contains(got, "<notification") {
		got = o.read()
	}
	return got
}

var tidPattern = regexp.MustCompile(`<tid(?: [^>]*)?>(\d+)</tid>`)

// commit asks for a controller-commit, and gives how it ended.
func (o *operator) commit(actions, push, more string) string {
	o.t.Helper()
	got := o.call(`<controller-commit xmlns="http://clicon.org/controller"><device>*</device><push>` + push + `</push><actions>` + actions + `</actions><source>ds:candidate</source>` + more + `</controller-commit>`)
	tid := tidPattern.FindStringSubmatch(got)
	if tid == nil {
		o.t.Fatalf("the commit is answered with %s", got)
	}
	for {
		if end := o.read(); strings.Contains(end, "<tid>"+tid[1]+"</tid>") {
			return end
		}
	}
}

// TestOperatorsCommit: an operator of the service API sees what would change, and
// has instances applied anew.
func TestOperatorsCommit(t *testing.T) {
	t.Parallel()
	l := newLab(t, netconfd.Options{Devices: 2})
	l.byHandlers()
	l.users("ops", "eric:A1:admin")
	l.commit("ops")
	l.start()
	h := l.handler("ssh-users")
	l.expectUsers("ops", "eric:A1")
	h.expect("result SUCCESS")

	if out, code := l.cli("suspend"); code != 0 {
		t.Fatal(out)
	}
	o := l.operator()
	const difference = `<datastore-diff xmlns="http://clicon.org/controller"><dsref1>ds:running</dsref1><dsref2>ds:actions</dsref2></datastore-diff>`
	if end := o.commit("CHANGE", "NONE", ""); !strings.Contains(end, "<result>SUCCESS</result>") || !strings.Contains(end, "No device configuration changed") {
		t.Errorf("a dry run of nothing ends with %s", end)
	}
	l.users("ops", "eric:A2:admin")
	l.commit("another key")
	if end := o.commit("CHANGE", "NONE", ""); !strings.Contains(end, "<result>SUCCESS</result>") {
		t.Errorf("a dry run ends with %s", end)
	}
	h.expect("made 2 for ssh-users ops diff=True")
	diff := o.call(difference)
	for _, want := range []string{"d1:", "d2:", "-            &lt;ssh-key&gt;A1&lt;/ssh-key&gt;", "+            &lt;ssh-key&gt;A2&lt;/ssh-key&gt;"} {
		if !strings.Contains(diff, want) {
			t.Errorf("the difference has no %q: %s", want, diff)
		}
	}
	l.expectUsers("a dry run changes nothing", "eric:A1")

	if out, code := l.cli("resume"); code != 0 {
		t.Fatal(out)
	}
	if end := o.commit("CHANGE", "COMMIT", ""); !strings.Contains(end, "<result>SUCCESS</result>") {
		t.Errorf("a commit ends with %s", end)
	}
	for i := range l.kit.Devices {
		if got := l.has(i); !slices.Equal(got, []string{"eric:A2"}) {
			t.Errorf("behind the commit %s has %v", l.kit.Devices[i].Name, got)
		}
	}
	made := func() int {
		n := 0
		for in := bufio.NewScanner(strings.NewReader(h.said.String())); in.Scan(); {
			if in.Text() == "made 2 for ssh-users ops diff=False" {
				n++
			}
		}
		return n
	}
	before := made()
	if end := o.commit("FORCE", "COMMIT", `<service-instance>ssh-users[instance='ops']</service-instance>`); !strings.Contains(end, "<result>SUCCESS</result>") {
		t.Errorf("a forced commit ends with %s", end)
	}
	if n := made(); n != before+1 {
		t.Errorf("forced, its code ran %d times", n-before)
	}
	h.kill()
	if end := o.commit("FORCE", "COMMIT", ""); !strings.Contains(end, "<result>FAILED</result>") || !strings.Contains(end, "no handler is connected for the service ssh-users") {
		t.Errorf("without a handler a commit ends with %s", end)
	}
	l.expectUsers("what is there stays", "eric:A2")
}
