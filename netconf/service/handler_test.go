package service

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/notrun"
	"github.com/abide-agent/abide/netconf/tree"
)

// handler is a process that speaks the service API as clixon-pyapi does.
type handler struct {
	cmd   *exec.Cmd
	lines chan string
}

// startHandler starts the handler of testdata and waits until it listens.
func startHandler(t testing.TB, s *serving, args ...string) *handler {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		notrun.Because(t, "there is no python3 for the handler")
	}
	cmd := exec.Command(python, append([]string{"testdata/handler.py", s.path}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var faults strings.Builder
	cmd.Stderr = &faults
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &handler{cmd: cmd, lines: make(chan string, 100)}
	go func() {
		defer close(h.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			h.lines <- in.Text()
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if strings.Contains(faults.String(), "Traceback") {
			t.Errorf("the handler failed: %s", faults.String())
		}
	})
	h.expect(t, "listening")
	return h
}

// expect waits for a line of the handler's output.
func (h *handler) expect(t testing.TB, want string) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case line, ok := <-h.lines:
			switch {
			case !ok:
				t.Fatalf("the handler ended before it said %q", want)
			case strings.HasPrefix(line, "fault"):
				t.Fatalf("the handler says %q", line)
			case line == want:
				return
			}
		case <-timeout:
			t.Fatalf("the handler doesn't say %q", want)
		}
	}
}

// lacks waits until the server has seen that a process is gone.
func (s *serving) lacks(t testing.TB, h *handler) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		s.Server.mu.Lock()
		there := slices.ContainsFunc(s.sessions, func(n *session) bool { return int(n.pid) == h.cmd.Process.Pid })
		s.Server.mu.Unlock()
		if !there {
			return
		}
		select {
		case <-s.come:
		case <-deadline:
			t.Fatal("the session doesn't end")
		}
	}
}

const alice = `alice/AAA2/guest`

func TestHandlerMakesAnInstance(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	h := startHandler(t, s)
	r := users(t, opsDoc, "d1", "d2")
	r.Config = func(device string) *tree.Node {
		if device != "d1" {
			return nil
		}
		return parsed(t, strings.Replace(usersXML("kim/K/guest"), "<aaa>", "<config><login-banner>\n two\n lines\n</login-banner></config><aaa>", 1))
	}
	for i, dry := range []bool{false, true, false} {
		r.DryRun = dry
		out, err := s.Run(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		h.expect(t, "made 4 for ssh-users ops diff="+strings.ToUpper(fmt.Sprint(dry)[:1])+fmt.Sprint(dry)[1:])
		want := usersXML(alice, "eric/AAA1/admin")
		if xmlOf(out["d1"]) != want || xmlOf(out["d2"]) != want || len(out) != 2 {
			t.Fatalf("run %d gives %s\nand %s\nwant %s", i, xmlOf(out["d1"]), xmlOf(out["d2"]), want)
		}
		if !dry {
			s.Pushed("ssh-users[ops]", nil)
			h.expect(t, "result SUCCESS")
		}
	}
	r = users(t, devsDoc, "d1")
	out, err := s.Run(t.Context(), r)
	if err != nil || xmlOf(out["d1"]) != usersXML(`kim/&lt;k&amp;"im"&gt;/guest`) {
		t.Fatalf("devs is %s (%v)", xmlOf(out["d1"]), err)
	}
	s.Pushed("ssh-users[devs]", errors.New("d1 refuses"))
	h.expect(t, "result FAILED")
	if w := s.warned(); w != "" {
		t.Errorf("the server warns: %s", w)
	}
}

func parsed(t testing.TB, doc string) *tree.Node {
	t.Helper()
	n, err := tree.ParseBytes([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestHandlerSpellings(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	startHandler(t, s, "--stream", "service-commit", "--done", "transactions-actions-done", "--operation", "create")
	out, err := s.Run(t.Context(), users(t, opsDoc, "d1"))
	if err != nil || xmlOf(out["d1"]) != usersXML(alice, "eric/AAA1/admin") {
		t.Fatalf("ops is %s (%v)", xmlOf(out["d1"]), err)
	}
	// The key of the seed's model is called instance; clixon's helper writes
	// service-name all the same.
	startHandler(t, s, "--service", "seed", "--claim", "/ctrl:services/*[.='']|/ctrl:services/seed", "--key", "service-name")
	r := Request{Instance: instance(t, `<seed xmlns="u:seed"><instance>x</instance><username><name>a</name><ssh-key>k</ssh-key><role>r</role></username></seed>`), Devices: []Device{{Name: "d1"}}}
	if out, err = s.Run(t.Context(), r); err != nil || xmlOf(out["d1"]) != usersXML("a/k/r") {
		t.Fatalf("seed is %s (%v)", xmlOf(out["d1"]), err)
	}
}

func TestHandlerFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"error", []string{"--mode", "error"}, "ssh-users[ops]: No connection to external server; look at the log of the handler"},
		{"dies", []string{"--mode", "die"}, "went away in the middle of it"},
		{"wrong service", []string{"--mode", "wrong-tag", "--tag", "nosuch[service-name='ops']"}, "Invalid creator service name in nosuch[service-name='ops']"},
		{"wrong key", []string{"--mode", "wrong-tag", "--tag", "ssh-users[wrong='ops']"}, `Creator tag: "ssh-users[wrong='ops']": Invalid key: "wrong", expected: "service-name"`},
		{"no instance", []string{"--mode", "wrong-tag", "--tag", "ssh-users"}, "Creator attribute, no instance: [] in ssh-users"},
		{"another instance", []string{"--mode", "wrong-tag", "--tag", "ssh-users[service-name='devs']"}, `Invalid instance: "devs", the transaction is for "ops"`},
		{"bad select", []string{"--select", "/ctrl:services[last()]"}, "are understood"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Options{})
			startHandler(t, s, c.args...)
			out, err := s.Run(t.Context(), users(t, opsDoc, "d1"))
			if _, ok := errors.AsType[*HandlerError](err); !ok || !strings.Contains(err.Error(), c.want) || out != nil {
				t.Errorf("it makes %v, the error is %v, want %q", out, err, c.want)
			}
		})
	}
}

