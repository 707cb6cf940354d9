package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

const usersTemplate = `<?xml version="1.0" encoding="UTF-8"?>
{{- /* the users of an instance, on the devices of its groups */ -}}
{{if memberOf "edge"}}
<system xmlns="http://openconfig.net/yang/system">
  <aaa><authentication><users>
    {{range $u := .Instance.username}}
    <user>
      <username>{{$u.name}}</username>
      <config>
        <username>{{$u.name}}</username>
        <ssh-key>{{$u.ssh_key}}</ssh-key>
        <role>{{default "guest" $u.role}}</role>
      </config>
    </user>
    {{end}}
  </users></authentication></aaa>
</system>
{{end}}
`

// instance makes one of a service out of XML.
func instance(t testing.TB, doc string) Instance {
	t.Helper()
	got, problems := ParseServices("services/x.xml", []byte(`<services xmlns="`+Namespace+`">`+doc+`</services>`))
	if len(problems) > 0 || len(got) != 1 {
		t.Fatalf("%d instances, %v", len(got), problems)
	}
	return got[0]
}

func mustTemplate(t testing.TB, text string) *Template {
	t.Helper()
	tmpl, err := ParseTemplate("services/x.tmpl", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tmpl
}

func xmlOf(n *tree.Node) string {
	if n == nil {
		return ""
	}
	return string(n.AppendXML(nil))
}

func TestTemplateOfUsers(t *testing.T) {
	t.Parallel()
	tmpl := mustTemplate(t, usersTemplate)
	out, err := tmpl.Run(t.Context(), Request{
		Instance: instance(t, `<ssh-users xmlns="http://clicon.org/ssh-users"><instance>ops</instance>
			<username><name>eric</name><ssh-key>ssh-rsa &lt;A&gt; &amp; B</ssh-key><role>admin</role></username></ssh-users>`),
		Devices: []Device{{Name: "r1", Groups: []string{"all", "edge"}}, {Name: "r2", Groups: []string{"core"}}, {Name: "r3", Groups: []string{"edge"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const want = `<config><system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users><user><username>eric</username>` +
		`<config><username>eric</username><ssh-key>ssh-rsa &lt;A&gt; &amp; B</ssh-key><role>admin</role></config></user></users></authentication></aaa></system></config>`
	if got := xmlOf(out["r1"]); got != want {
		t.Errorf("r1 gets %s\nwant %s", got, want)
	}
	if _, ok := out["r2"]; ok || len(out) != 2 {
		t.Errorf("r2 is no member and gets %s", xmlOf(out["r2"]))
	}
	if out["r1"] != out["r3"] {
		t.Error("equal texts don't share their tree")
	}
}

func TestTemplateValues(t *testing.T) {
	t.Parallel()
	i := instance(t, `<v xmlns="u:v"><k>x</k><one>1</one><two.dots>2</two.dots><many>a</many><many>b</many>
		<box><leaf>in</leaf></box><on/><host>192.0.2.17/28</host><text>a,b,a</text></v>`)
	schema := &tree.Def{Name: tree.Name{Space: "u:v", Local: "v"}, Kind: tree.List, Keys: []string{"k"}}
	schema.Add(&tree.Def{Name: tree.Name{Space: "u:v", Local: "one"}, Kind: tree.LeafList})
	for _, c := range []struct{ in, want string }{
		{`{{.Key}} {{.Service}}`, "x v"},
		{`{{.Device.Name}} {{.Device.Addr}} {{.Device.Vars.ntp_server}} {{index .Device.Vars "ntp-server"}}`, "r1 192.0.2.1 n1 n1"},
		{`{{range .Devices}}{{.Name}},{{end}}`, "r1,r2,"},
		{`{{range .Instance.one}}[{{.}}]{{end}}`, "[1]"},
		{`{{range .Instance.box}}[{{.leaf}}]{{end}}`, "[in]"},
		{`{{range .Instance.none}}[{{.}}]{{else}}nothing{{end}}`, "nothing"},
		{`{{range $i, $m := .Instance.many}}{{$i}}{{$m}}{{end}}`, "0a1b"},
		{`{{range $k, $v := .Device.Groups}}{{$v}} {{end}}`, "all edge "},
		{`{{range 3}}x{{end}}`, "xxx"},
		{`{{range .Instance.many}}{{if eq . "b"}}{{break}}{{end}}{{.}}{{end}}`, "a"},
		{`{{.Instance.two_dots}}`, "2"},
		{`{{if has .Instance "on"}}on{{end}}{{if has .Instance "off"}}off{{end}}`, "on"},
		{`{{if .Instance.none}}some{{else}}none{{end}}`, "none"},
		{`{{default "d" .Instance.none}} {{default "d" .Instance.box.leaf}}`, "d in"},
		{`{{join "+" .Instance.many}} {{first .Instance.many}} {{last .Instance.many}}`, "a+b a b"},
		{`{{range sort (split "," .Instance.text)}}{{.}}{{end}} {{range uniq (split "," .Instance.text)}}{{.}}{{end}}`, "aab ab"},
		{`{{upper .Instance.box.leaf}}{{lower "IN"}}{{trim " x "}}{{replace "i" "o" .Instance.box.leaf}}`, "INinxon"},
		{`{{hasPrefix "19" .Instance.host}} {{hasSuffix "8" .Instance.host}} {{contains ".2." .Instance.host}} {{matches "^[0-9]" .Instance.host}}`, "true true true true"},
		{`{{address .Instance.host}} {{network .Instance.host}} {{prefixlen .Instance.host}}`, "192.0.2.17 192.0.2.16/28 28"},
		{`{{add .Instance.one1 1}}`, ""},
		{`{{range list "a" .Instance.many}}{{.}}{{end}} {{range seq 1 3}}{{add . 1}}{{end}} {{sub 5 "2"}} {{int "7"}}`, "aab 234 3 7"},
		{`{{memberOf "core"}} {{memberOf "core" "edge"}}`, "false true"},
		{`{{define "d"}}({{.leaf}}){{end}}{{template "d" .Instance.box}}`, "(in)"},
		{`{{printf "%05d %s" 42 .Instance.box.leaf}}`, "00042 in"},
		{`{{with .Instance.box}}{{.leaf}}{{end}}`, "in"},
		{`{{1.5}} {{true}}`, "1.5 true"},
	} {
		tmpl := mustTemplate(t, `<t xmlns="u:t">`+c.in+`</t>`)
		out, err := tmpl.Run(t.Context(), Request{Instance: i, Schema: schema, Devices: []Device{
			{Name: "r1", Addr: "192.0.2.1", Groups: []string{"all", "edge"}, Vars: map[string]string{"ntp-server": "n1"}}, {Name: "r2"},
		}[:1+strings.Count(c.in, ".Devices")]})
		switch {
		case c.want == "" && err == nil:
			t.Errorf("%s gives %s, want an error", c.in, xmlOf(out["r1"]))
		case c.want != "" && err != nil:
			t.Errorf("%s: %v", c.in, err)
		case err == nil && out["r1"].Children[0].Value != c.want:
			t.Errorf("%s gives %q, want %q", c.in, out["r1"].Children[0].Value, c.want)
		}
	}
}

func TestTemplateRefusals(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want string }{
		{"action in a tag", "<a>\n<b {{.Key}}>", `x.tmpl:2: the action {{.Key}} stands in a tag`},
		{"action as a name", "\n<{{.Key}}/>", `x.tmpl:2: an action stands right behind "<"`},
		{"action in a comment", "<!-- {{.Key}} -->", "stands in a comment"},
		{"action in a section", "<a><![CDATA[{{.Key}}]]></a>", "stands in a CDATA section"},
		{"action in an instruction", "<?x {{.Key}}?>", "stands in a processing instruction"},
		{"half a comment", "<!-{{if .Key}}-{{end}}", `right behind "<!-"`},
		{"branches", `<a x="{{if .Key}}"{{end}}`, "the branches of {{if}} end in different places"},
		{"range", `{{range .Instance.x}}<a {{else}}<a {{end}}>`, "the branches of {{range}} end in"},
		{"break", `{{range .Instance.x}}<a {{break}}/>{{end}}`, "{{break}} leaves its loop within a tag"},
		{"open end", "<a", "ends within a tag"},
		{"template in a tag", `{{define "d"}}x{{end}}<a {{template "d"}}/>`, "stands in a tag"},
		{"recursion", `{{define "a"}}{{template "b"}}{{end}}{{define "b"}}{{template "a"}}{{end}}`, "calls itself"},
		{"other escapers", "{{.Key | html}}", "escapes for another language"},
		{"own functions", "{{_list .Key}}", "is not for templates"},
		{"syntax", "\n\n{{if}}", `x.tmpl:3: missing value for if; correct the template`},
		{"no function", "{{nosuch}}", `function "nosuch" not defined`},
		{"too large", strings.Repeat(" ", maxTemplate+1), "larger than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseTemplate("x.tmpl", []byte(c.in))
			if e, ok := errors.AsType[*TemplateError](err); !ok || !strings.Contains(err.Error(), c.want) || e.Hint == "" {
				t.Errorf("the error is %v, want %q", err, c.want)
			}
		})
	}
}

func TestTemplateErrors(t *testing.T) {
	t.Parallel()
	i := instance(t, `<v xmlns="u:v"><k>x</k><secret>s3cret</secret><many>a</many><many>b</many><box><leaf>in</leaf></box></v>`)
	for _, c := range []struct{ name, in, want string }{
		{"missing value", "<a xmlns='u'>\n{{.Instance.nosuch}}</a>", "x.tmpl:2:3: {{.Instance.nosuch}} has no value (for v[x] on r1); give one"},
		{"a list", "<a xmlns='u'>{{.Instance.many}}</a>", "a list is not one value"},
		{"values", "<a xmlns='u'>{{.Instance.box}}</a>", "something with values of its own"},
		{"the whole", "<a xmlns='u'>{{.}}</a>", "something with values of its own"},
		{"fail", "\n{{fail \"never\"}}", "x.tmpl:2:3: never (for v[x] on r1)"},
		{"required", "{{required \"the VLAN is missing\" .Instance.vlan}}", "the VLAN is missing"},
		{"not XML", "\n<a xmlns='u'>\n{{.Key}}\n\n</b>", "x.tmpl:5: what is rendered is not XML: "},
		{"not XML behind a value of lines", "<a xmlns='u'>{{\"1\\n2\"}}\n</b></a>", "x.tmpl:2: what is rendered"},
		{"text alone", "hello", "text without an element"},
		{"no namespace", "<a xmlns='u'/>\n<b/>", "x.tmpl:2: <b> has no namespace"},
		{"attribute", "<a xmlns='u'>\n<b operation='remove'/></a>", "x.tmpl:2: <b> has the attribute operation"},
		{"undeclared", "<a xmlns='u'>\n<n:b/></a>", `x.tmpl:2: what is rendered is not XML: the prefix "n" is not declared`},
		{"doctype", "<!DOCTYPE a><a xmlns='u'/>", "x.tmpl:1: what is rendered is not XML"},
		{"not a number", "{{add .Instance.secret 1}}", "not a whole number"},
		{"loops", "{{range 2000000}}{{end}}", "loops more than"},
		{"loops in loops", "{{range seq 1 60000}}{{range seq 1 60000}}{{end}}{{end}}", "loops more than"},
		{"too long", `{{$x := "xxxxxxxxxxxxxxxx"}}{{range 40}}{{$x = print $x $x}}{{end}}`, "a text has more than"},
		{"too much", `{{$x := printf "%100000d" 1}}{{range 1000}}{{$x}}{{end}}`, "makes more than"},
		{"control", "<a xmlns='u'>{{\"\\x01\"}}</a>", "U+0001, which XML can't hold"},
		{"no UTF-8", "<a xmlns='u'>{{\"\\xff\"}}</a>", "is not UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tmpl, err := ParseTemplate("x.tmpl", []byte(c.in))
			if err != nil {
				t.Fatal(err)
			}
			_, err = tmpl.Run(t.Context(), Request{Instance: i, Devices: []Device{{Name: "r1"}}})
			if e, ok := errors.AsType[*TemplateError](err); !ok || !strings.Contains(err.Error(), c.want) || e.Hint == "" {
				t.Errorf("the error is %v, want %q", err, c.want)
			} else if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error tells a value: %v", err)
			}
		})
	}
}

func TestTemplateStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("that is enough"))
	_, err := mustTemplate(t, usersTemplate).Run(ctx, Request{Instance: instance(t, `<v xmlns="u:v"><k>x</k></v>`), Devices: []Device{{Name: "r1"}}})
	if err == nil || err.Error() != "that is enough" {
		t.Errorf("the error is %v", err)
	}
	out, err := mustTemplate(t, usersTemplate).Run(t.Context(), Request{Deleted: true, Devices: []Device{{Name: "r1"}}})
	if err != nil || len(out) != 0 {
		t.Errorf("of a deleted instance it makes %v (%v)", out, err)
	}
}

