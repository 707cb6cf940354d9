package sim

import (
	"context"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// FuzzRequest asks a device two things after each other, and wants an answer that
// can be read, and configurations that the models allow.
func FuzzRequest(f *testing.F) {
	const system = `<system xmlns="http://openconfig.net/yang/system"`
	for _, op := range []string{
		`<get/>`,
		`<get-config><source><running/></source><filter>` + system + `><config><hostname/></config></system></filter></get-config>`,
		`<get-config><source><candidate/></source><filter><system xmlns=""><aaa><authentication><users><user><username>a</username><config/></user></users></authentication></aaa></system></filter></get-config>`,
		`<edit-config><target><candidate/></target><config>` + system + `><config><hostname>h</hostname></config></system></config></edit-config>`,
		`<edit-config><target><running/></target><default-operation>replace</default-operation><config>` + system + ` xmlns:nc="` + tree.BaseSpace + `"><aaa nc:operation="remove"/></system></config></edit-config>`,
		`<edit-config><target><running/></target><error-option>continue-on-error</error-option><config>` + system + `><ntp><servers><server><address>a</address></server></servers></ntp></system></config></edit-config>`,
		`<copy-config><target><startup/></target><source><running/></source></copy-config>`,
		`<delete-config><target><startup/></target></delete-config>`,
		`<validate><source><config>` + system + `/></config></source></validate>`,
		`<lock><target><candidate/></target></lock>`,
		`<unlock><target><candidate/></target></unlock>`,
		`<commit><confirmed/><confirm-timeout>1</confirm-timeout><persist>x</persist></commit>`,
		`<commit><persist-id>x</persist-id></commit>`,
		`<cancel-commit/>`, `<discard-changes/>`, `<close-session/>`,
		`<kill-session><session-id>1</session-id></kill-session>`,
		`<get-schema xmlns="` + netconf.MonitoringSpace + `"><identifier>openconfig-system</identifier></get-schema>`,
		`<create-subscription xmlns="` + netconf.NotificationSpace + `"><filter><x/></filter></create-subscription>`,
		`<x xmlns="urn:x"/>`,
	} {
		f.Add(op, `<commit/>`, true)
		f.Add(`<commit><confirmed/></commit>`, op, false)
	}
	key, err := NewKey()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, second string, candidate bool) {
		o := Options{HostKey: key}
		if !candidate {
			o.Mode = WithStartup
		}
		d, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{d: d, cut: func() {}, peer: Peer{User: "noc"}}
		if err := d.begin(s); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{first, second} {
			root, err := tree.ParseBytes([]byte(`<rpc message-id="1" xmlns="` + tree.BaseSpace + `">` + text + `</rpc>`))
			if err != nil || len(root.Children) != 1 {
				return
			}
			reply, _ := s.answer(context.Background(), &netconf.Request{Op: root.Children[0], Root: root}, nil)
			if n, err := tree.ParseBytes(reply); err != nil || n.Name.Local != "rpc-reply" || len(n.Children) == 0 {
				t.Fatalf("%s gave %s: %v", text, reply, err)
			}
			for name, st := range d.stores {
				if errs := d.models.payload(st.config); errs != nil {
					t.Fatalf("after %s %s has %v", text, name, errs)
				}
				if faults := faultErrors(d.models.schema.Validate(st.config), name != netconf.Candidate); faults != nil {
					t.Fatalf("after %s %s has %v", text, name, faults)
				}
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.end(s)
		for name, st := range d.stores {
			if st.locked != 0 {
				t.Fatalf("%s stays locked", name)
			}
		}
		if d.pending != nil {
			d.rollBack("timeout")
		}
	})
}
