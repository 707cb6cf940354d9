package devicetest

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

func decimal(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// refusals are edits that the models refuse, with the place.
func refusals(t *testing.T, r *rig) {
	s := r.dial()
	r.must(r.edit(s, inUsers(user("a"))), r.commit(s))
	for _, tt := range []struct{ name, edit, tags, path string }{
		{"a value out of range", inUsers(strings.Replace(user("x"), "admin", strings.Repeat("x", 40), 1)), "invalid-value", "user[oc-sys:username='x']/oc-sys:config/oc-sys:role"},
		{"an unknown element", system("<nosuch/>"), "unknown-element", "/oc-sys:system"},
		{"an unknown namespace", `<q xmlns="urn:nosuch"/>`, "unknown-namespace", ""},
		{"no number", `<interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>e</name><config><name>e</name><mtu>x</mtu></config></interface></interfaces>`, "invalid-value bad-element", "/oc-if:mtu"},
		{"an entry without its key", inUsers("<user><config><role>r</role></config></user>"), "missing-element", "/oc-sys:user"},
	} {
		err := r.edit(s, tt.edit)
		e, ok := errors.AsType[*netconf.RPCError](err)
		if !ok || !slices.Contains(strings.Fields(tt.tags), e.Tag) || !strings.Contains(e.Path, tt.path) {
			t.Errorf("%s gave %v at %v", tt.name, err, e)
		}
		r.must(s.Discard(t.Context()))
		r.has(s, netconf.Candidate, "a")
	}
	if err := r.edit(s, system(`<config xmlns:nc="`+tree.BaseSpace+`" nc:operation="explode"/>`)); err == nil {
		t.Error("an operation that there isn't was taken")
	}
}

// otherRefusals are requests that no device can do.
func otherRefusals(t *testing.T, r *rig) {
	s := r.dial()
	for _, tt := range []struct {
		op   string
		tags []string
	}{
		{"<nosuch/>", []string{"operation-not-supported", "unknown-element"}},
		{"<get-config/>", []string{"missing-element", "data-missing"}},
		{"<get-config><source><nosuch/></source></get-config>", []string{"unknown-element", "invalid-value", "bad-element"}},
		{"<edit-config><target><candidate/></target></edit-config>", []string{"missing-element", "missing-choice", "operation-failed", "data-missing"}},
		{"<edit-config><target><candidate/></target><default-operation>explode</default-operation><config/></edit-config>", []string{"invalid-value"}},
		{"<copy-config><target><startup/></target><source><running/></source></copy-config>", []string{"invalid-value", "operation-not-supported"}},
		{"<delete-config><target><candidate/></target></delete-config>", []string{"invalid-value", "operation-not-supported", "operation-failed", "unknown-element"}},
		{"<commit><persist-id>nosuch</persist-id></commit>", []string{"invalid-value", "operation-failed"}},
		{"<cancel-commit/>", []string{"invalid-value", "operation-failed"}},
	} {
		r.refused(r.base(s, tt.op), tt.op, tt.tags...)
	}
	r.refused(r.call(s, `<explode xmlns="urn:nosuch"/>`), "an operation of an unknown namespace", "unknown-namespace", "operation-not-supported", "unknown-element")
	r.refused(r.base(s, `<get-config><source><running/></source><filter type="xpath" select="/nosuch:x"/></get-config>`), "an XPath", "operation-not-supported", "operation-failed", "invalid-value", "bad-attribute")
	r.must(s.Discard(t.Context())) // the session is none the worse for it
}

func filters(t *testing.T, r *rig) {
	s := r.dial()
	r.must(r.edit(s, system("<config><hostname>h</hostname><login-banner>hi</login-banner></config><aaa><authentication><users>"+user("a")+user("b")+
		"</users></authentication></aaa>")), r.commit(s))
	for _, tt := range []struct{ name, filter, want string }{
		{"nothing", "", ""},
		{"another namespace", `<system xmlns="urn:nosuch"/>`, ""},
		{"a container", system("<config/>"), system("<config><hostname>h</hostname><login-banner>hi</login-banner></config>")},
		{"a leaf", system("<config><hostname/></config>"), system("<config><hostname>h</hostname></config>")},
		{"two leafs", system("<config><login-banner/><hostname/></config>"), system("<config><hostname>h</hostname><login-banner>hi</login-banner></config>")},
		{"a leaf that has a value", system("<config><hostname>h</hostname></config>"), system("<config><hostname>h</hostname><login-banner>hi</login-banner></config>")},
		{"a leaf that has another", system("<config><hostname>x</hostname></config>"), ""},
		{"one by value, one by name", system("<config><hostname>h</hostname><login-banner/></config>"), system("<config><hostname>h</hostname><login-banner>hi</login-banner></config>")},
		{"an entry", inUsers("<user><username>b</username></user>"), inUsers(user("b"))},
		{"two entries", inUsers("<user><username>b</username></user><user><username>a</username></user>"), inUsers(user("a") + user("b"))},
		{"an entry that isn't there", inUsers("<user><username>x</username></user>"), ""},
		{"all keys", inUsers("<user><username/></user>"), inUsers("<user><username>a</username></user><user><username>b</username></user>")},
		{"a leaf of an entry", inUsers("<user><username>a</username><config><role/></config></user>"), inUsers("<user><username>a</username><config><role>admin</role></config></user>")},
		{"a list", inUsers("<user/>"), inUsers(user("a") + user("b"))},
		{"two at the top", system("<config><hostname/></config>") + `<interfaces xmlns="http://openconfig.net/yang/interfaces"/>`, system("<config><hostname>h</hostname></config>")},
	} {
		for _, read := range []string{"get-config", "get"} {
			var got *tree.Node
			var err error
			if read == "get" {
				got, _, err = s.Get(t.Context(), r.parse(tt.filter))
			} else {
				got, _, err = s.GetConfig(t.Context(), netconf.Running, r.parse(tt.filter))
			}
			r.must(err)
			if want := r.parse(tt.want); bare(got).Pretty() != bare(want).Pretty() {
				t.Errorf("%s with %s gave\n%swant\n%s", read, tt.name, got.Pretty(), want.Pretty())
			}
		}
	}
	all, _, err := s.GetConfig(t.Context(), netconf.Running, nil)
	if err != nil || all.Child(tree.Name{Space: systemSpace, Local: "system"}) == nil {
		t.Errorf("without a filter there is %v, %v", all, err)
	}
}

// bare leaves out containers in which nothing is, and sorts the others: devices
// differ in both.
func bare(n *tree.Node) *tree.Node {
	out := &tree.Node{Name: n.Name, Value: n.Value}
	for _, c := range n.Children {
		if b := bare(c); b.Value != "" || len(b.Children) > 0 {
			out.Children = append(out.Children, b)
		}
	}
	slices.SortFunc(out.Children, func(a, b *tree.Node) int { return strings.Compare(string(a.AppendXML(nil)), string(b.AppendXML(nil))) })
	return out
}

func models(t *testing.T, r *rig) {
	ctx := t.Context()
	s := r.dial()
	named := false
	for _, m := range s.Capabilities().Modules() {
		named = named || m.Name == "openconfig-system" && m.Namespace == systemSpace && m.Revision == "2024-01-01"
	}
	schemas, err := s.Schemas(ctx)
	r.must(err)
	listed := false
	for _, m := range schemas {
		listed = listed || m.Name == "openconfig-system" && m.Format == "yang" && m.Namespace == systemSpace && m.Version == "2024-01-01"
	}
	if !named || !listed {
		t.Errorf("%+v\n%+v", s.Capabilities().URIs(), schemas)
	}
	for _, version := range []string{"2024-01-01", ""} {
		text, err := s.GetSchema(ctx, "openconfig-system", version)
		if err != nil || !strings.Contains(text, "module openconfig-system {") || !strings.HasSuffix(strings.TrimSpace(text), "}") {
			t.Errorf("%.100q %v", text, err)
		}
	}
	_, err = s.GetSchema(ctx, "nosuch", "")
	r.refused(err, "a model that isn't there", "invalid-value", "operation-failed", "data-missing")
	_, err = s.GetSchema(ctx, "openconfig-system", "1999-01-01")
	r.refused(err, "a version that isn't there", "invalid-value", "operation-failed", "data-missing")
}