func TestTemplateIsRenderedOnceWithoutDevice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`<a xmlns="u">{{.Key}}</a>`:                               false,
		`<a xmlns="u">{{.Device.Name}}</a>`:                       true,
		`{{with $d := .Device}}{{end}}`:                           true,
		`{{if memberOf "x"}}{{end}}`:                              true,
		`{{$r := .}}{{range .Instance.x}}{{$r.Device}}{{end}}`:    true,
		`{{define "d"}}{{.Device.Name}}{{end}}{{template "d" .}}`: true,
		`{{(index .Instance.x 1).Device}}`:                        true,
		`{{range .Devices}}{{.Name}}{{end}}`:                      false,
	} {
		if got := mustTemplate(t, text).perDevice; got != want {
			t.Errorf("%s: per device %v, want %v", text, got, want)
		}
	}
}

func FuzzTemplateEscapes(f *testing.F) {
	for _, s := range []string{"", " ", "\n", "a", "</a><b>", "<![CDATA[", "]]>", "&amp;", `"'`, "\r\n", "a\tb", "\x00", "\xff", "x:y", "é\uFFFE", "--> <!--", "{{.Key}}"} {
		f.Add(s)
	}
	tmpl := mustTemplate(f, `<a xmlns="u:{{.Device.Name}}"><b>{{.Device.Addr}}</b><c>-{{.Device.Addr}}-</c><d>{{.Device.Addr}}{{.Device.Addr}}</d><e/></a>`)
	f.Fuzz(func(t *testing.T, s string) {
		out, err := tmpl.Run(context.Background(), Request{Instance: Instance{Config: &tree.Node{}}, Devices: []Device{{Name: s, Addr: s}}})
		if err != nil {
			if !strings.Contains(err.Error(), "UTF-8") && !strings.Contains(err.Error(), "XML can't hold") {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		a := out[s].Children[0]
		if a.Name != (tree.Name{Space: "u:" + s, Local: "a"}) || len(a.Attrs) > 0 || len(a.Children) != 4 ||
			a.Children[0].Value != s || a.Children[1].Value != "-"+s+"-" || a.Children[2].Value != s+s || a.Children[3].Value != "" {
			t.Fatalf("%q is rendered as %s", s, xmlOf(out[s]))
		}
	})
}

func FuzzTemplate(f *testing.F) {
	f.Add(usersTemplate)
	f.Add(`<a xmlns="u" {{if .Key}}b="{{.Key}}"{{else}}c='1'{{end}}>{{range .Instance.x}}{{.}}{{break}}{{end}}</a>`)
	f.Add(`{{define "x"}}<b>{{.}}</b>{{end}}<a xmlns="u">{{template "x" .Key}}</a>`)
	i := instance(f, `<v xmlns="u:v"><k>x</k><x>&lt;inj/&gt;</x><x>--&gt;&lt;inj/&gt;</x></v>`)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "inj") {
			return
		}
		tmpl, err := ParseTemplate("x.tmpl", []byte(text))
		if err != nil {
			return
		}
		out, err := tmpl.Run(context.Background(), Request{Instance: i, Devices: []Device{{Name: "r1", Addr: `"><inj`}}})
		if err == nil && out["r1"] != nil && hasElement(out["r1"], "inj") {
			t.Fatalf("%q lets a value become an element: %s", text, xmlOf(out["r1"]))
		}
	})
}

func hasElement(n *tree.Node, name string) bool {
	for _, c := range n.Children {
		if c.Name.Local == name || hasElement(c, name) {
			return true
		}
	}
	return false
}

func BenchmarkTemplate(b *testing.B) {
	users := func(n int) Instance {
		var doc strings.Builder
		doc.WriteString(`<ssh-users xmlns="http://clicon.org/ssh-users"><instance>ops</instance>`)
		for i := range n {
			fmt.Fprintf(&doc, "<username><name>user%d</name><ssh-key>ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%d</ssh-key><role>admin</role></username>", i, i)
		}
		doc.WriteString(`</ssh-users>`)
		return instance(b, doc.String())
	}
	devices := make([]Device, 50)
	for i := range devices {
		devices[i] = Device{Name: fmt.Sprintf("r%d", i), Groups: []string{"edge"}}
	}
	for _, c := range []struct{ users, devices int }{{1, 50}, {1000, 1}, {1000, 10}} {
		b.Run(fmt.Sprintf("users=%d/devices=%d", c.users, c.devices), func(b *testing.B) {
			tmpl, r := mustTemplate(b, usersTemplate), Request{Instance: users(c.users), Devices: devices[:c.devices]}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := tmpl.Run(b.Context(), r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
