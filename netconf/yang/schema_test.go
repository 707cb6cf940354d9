package yang

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/netconf/tree"
)

func TestSchema(t *testing.T) {
	t.Parallel()
	s := testSchema(t)
	kinds := func(local string) tree.Name { return tree.Name{Space: "urn:test:kinds", Local: local} }

	server := s.Node(kinds("top"), kinds("server"))
	if server == nil || server.Kind != List || !slices.Equal(server.Keys, []string{"name"}) || len(server.Unique) != 1 {
		t.Errorf("the list is %#v", server)
	}
	if id := server.Child(kinds("vlan")).Child(kinds("id")); id.Type.Base != "uint16" || !slices.Equal(id.Default, []string{"1"}) {
		t.Errorf("the leaf is %#v", id)
	}
	if of := server.Child(tree.Name{Space: "urn:test:more", Local: "of"}); of.Module != "kinds-more" || of.Type.target != server.Child(kinds("name")) {
		t.Errorf("the leafref is %#v", of)
	}
	if port := s.Node(kinds("top"), kinds("port")); port.Mandatory || !slices.Equal(port.Default, []string{"80"}) {
		t.Errorf("the refined leaf is %#v", port)
	}
	if port := s.Node(kinds("keyed"), kinds("port")); !port.Mandatory || port.Default != nil {
		t.Errorf("the leaf that is not refined is %#v", port)
	}
	if s.Node(kinds("top"), kinds("none"), kinds("none")) != nil || s.Node() == nil {
		t.Error("a path to nothing leads somewhere, or the empty one nowhere")
	}

	var names []string
	for _, m := range s.Modules() {
		names = append(names, m.Name+"@"+m.Revision+" "+m.Namespace+" "+m.Prefix)
		if m.Text == "" || m.File == "" {
			t.Errorf("%s has no text", m.Name)
		}
		if m.Name == "kinds" && !slices.Equal(m.Features, []string{"on"}) {
			t.Errorf("the features are %v", m.Features)
		}
	}
	if diff := cmp.Diff([]string{
		"clixon-controller@2023-03-22 http://clicon.org/controller ctrl",
		"kinds@2024-01-01 urn:test:kinds k", "kinds-more@2024-01-01 urn:test:more m",
		"openconfig-interfaces@2024-01-01 http://openconfig.net/yang/interfaces oc-if",
		"openconfig-system@2024-01-01 http://openconfig.net/yang/system oc-sys",
		"ssh-users@2023-05-22 http://clicon.org/ssh-users ssh-users",
	}, names); diff != "" {
		t.Error(diff)
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	inet := Module{File: "ietf-inet-types.yang", Text: `module ietf-inet-types { namespace urn:inet; prefix inet;
		typedef ipv4-address { type string { pattern '[0-9.]+'; } }
		typedef ipv6-address { type string { pattern '[0-9a-fA-F:.]+'; } }
		typedef ip-address { type union { type ipv4-address; type ipv6-address; } }
		typedef ipv4-prefix { type string; } typedef domain-name { type string; } }`}
	s, warnings := Compile(append(load(t, testModules...), inet, mod("n", `import ietf-inet-types { prefix inet; }
		typedef mine { type inet:ip-address; }
		leaf ip { type mine; } leaf net { type inet:ipv4-prefix; } leaf host { type inet:domain-name; } leaf ref { type leafref { path ../ip; } }`)))
	if len(warnings) != 1 {
		t.Error(warnings)
	}
	kinds := func(local string) *tree.Def {
		return s.Root().Child(tree.Name{Space: "urn:test:kinds", Local: "top"}).Child(tree.Name{Space: "urn:test:kinds", Local: local})
	}
	other := func(local string) *tree.Def { return s.Root().Child(tree.Name{Space: "urn:n", Local: local}) }
	prefixes := map[string]string{"p": "urn:test:kinds", "q": "urn:test:more"}
	for _, c := range []struct {
		def         *tree.Def
		value, want string
	}{
		{kinds("i8"), " +007", "7"},
		{kinds("i8"), "-0", "0"},
		{kinds("i8"), "300", "300"}, // is refused, so it stays
		{kinds("dec"), "1.50", "1.5"},
		{kinds("dec"), "-0.10", "-0.1"},
		{kinds("dec"), "3", "3.0"},
		{kinds("dec"), "03.00", "3.0"},
		{kinds("bits"), "c  a", "a c"},
		{kinds("bin"), " YW\nJj", "YWJj"},
		{kinds("shape"), "circle", "kinds:circle"},
		{kinds("shape"), "p:circle", "kinds:circle"},
		{kinds("shape"), "q:square", "kinds-more:square"},
		{kinds("shape"), "none:square", "none:square"},
		{kinds("path"), "/p:top/p:server[p:name='q:x/p:y']/q:of", "/kinds:top/kinds:server[kinds:name='q:x/p:y']/kinds-more:of"},
		{kinds("mixed"), "015", "15"},
		{kinds("mixed"), "none", "none"},
		{other("ip"), "2001:DB8::0:1", "2001:db8::1"},
		{other("ip"), "10.0.0.1", "10.0.0.1"},
		{other("ref"), "FE80::", "fe80::"},
		{other("net"), "10.1.2.3/8", "10.0.0.0/8"},
		{other("host"), "R1.Example", "r1.example"},
	} {
		if got := c.def.Canonical(c.value, prefixes); got != c.want {
			t.Errorf("%s %q becomes %q, want %q", c.def.Name.Local, c.value, got, c.want)
		}
	}
	for _, local := range []string{"word", "bool", "flag", "colour", "use"} {
		if kinds(local).Canonical != nil {
			t.Errorf("%s has values of several forms", local)
		}
	}
}

// BenchmarkCompile compiles what a netconfd has loaded (goal: 50 ms).
func BenchmarkCompile(b *testing.B) {
	needOracle(b)
	var modules []Module
	for _, name := range []string{"ietf-interfaces", "ietf-ip", "ietf-system", "ietf-netconf-acm", "ietf-netconf-monitoring", "ietf-netconf-notifications", "ietf-yang-library", "ietf-hardware", "ietf-routing", "netconfd"} {
		for _, m := range closure(debian(), name) {
			if !slices.ContainsFunc(modules, func(o Module) bool { return o.File == m.File }) {
				modules = append(modules, m)
			}
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		Compile(modules)
	}
	b.ReportMetric(float64(len(modules)), "modules")
}

// BenchmarkValidate judges a thousand users.
func BenchmarkValidate(b *testing.B) {
	s := testSchema(b)
	text := `<system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users>`
	for i := range 1000 {
		name := "user" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		text += "<user><username>" + name + "</username><config><username>" + name + "</username><ssh-key>ssh-rsa AAA</ssh-key><role>admin</role></config></user>"
	}
	doc := document(b, text+`</users></authentication></aaa></system>`)
	if faults := s.Validate(doc); len(faults) > 0 {
		b.Fatal(faults)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Validate(doc)
	}
}
