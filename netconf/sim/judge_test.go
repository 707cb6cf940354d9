package sim_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

const rules = `
	container c {
		leaf must { type string; mandatory true; }
		list e { key k; unique u; leaf k { type string; } leaf u { type string; } }
		leaf-list few { type string; min-elements 2; max-elements 3; }
		leaf ref { type leafref { path "../e/k"; } }
		leaf state { config false; type string; }
		list order { ordered-by user; key k; leaf k { type string; } }
		container p { presence yes; choice one { mandatory true; leaf a { type string; } leaf b { type string; } } }
		anydata any;
	}`

// TestRules takes what is incomplete into a candidate, and nowhere else.
func TestRules(t *testing.T) {
	t.Parallel()
	m := models(t, "m", rules)
	for _, tt := range []struct{ name, inside, tag, app, path string }{
		{"mandatory", "", "data-missing", "", "/m:c/m:must"},
		{"unique", "<must/><e><k>1</k><u>u</u></e><e><k>2</k><u>u</u></e>", "operation-failed", "data-not-unique", "/m:c/m:e[m:k='2']"},
		{"too few", "<must/><few>1</few>", "operation-failed", "too-few-elements", "/m:c/m:few"},
		{"too many", "<must/><few>1</few><few>2</few><few>3</few><few>4</few>", "operation-failed", "too-many-elements", "/m:c/m:few"},
		{"choice", "<must/><p/>", "data-missing", "missing-choice", "/m:c/m:p"},
		{"leafref", "<must/><ref>1</ref>", "data-missing", "instance-required", "/m:c/m:ref"},
	} {
		edit := parse(t, `<c xmlns="urn:m"><any><x xmlns="urn:any">1</x></any>`+tt.inside+`</c>`)
		check := func(step string, err error) {
			t.Helper()
			if list, ok := errors.AsType[netconf.RPCErrors](err); ok {
				for _, e := range list {
					if e.Tag == tt.tag && e.AppTag == tt.app && e.Path == tt.path {
						return
					}
				}
			}
			t.Errorf("%s of %s gave %v", step, tt.name, err)
		}
		d := device(t, sim.Options{Models: m})
		s := open(t, d)
		must(t, s.EditConfig(t.Context(), merge, edit))
		check("validate", s.Validate(t.Context(), netconf.Candidate))
		check("commit", s.Commit(t.Context(), netconf.CommitOptions{Confirmed: true}))
		has(t, d.Config(), "")
		d = device(t, sim.Options{Models: m, Mode: sim.WithStartup})
		check("edit-config", open(t, d).EditConfig(t.Context(), netconf.EditOptions{Target: netconf.Running}, edit))
		has(t, d.Config(), "")
	}
}

// TestAllErrors tells all that is wrong, in one reply.
func TestAllErrors(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	s := open(t, d)
	tags := func(err error) string {
		var out []string
		list, _ := errors.AsType[netconf.RPCErrors](err)
		for _, e := range list {
			out = append(out, e.Tag)
		}
		return strings.Join(out, " ")
	}
	long := strings.Repeat("x", 40)
	bad := func(name string) string { return strings.Replace(user(name), "admin", long, 1) }
	if got := tags(s.EditConfig(t.Context(), merge, users(t, bad("a")+user("b")+bad("c")))); got != "invalid-value invalid-value" {
		t.Errorf("two wrong values gave %s", got)
	}
	if got := tags(s.EditConfig(t.Context(), merge, users(t, `<nosuch/><user/><x xmlns="urn:x"/><user><username>a</username><config>text</config></user><user><username><y/></username></user>`))); got != "unknown-element missing-element unknown-namespace invalid-value unknown-element" {
		t.Errorf("five wrong elements gave %s", got)
	}
	if got := tags(s.EditConfig(t.Context(), merge, users(t, strings.Repeat("<nosuch/>", 1000)))); len(strings.Fields(got)) != 100 {
		t.Errorf("a thousand wrong elements gave %d errors", len(strings.Fields(got)))
	}
	config, _, err := s.GetConfig(t.Context(), netconf.Candidate, nil)
	must(t, err)
	has(t, config, "")

	// With continue-on-error what is right is done.
	o := netconf.EditOptions{Target: netconf.Candidate, ErrorOption: "continue-on-error"}
	edit := hostname("no good") + `<interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>e</name><config><name>e</name></config></interface></interfaces>`
	if got := tags(s.EditConfig(t.Context(), o, parse(t, edit))); got != "invalid-value" {
		t.Errorf("the errors are %s", got)
	}
	config, _, err = s.GetConfig(t.Context(), netconf.Candidate, nil)
	must(t, err)
	has(t, config, edit[len(hostname("no good")):])
}

// TestOrder keeps entries as the user orders them.
func TestOrder(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{Models: models(t, "m", rules), Startup: parse(t, `<c xmlns="urn:m"><must/><few>1</few><few>2</few><order><k>1</k></order><order><k>2</k></order></c>`)})
	s := open(t, d)
	must(t, s.EditConfig(t.Context(), merge, parse(t, `<c xmlns="urn:m" xmlns:yang="`+tree.YANGSpace+`"><order yang:insert="first"><k>0</k></order></c>`)), s.Commit(t.Context(), netconf.CommitOptions{}))
	has(t, d.Config(), `<c xmlns="urn:m"><must/><few>1</few><few>2</few><order><k>0</k></order><order><k>1</k></order><order><k>2</k></order></c>`)
	if err := s.EditConfig(t.Context(), merge, parse(t, `<c xmlns="urn:m"><state>x</state></c>`)); !netconf.HasTag(err, "unknown-element") {
		t.Errorf("state was set: %v", err)
	}
}
