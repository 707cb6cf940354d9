package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

const rpc = `<rpc xmlns="` + tree.BaseSpace + `" xmlns:x="urn:x" message-id="7" x:mine="1">`

// TestRequests looks at the bytes of answers, over base:1.0.
func TestRequests(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	s := speak(t, d)
	get := rpc + `<get-config><source><running/></source>%s</get-config></rpc>`
	for _, tt := range []struct{ name, ask, want string }{
		{"attributes", rpc + `<unlock><target><running/></target></unlock></rpc>`, `message-id="7"`},
		{"more attributes", rpc + `<discard-changes/></rpc>`, `:mine="1"><ok/></rpc-reply>`},
		{"no message-id", `<rpc xmlns="` + tree.BaseSpace + `"><discard-changes/></rpc>`, "<error-tag>missing-attribute</error-tag><error-severity>error</error-severity><error-message>an rpc must have a message-id</error-message><error-info><bad-attribute>message-id</bad-attribute><bad-element>rpc</bad-element>"},
		{"no XML", "garbage", "<error-tag>malformed-message</error-tag>"},
		{"cut off", "<rpc", "<error-tag>malformed-message</error-tag>"},
		{"a document type", `<!DOCTYPE a [<!ENTITY b "c">]><rpc>&b;</rpc>`, "<error-tag>malformed-message</error-tag>"},
		{"an undeclared prefix", `<nc:rpc/>`, "<error-tag>malformed-message</error-tag>"},
		{"too deep", strings.Repeat("<a>", 1000), "<error-tag>malformed-message</error-tag>"},
		{"two questions", rpc + "<get/><get/></rpc>", "<error-tag>malformed-message</error-tag>"},
		{"a parameter twice", rpc + "<lock><target><running/></target><target><running/></target></lock></rpc>", "<bad-element>target</bad-element>"},
		{"a parameter that isn't there", rpc + "<discard-changes><really/></discard-changes></rpc>", "<bad-element>really</bad-element>"},
		{"two datastores", rpc + "<lock><target><running/><candidate/></target></lock></rpc>", "<error-tag>bad-element</error-tag>"},
		{"defaults", fmt.Sprintf(get, `<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">trim</with-defaults>`), "<bad-element>with-defaults</bad-element>"},
		{"XPath", fmt.Sprintf(get, `<filter type="xpath" select="/x"/>`), "<error-tag>operation-not-supported</error-tag>"},
		{"a stamp", fmt.Sprintf(get, ""), `last-modified="20`},
		{"no namespace", fmt.Sprintf(get, `<filter><system xmlns=""/></filter>`), "<data/>"},
		{"a URL", rpc + `<edit-config><target><candidate/></target><url>file:///etc/passwd</url></edit-config></rpc>`, "<error-tag>operation-not-supported</error-tag>"},
		{"replay", rpc + `<create-subscription xmlns="` + netconf.NotificationSpace + `"><startTime>2026-01-01T00:00:00Z</startTime></create-subscription></rpc>`, "<error-tag>operation-not-supported</error-tag>"},
		{"an inline source", rpc + `<validate><source><config>` + hostname("no good") + `</config></source></validate></rpc>`, "<error-path xmlns:oc-sys=\"http://openconfig.net/yang/system\">/oc-sys:system/oc-sys:config/oc-sys:hostname</error-path>"},
		{"a copy of what is sent", rpc + `<copy-config><target><candidate/></target><source><config>` + hostname("h") + `</config></source></copy-config></rpc>`, "<ok/>"},
		{"what was copied", rpc + `<get-config><source><candidate/></source></get-config></rpc>`, "<hostname>h</hostname>"},
		{"any namespace", rpc + `<get-config><source><candidate/></source><filter xmlns:n="` + tree.BaseSpace + `" n:type="subtree"><system xmlns=""/></filter></get-config></rpc>`, "<hostname>h</hostname>"},
		{"the end", rpc + "<close-session/></rpc>", "<ok/>"},
		{"after the end", "", "EOF"},
	} {
		if got := s.ask(tt.ask); !strings.Contains(got, tt.want) {
			t.Errorf("%s gave %s\nwant %s", tt.name, got, tt.want)
		}
	}
	if d.Sessions() != 0 {
		t.Errorf("there are %d sessions", d.Sessions())
	}
	if got := speak(t, d).ask("<hello/>"); !strings.Contains(got, "EOF") {
		t.Errorf("something else than an rpc gave %s", got)
	}
}

// TestState reads what the device tells of itself.
func TestState(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	s := open(t, d)
	must(t, s.Lock(t.Context(), netconf.Candidate))
	for filter, want := range map[string]string{
		`<netconf-state xmlns="` + netconf.MonitoringSpace + `"><datastores/></netconf-state>`:                                       "<locked-by-session>1</locked-by-session>",
		`<netconf-state xmlns="` + netconf.MonitoringSpace + `"><sessions><session><username/></session></sessions></netconf-state>`: "<username>noc</username>",
		`<netconf-state xmlns="` + netconf.MonitoringSpace + `"><capabilities/></netconf-state>`:                                     "capability:candidate:1.0</capability>",
		`<yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"><content-id/></yang-library>`:                           "<content-id>",
		`<netconf xmlns="` + netconf.ManageEventSpace + `"/>`:                                                                        "<name>NETCONF</name>",
	} {
		got, _, err := s.Get(t.Context(), parse(t, filter))
		if err != nil || !strings.Contains(string(got.AppendXML(nil)), want) {
			t.Errorf("%s gave %v\n%s", filter, err, got.Pretty())
		}
	}
	library, _, err := s.Get(t.Context(), parse(t, `<yang-library xmlns="urn:ietf:params:xml:ns:yang:ietf-yang-library"/>`))
	must(t, err)
	id := library.Children[0].Children[2].Value
	if !strings.Contains(strings.Join(s.Capabilities().URIs(), " "), "content-id="+id) {
		t.Errorf("the hello doesn't tell the content-id %s", id)
	}
}

// TestSessionLimit refuses the one too many.
func TestSessionLimit(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	for range 64 {
		open(t, d)
	}
	if err := d.ServeConn(t.Context(), pipe(t, device(t, sim.Options{}), ""), sim.Peer{}); err == nil || !strings.Contains(err.Error(), "64 sessions") {
		t.Errorf("the session too many gave %v", err)
	}
}