func TestSeveralHandlers(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	mine := func(service string) Request {
		return Request{
			Instance: instance(t, `<`+service+` xmlns="u:`+service+`"><name>x</name><username><name>`+service+`</name><ssh-key>k</ssh-key><role>r</role></username></`+service+`>`),
			Devices:  []Device{{Name: "d1"}},
		}
	}
	makes := func(service string) {
		t.Helper()
		out, err := s.Run(t.Context(), mine(service))
		if err != nil || xmlOf(out["d1"]) != usersXML(service+"/k/r") {
			t.Errorf("%s is %s (%v)", service, xmlOf(out["d1"]), err)
		}
	}
	// Nobody says what it makes: who makes something of it is found out.
	startHandler(t, s, "--service", "one")
	startHandler(t, s, "--service", "two")
	victim := startHandler(t, s, "--service", "three", "--claim", "/ctrl:services/three", "--mode", "hang")
	for range 3 {
		makes("two")
		makes("one")
	}
	if _, err := s.Run(t.Context(), mine("four")); err != nil {
		t.Errorf("what nobody makes anything of gives %v", err)
	}
	hung := start(t.Context(), s.Server, mine("three"))
	victim.expect(t, "hanging")
	makes("one")
	if err := victim.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if o := ended(t, hung); o.err == nil || !strings.Contains(o.err.Error(), "went away in the middle of it") {
		t.Errorf("the error is %v", o.err)
	}
	makes("two")
	startHandler(t, s, "--service", "three", "--claim", "/ctrl:services/three")
	makes("three")
}

func TestHandlerOfUnclaimedServices(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	r := users(t, opsDoc, "d1")
	_, err := s.Run(t.Context(), r)
	if _, ok := errors.AsType[*NoHandlerError](err); !ok || !strings.Contains(err.Error(), "no handler is connected for the service ssh-users") {
		t.Errorf("the error is %v", err)
	}
	startHandler(t, s, "--claim", "/ctrl:services/other")
	if _, err = s.Run(t.Context(), r); err == nil || !strings.Contains(err.Error(), "no handler is connected") {
		t.Errorf("with a handler of another service the error is %v", err)
	}
	startHandler(t, s, "--service", "strange")
	if out, err := s.Run(t.Context(), r); err != nil || len(out) > 0 {
		t.Errorf("a stranger makes %v of it (%v)", out, err)
	}
	made := r
	made.Made = true
	if _, err = s.Run(t.Context(), made); err == nil || !strings.Contains(err.Error(), "of which something was made before") {
		t.Errorf("a stranger would remove it: %v", err)
	}
	own := startHandler(t, s)
	if _, err = s.Run(t.Context(), r); err != nil {
		t.Errorf("with one of all unclaimed services: %v", err)
	}
	// Its handler is gone, and the stranger's word counts for nothing.
	own.cmd.Process.Kill()
	for range own.lines {
	}
	s.lacks(t, own)
	if out, err := s.Run(t.Context(), r); err == nil || len(out) > 0 {
		t.Errorf("a stranger makes %v of it (%v)", out, err)
	}
}

func TestDeletedInstanceGoesWhateverItsHandlerDoes(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	r := users(t, opsDoc, "d1")
	r.Deleted = true
	for _, mode := range []string{"", "good", "error", "die"} {
		if mode != "" {
			startHandler(t, s, "--mode", mode)
		}
		if out, err := s.Run(t.Context(), r); err != nil || len(out) != 0 {
			t.Errorf("%q: %v (%v)", mode, out, err)
		}
	}
	if !strings.Contains(s.warned(), "ssh-users[ops] is gone") {
		t.Error("nothing is said of it")
	}
}

func TestUntaggedChangesBelongToTheInstance(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	startHandler(t, s, "--mode", "untagged")
	r := users(t, opsDoc, "d1")
	r.Config = func(string) *tree.Node { return parsed(t, usersXML("kim/K/guest", alice)) }
	out, err := s.Run(t.Context(), r)
	// alice is there already, and another's: without a tag she is no wish.
	if err != nil || xmlOf(out["d1"]) != usersXML("eric/AAA1/admin") {
		t.Errorf("ops is %s (%v)", xmlOf(out["d1"]), err)
	}
}

func TestHandlerIsGivenUp(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	h := startHandler(t, s, "--mode", "hang")
	ctx, cancel := context.WithCancelCause(t.Context())
	c := start(ctx, s.Server, users(t, opsDoc, "d1"))
	h.expect(t, "hanging")
	cancel(errors.New("the agent stops"))
	if o := ended(t, c); o.err == nil || o.err.Error() != "the agent stops" {
		t.Errorf("the error is %v", o.err)
	}
}
