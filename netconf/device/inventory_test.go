package device

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf"
)

func doc(s string) []byte {
	return []byte("<devices xmlns=\"http://clicon.org/controller\">\n" + s + "\n</devices>")
}

func resolve(t *testing.T, s string) (map[string]Device, problem.List) {
	t.Helper()
	inv, list := ParseInventory("devices/lab.xml", doc(s))
	devices, more := Resolve(inv)
	out := map[string]Device{}
	for _, d := range devices {
		out[d.Name] = d
	}
	return out, append(list, more...)
}

// TestSeed reads what the controller's users have written.
func TestSeed(t *testing.T) {
	t.Parallel()
	got, list := resolve(t, `
 <device-group><name>all</name><device-name>d1</device-name><device-group>other</device-group></device-group>
 <device-group><name>other</name><device-name>d2</device-name></device-group>
 <device-profile><name>p</name><user>noc</user><conn-type>NETCONF_SSH</conn-type><ssh-stricthostkey>false</ssh-stricthostkey><port>8830</port></device-profile>
 <device><name>d1</name><device-profile>p</device-profile><enabled>true</enabled><addr>127.0.1.1</addr></device>
 <device><name>d2</name><device-profile>p</device-profile><enabled>false</enabled><addr>2001:db8::1</addr><port>830</port><ssh-stricthostkey>true</ssh-stricthostkey></device>`)
	if len(list) > 0 {
		t.Error(list)
	}
	want := map[string]Device{
		"d1": {
			Name: "d1", Addr: "127.0.1.1", Groups: []string{"all"}, Vars: map[string]string{}, Confirmed: true,
			Target: netconf.Target{Addr: "127.0.1.1:8830", User: "noc", InsecureHostKey: true},
		},
		"d2": {
			Name: "d2", Addr: "2001:db8::1", Groups: []string{"all", "other"}, Vars: map[string]string{}, Disabled: true, Confirmed: true,
			Target: netconf.Target{Addr: "[2001:db8::1]:830", User: "noc"},
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Device{}, "Place")); diff != "" {
		t.Error(diff)
	}
	if got["d2"].File != "devices/lab.xml" || got["d2"].Line != 7 {
		t.Errorf("d2 stands at %v", got["d2"].Place)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	got, list := resolve(t, `
 <device-profile><name>p</name><user>noc</user><private-key-file>/etc/abide/key</private-key-file><known-hosts-file>/etc/abide/hosts</known-hosts-file>
  <validate>true</validate><confirmed-commit>false</confirmed-commit><ssh-agent>true</ssh-agent>
  <drift><path>/oc-sys:system/ntp</path><policy>ignore</policy></drift>
  <variable><name>site</name><value>profile</value></variable><variable><name>dns</name><value>9.9.9.9</value></variable></device-profile>
 <device-group><name>near</name><device-name>d</device-name><variable><name>site</name><value>near</value></variable><variable><name>rack</name><value>near</value></variable></device-group>
 <device-group><name>far</name><device-group>near</device-group><variable><name>site</name><value>far</value></variable><variable><name>row</name><value>far</value></variable></device-group>
 <device><name>d</name><addr>edge.example</addr><device-profile>p</device-profile><user>root</user><password-file>/run/secret</password-file>
  <drift><path>/system</path><policy>accept</policy></drift><variable><name>rack</name><value> 7 </value></variable></device>`)
	if len(list) > 0 {
		t.Error(list)
	}
	want := Device{
		Name: "d", Addr: "edge.example", Groups: []string{"far", "near"}, Validate: true,
		Vars:   map[string]string{"site": "near", "rack": " 7 ", "row": "far", "dns": "9.9.9.9"},
		Target: netconf.Target{Addr: "edge.example:830", User: "root", Auth: netconf.Auth{KeyFiles: []string{"/etc/abide/key"}, PasswordFile: "/run/secret", Agent: true}, KnownHosts: "/etc/abide/hosts"},
		Drift:  []Rule{{"/system", Accept}, {"/oc-sys:system/ntp", Ignore}},
	}
	if diff := cmp.Diff(want, got["d"], cmpopts.IgnoreFields(Device{}, "Place")); diff != "" {
		t.Error(diff)
	}
}

func TestInventoryFaults(t *testing.T) {
	t.Parallel()
	const user = "<user>noc</user>"
	tests := []struct{ in, want string }{
		{`<device><addr>a</addr></device>`, "a device has no name"},
		{`<device><name>a b</name><addr>a</addr></device>`, `the name "a b" can't be used`},
		{`<device><name>a/b</name><addr>a</addr></device>`, `the name "a/b" can't be used`},
		{`<device><name>d</name>` + user + `</device>`, "no address"},
		{`<device><name>d</name><addr>a</addr></device>`, "no user"},
		{`<device><name>d</name><addr>a:22</addr>` + user + `</device>`, "no host name and no IP address"},
		{`<device><name>d</name><addr>a</addr><addr>b</addr>` + user + `</device>`, "<addr> stands here twice"},
		{`<device><name>d</name><addr>a</addr>` + user + `<port>70000</port></device>`, "<port> is \"70000\"; write a number from 1 to 65535"},
		{`<device><name>d</name><addr>a</addr>` + user + `<enabled>yes</enabled></device>`, "write true or false"},
		{`<device><name>d</name><addr>a</addr>` + user + `<password>hunter2</password></device>`, "a secret may not stand in an inventory"},
		{`<device><name>d</name><addr>a</addr>` + user + `<private-key-file>id</private-key-file></device>`, "not an absolute file name"},
		{`<device><name>d</name><addr>a</addr>` + user + `<conn-type>TLS</conn-type></device>`, "use NETCONF_SSH"},
		{`<device><name>d</name><addr>a</addr>` + user + `<adr>a</adr></device>`, "<adr> is no part of a device"},
		{`<device><name>d</name><addr>a</addr>` + user + `<addr xmlns="urn:x">a</addr></device>`, "<addr> of urn:x"},
		{`<device><name>d</name><addr>a</addr>` + user + `<device-profile>p</device-profile></device>`, `the device-profile "p" is not in the inventory`},
		{`<device><name>d</name><addr>a</addr>` + user + `<drift><path>x</path><policy>ignore</policy></drift></device>`, "doesn't begin at the root"},
		{`<device><name>d</name><addr>a</addr>` + user + `<drift><path>/x</path><policy>keep</policy></drift></device>`, "use revert, accept or ignore"},
		{`<device><name>d</name><addr>a</addr>` + user + `<drift><path>/x</path></drift></device>`, "a drift has no <policy>"},
		{`<device><name>d</name><addr>a</addr>` + user + `<variable><name>x</name><value>1</value></variable><variable><name>x</name><value>2</value></variable></device>`, "name each variable once"},
		{`<device><name>d</name><addr>a</addr>` + user + `<private-candidate>true</private-candidate></device>`, "private candidates"},
		{`<device><name>d</name><addr>a</addr>` + user + `<config><x xmlns="urn:x"/></config></device>`, "warning: configuration inside the inventory"},
		{`<device><name>d</name><addr>a</addr>` + user + `<module-set/></device>`, "warning: <module-set> has no effect"},
		{`<device-group><name>g</name><device-name>d9</device-name></device-group>`, `the device "d9", which is not in the inventory`},
		{`<device-group><name>g</name><device-group>h</device-group></device-group>`, `the group "h", which is not in the inventory`},
		{`<device-group><name>g</name><device-group>g</device-group></device-group>`, "the group contains itself"},
		{`<device-group><name>g</name><port>1</port></device-group>`, "<port> is no part of a device-group"},
		{`<template><name>t</name></template>`, "warning: <template> has no effect"},
		{`<router/>`, "<router> is no part of an inventory"},
		{`<device xmlns="urn:x"/>`, "its elements are of the namespace"},
		{`<device>`, "mend"},
	}
	for _, tt := range tests {
		_, list := resolve(t, tt.in)
		if !strings.Contains(list.Error(), tt.want) && tt.want != "mend" || len(list) == 0 {
			t.Errorf("%s gives %q, want %q", tt.in, list, tt.want)
		}
		for _, p := range list {
			if p.Line < 2 || p.File == "" || p.Hint == "" {
				t.Errorf("%s: the problem %+v has no place or no hint", tt.in, p)
			}
			if strings.Contains(p.String(), "hunter2") {
				t.Error("a secret is told")
			}
		}
	}
}

// TestFaultyProfile keeps a device whose profile is wrong from being used.
func TestFaultyProfile(t *testing.T) {
	t.Parallel()
	got, _ := resolve(t, `<device-profile><name>p</name><user>noc</user><port>x</port></device-profile>
 <device><name>d</name><addr>a</addr><device-profile>p</device-profile></device><device><name>e</name><addr>a</addr><user>noc</user></device>`)
	if len(got["d"].Faults.Errors()) != 1 || len(got["e"].Faults) != 0 {
		t.Errorf("faults are %v and %v", got["d"].Faults, got["e"].Faults)
	}
}

func TestGroupsDisagree(t *testing.T) {
	t.Parallel()
	const in = `<device-group><name>a</name><device-name>d</device-name><variable><name>x</name><value>1</value></variable></device-group>
 <device-group><name>b</name><device-name>d</device-name><variable><name>x</name><value>2</value></variable></device-group>
 <device><name>d</name><addr>a</addr><user>noc</user>%s</device>`
	got, _ := resolve(t, fmt.Sprintf(in, ""))
	if e := got["d"].Faults.Error(); !strings.Contains(e, "the groups a and b give the variable x different values") {
		t.Error(e)
	}
	got, _ = resolve(t, fmt.Sprintf(in, "<variable><name>x</name><value>3</value></variable>"))
	if len(got["d"].Faults) > 0 || got["d"].Vars["x"] != "3" {
		t.Error(got["d"])
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	a, _ := ParseInventory("a.xml", doc(`<device><name>d</name><addr>a</addr><user>noc</user></device><device-group><name>d</name></device-group>`))
	b, _ := ParseInventory("b.xml", doc(`<device><name>d</name><addr>b</addr><user>noc</user></device><device><name>e</name><addr>b</addr><user>noc</user></device>`))
	inv, list := Merge(a, b)
	if len(inv.Devices) != 2 || inv.Devices[0].Addr != "a" || len(inv.Groups) != 1 {
		t.Errorf("merged: %+v", inv)
	}
	if len(list) != 1 || list[0].File != "b.xml" || !strings.Contains(list[0].Message, "already in a.xml:2") {
		t.Error(list)
	}
}

func TestWrongRoot(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "<devices/>", `<services xmlns="http://clicon.org/controller"/>`, "{}", "<!DOCTYPE x><x/>"} {
		if inv, list := ParseInventory("f.xml", []byte(in)); len(list.Errors()) != 1 || len(inv.Devices) > 0 {
			t.Errorf("%q gives %v", in, list)
		}
	}
}

func FuzzInventory(f *testing.F) {
	f.Add(doc(`<device><name>d</name><addr>a</addr><user>noc</user><variable><name>x</name><value>1</value></variable></device>`))
	f.Add(doc(`<device-group><name>g</name><device-group>g</device-group></device-group>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		inv, _ := ParseInventory("f.xml", data)
		inv, _ = Merge(inv, inv)
		devices, _ := Resolve(inv)
		for _, d := range devices {
			if !GoodName(d.Name) {
				t.Errorf("a device is called %q", d.Name)
			}
			if d.Target.Addr == "" || d.Vars == nil {
				t.Errorf("the device %q is not complete", d.Name)
			}
		}
	})
}
