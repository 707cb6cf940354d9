package service

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// TestServiceInC plays the service of clixon-controller that is written in C: it
// listens in one session and asks in another, reads services and devices apart,
// edits one device at a time with the default operation none, and names no
// service when it is done.
func TestServiceInC(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	listens, asks := dial(t, s.path), dial(t, s.path)
	listens.subscribe("services-commit", "")
	r := users(t, opsDoc, "d1", "d2")
	r.Config = func(string) *tree.Node {
		return parsed(t, `<config><interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>other</name></interface></interfaces></config>`)
	}
	run := start(t.Context(), s.Server, r)
	tid := tidOf(t, listens.read())
	read := func(depth, sel string) string {
		return asks.call(`<get-config` + depth + `><source><actions xmlns="http://clicon.org/controller"/></source><nc:filter nc:type="xpath" nc:select="` + sel + `" xmlns:ctrl="http://clicon.org/controller"/></get-config>`)
	}
	if got := read("", "ctrl:services"); !strings.Contains(got, "<data><services") || !strings.Contains(got, "<service-name>ops</service-name>") || strings.Contains(got, "<devices") {
		t.Errorf("the services are %s", got)
	}
	if got := read(` nc:depth="4"`, "ctrl:devices"); !strings.Contains(got, `<device><name>d1</name><enabled>true</enabled><config/></device><device><name>d2</name>`) {
		t.Errorf("the devices are %s", got)
	}
	for _, device := range []string{"d1", "d2"} {
		entry := func(name string) string {
			return `<interface cl:creator="ssh-users[service-name='ops']"><name>` + name + `</name><config><name>` + name + `</name><type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">ianaift:ethernetCsmacd</type></config></interface>`
		}
		got := asks.call(`<edit-config><target><actions xmlns="http://clicon.org/controller"/></target><default-operation>none</default-operation><config><devices xmlns="http://clicon.org/controller"><device><name>` + device +
			`</name><config><interfaces xmlns="http://openconfig.net/yang/interfaces" nc:operation="merge" xmlns:cl="http://clicon.org/lib">` + entry("eth0") + entry("eth1") + entry("eth0") + `</interfaces></config></device></devices></config></edit-config>`)
		if got != okReply {
			t.Fatalf("the edit is answered with %s", got)
		}
	}
	if got := asks.call(done(tid)); got != okReply {
		t.Errorf("the end is answered with %s", got)
	}
	o := ended(t, run)
	one := `<interface><name>eth0</name><config><name>eth0</name><type xmlns:ianaift="urn:ietf:params:xml:ns:yang:iana-if-type">ianaift:ethernetCsmacd</type></config></interface>`
	want := `<config><interfaces xmlns="http://openconfig.net/yang/interfaces">` + one + strings.ReplaceAll(one, "eth0", "eth1") + `</interfaces></config>`
	if o.err != nil || xmlOf(o.out["d1"]) != want || xmlOf(o.out["d2"]) != want {
		t.Errorf("it makes %s (%v)", xmlOf(o.out["d1"]), o.err)
	}
	// What is done is done.
	if got := asks.call(done(tid)); !strings.Contains(got, "Transaction in unexpected state") {
		t.Errorf("a second end is answered with %s", got)
	}
	s.Pushed("ssh-users[ops]", nil)
	if got := asks.call(done(tid)); !strings.Contains(got, "Transaction already completed") {
		t.Errorf("an end behind the push is answered with %s", got)
	}
}

func TestAnotherSessionsTransaction(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	a, b := dial(t, s.path), dial(t, s.path)
	a.subscribe("services-commit", "/ctrl:services/ssh-users")
	b.subscribe("services-commit", "/ctrl:services/other")
	ctx, cancel := context.WithCancelCause(t.Context())
	run := start(ctx, s.Server, users(t, opsDoc, "d1"))
	tid := tidOf(t, a.read())
	if got := b.call(done(tid)); !strings.Contains(got, "Transaction belongs to another session") {
		t.Errorf("another's end is answered with %s", got)
	}
	cancel(errors.New("enough"))
	if o := ended(t, run); o.err == nil || o.err.Error() != "enough" {
		t.Errorf("the error is %v", o.err)
	}
}

func TestOutcomesOfPushes(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{})
	c := dial(t, s.path)
	c.subscribe("services-commit", "")
	c.subscribe("controller-transaction", "")
	runs := func(dry bool) {
		t.Helper()
		r := users(t, opsDoc, "d1")
		r.DryRun = dry
		run := start(t.Context(), s.Server, r)
		msg := c.read()
		for strings.Contains(msg, "<controller-transaction") {
			msg = c.read()
		}
		c.call(done(tidOf(t, msg)))
		if o := ended(t, run); o.err != nil {
			t.Fatal(o.err)
		}
	}
	runs(false)
	runs(false) // the push of the one before is given up
	runs(true)
	s.Pushed("ssh-users[ops]", errors.New("d1 refuses"))
	s.Pushed("ssh-users[ops]", nil) // there is nothing left to be pushed
	s.Pushed("ssh-users[none]", nil)
	got := c.call(`<get><nc:filter nc:type="xpath" nc:select="/co:transactions/co:transaction/co:result | /co:transactions/co:transaction/co:reason" xmlns:co="http://clicon.org/controller"/></get>`)
	for strings.Contains(got, "<notification") {
		got = c.read()
	}
	want := `<transaction><tid>1</tid><result>FAILED</result><reason>a newer run took its place</reason></transaction><transaction><tid>2</tid><result>FAILED</result><reason>d1 refuses</reason></transaction><transaction><tid>3</tid><result>SUCCESS</result></transaction>`
	if !strings.Contains(got, want) {
		t.Errorf("the transactions are %s\nwant %s", got, want)
	}
}

type panics struct{}

func (panics) Commit(context.Context, CommitRequest) (CommitResult, error) { panic("a fault") }

func TestPanicsStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	s := serve(t, Options{Committer: panics{}, View: func() View { panic("another fault") }})
	c := dial(t, s.path)
	if got := c.call(`<get-config><source><running/></source></get-config>`); !strings.Contains(got, "The request failed within the server") {
		t.Errorf("the answer is %s", got)
	}
	c.subscribe("controller-transaction", "")
	c.call(commitOf("NONE", "COMMIT", "running", ""))
	if got := c.read(); !strings.Contains(got, "<result>FAILED</result>") || !strings.Contains(got, "the commit failed within the server") {
		t.Errorf("the end is %s", got)
	}
	if w := s.warned(); !strings.Contains(w, "a fault") || !strings.Contains(w, "another fault") {
		t.Errorf("the warnings are %s", w)
	}
}
