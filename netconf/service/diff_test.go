package service

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// TestEdits gives what an instance wants by its edit of a device, where others
// have the configuration have.
func TestEdits(t *testing.T) {
	t.Parallel()
	const (
		tag  = ` cl:creator="ssh-users[service-name='ops']"`
		have = `<a xmlns="u:a"><box><name>one</name><size>1</size></box><box><name>two</name><size>2</size></box><flag/>` +
			`<acl><list>x</list><seq>1</seq><act>yes</act></acl><acl><list>x</list><seq>2</seq><act>no</act></acl>` +
			`<text>
 some
 lines
</text><tag>t1</tag><tag>t2</tag><config><mode>m</mode><speed>10</speed></config></a>`
	)
	for _, c := range []struct{ name, edit, want string }{
		{"an echo", have, ""},
		{"an echo that lost its line ends", strings.Replace(have, "\n some\n lines\n", " some lines", 1), ""},
		{"an echo of a part, in another order", `<a xmlns="u:a"><tag>t2</tag><box><size>2</size><name>two</name></box></a>`, `<a xmlns="u:a"><box><size>2</size><name>two</name></box></a>`},
		{"a tagged entry", `<a xmlns="u:a"><box` + tag + ` nc:operation="create"><name>new</name><size>3</size></box></a>`, `<a xmlns="u:a"><box><name>new</name><size>3</size></box></a>`},
		{"a tagged entry that others have, too", `<a xmlns="u:a"><box><name>one</name><size>1</size></box><box` + tag + `><name>one</name><size>1</size></box></a>`, `<a xmlns="u:a"><box><name>one</name><size>1</size></box></a>`},
		{"the same twice", `<a xmlns="u:a"><box` + tag + `><name>n</name></box><box` + tag + `><name>m</name></box><box` + tag + `><name>n</name></box></a>`, `<a xmlns="u:a"><box><name>n</name></box><box><name>m</name></box></a>`},
		{"a tagged leaf", `<a xmlns="u:a"><flag` + tag + `/></a>`, `<a xmlns="u:a"><flag/></a>`},
		{"tags within tags", `<a xmlns="u:a"><box` + tag + `><name>n</name><sub` + tag + `><x>1</x></sub></box></a>`, `<a xmlns="u:a"><box><name>n</name><sub><x>1</x></sub></box></a>`},
		{"a new entry without a tag", `<a xmlns="u:a"><box><name>one</name><size>1</size></box><box><name>new</name><size>3</size></box></a>`, `<a xmlns="u:a"><box><name>new</name><size>3</size></box></a>`},
		{"a changed leaf", `<a xmlns="u:a"><box><name>two</name><size>9</size></box></a>`, `<a xmlns="u:a"><box><name>two</name><size>9</size></box></a>`},
		{"a changed leaf of an entry with two keys", `<a xmlns="u:a"><acl><list>x</list><seq>2</seq><act>maybe</act></acl></a>`, `<a xmlns="u:a"><acl><list>x</list><seq>2</seq><act>maybe</act></acl></a>`},
		{"a new leaf", `<a xmlns="u:a"><config><mode>m</mode><speed>10</speed><mtu>1500</mtu></config></a>`, `<a xmlns="u:a"><config><mode>m</mode><mtu>1500</mtu></config></a>`},
		{"a new entry of a leaf-list", `<a xmlns="u:a"><tag>t1</tag><tag>t2</tag><tag>t3</tag></a>`, `<a xmlns="u:a"><tag>t3</tag></a>`},
		{"a prefix that a value needs", `<a xmlns="u:a"><type` + tag + ` xmlns:i="u:i">i:eth</type></a>`, `<a xmlns="u:a"><type xmlns:i="u:i">i:eth</type></a>`},
		{"operation none around a tag", `<a xmlns="u:a" nc:operation="merge"><box` + tag + `><name>n</name></box></a>`, `<a xmlns="u:a"><box><name>n</name></box></a>`},
		{"a removal of what isn't there", `<a xmlns="u:a"><box nc:operation="remove"><name>none</name></box></a>`, ""},
		{"a removal of another's", `<a xmlns="u:a"><box nc:operation="remove"><name>one</name></box></a>`, "error: <box> can't be removed"},
		{"an odd operation", `<a xmlns="u:a"><box nc:operation="none"><name>one</name></box></a>`, ""},
		{"no such operation", `<a xmlns="u:a"><box nc:operation="destroy"><name>one</name></box></a>`, "error: <box> has the operation \"destroy\""},
		{"no namespace", `<box` + tag + `><name>n</name></box>`, "error: <box> in the config of the device d1 has no namespace of its own"},
		{"another's tag deep within", `<a xmlns="u:a"><box` + tag + `><name>n</name><sub cl:creator="ssh-users[service-name='devs']"/></box></a>`, "error: Creator tag"},
		{"a tag without quotes", `<a xmlns="u:a"><box cl:creator="ssh-users[service-name=ops]"/></a>`, "error: Creator attribute, no quote in"},
		{"a tag without equals", `<a xmlns="u:a"><box cl:creator="ssh-users[ops]"/></a>`, "error: Creator attribute, no instance = in"},
		{"a tag with prefixes and double quotes", `<a xmlns="u:a"><box cl:creator='s:ssh-users[s:service-name="ops"]'><name>n</name></box></a>`, `<a xmlns="u:a"><box><name>n</name></box></a>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			read := parsed(t, "<config>"+have+"</config>")
			r := users(t, opsDoc, "d1")
			r.Config = func(string) *tree.Node { return read }
			e := newEdits(&r, newView(&r))
			err := e.apply(editOf(t, "d1", c.edit))
			got := ""
			if err != nil {
				got = "error: " + textOf(err)
			} else if out, _, err := e.output(); err != nil {
				t.Fatal(err)
			} else if out["d1"] != nil {
				got = strings.TrimSuffix(strings.TrimPrefix(xmlOf(out["d1"]), "<config>"), "</config>")
			}
			if got != c.want && (!strings.HasPrefix(c.want, "error") || !strings.HasPrefix(got, c.want)) {
				t.Errorf("the instance wants %s\nnot %s", got, c.want)
			}
		})
	}
}

// editOf is an edit-config of a device, as the server reads it.
func editOf(t testing.TB, device, config string) *tree.Node {
	t.Helper()
	return parsed(t, `<edit-config xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:cl="http://clicon.org/lib"><target><actions xmlns="http://clicon.org/controller"/></target>`+
		`<config><devices xmlns="http://clicon.org/controller"><device><name>`+device+`</name><config>`+config+`</config></device></devices></config></edit-config>`)
}

func TestEditsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	r := users(t, opsDoc, "d1", "d2")
	e := newEdits(&r, newView(&r))
	// As the service of clixon-controller in C: one edit a device, and none of it
	// repeats what the one before said.
	box := func(name string) string {
		return `<a xmlns="u:a" nc:operation="merge"><box cl:creator="ssh-users[service-name='ops']"><name>` + name + `</name></box></a>`
	}
	for _, x := range []struct{ device, name string }{{"d1", "x"}, {"d2", "x"}, {"d1", "y"}, {"d1", "x"}} {
		op := editOf(t, x.device, box(x.name))
		none := *op
		none.Children = append([]*tree.Node{{Name: tree.Name{Space: tree.BaseSpace, Local: "default-operation"}, Value: "none"}}, op.Children...)
		if err := e.apply(&none); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.apply(editOf(t, "nosuch", box("x"))); err == nil || !strings.Contains(err.Error(), `may not configure the device "nosuch"`) {
		t.Errorf("another device: %v", err)
	}
	out, _, err := e.output()
	if err != nil {
		t.Fatal(err)
	}
	if got := xmlOf(out["d1"]); got != `<config><a xmlns="u:a"><box><name>x</name></box><box><name>y</name></box></a></config>` {
		t.Errorf("d1 gets %s", got)
	}
	if got := xmlOf(out["d2"]); got != `<config><a xmlns="u:a"><box><name>x</name></box></a></config>` {
		t.Errorf("d2 gets %s", got)
	}
}

func TestChangedServicesAreLeftOut(t *testing.T) {
	t.Parallel()
	r := users(t, opsDoc, "d1")
	e := newEdits(&r, newView(&r))
	op := parsed(t, `<edit-config><config><services xmlns="http://clicon.org/controller">`+opsDoc+devsDoc+`</services></config></edit-config>`)
	if err := e.apply(op); err != nil || e.warning != "" {
		t.Errorf("an echo of the services is odd: %q (%v)", e.warning, err)
	}
	op = parsed(t, `<edit-config><config><services xmlns="http://clicon.org/controller">`+strings.Replace(opsDoc, "ops", "new", 1)+`</services></config></edit-config>`)
	if err := e.apply(op); err != nil || !strings.Contains(e.warning, "is left out") {
		t.Errorf("a new instance is warned of with %q (%v)", e.warning, err)
	}
}

func TestSelections(t *testing.T) {
	t.Parallel()
	data := parsed(t, `<data><services xmlns="http://clicon.org/controller">`+opsDoc+devsDoc+`<other xmlns="u:o"><k>1</k></other></services>`+
		`<devices xmlns="http://clicon.org/controller"><device><name>d1</name><addr>a</addr><config><x xmlns="u:x"><name>deep</name></x></config></device></devices></data>`)
	prefixes := map[string]string{"ctrl": Namespace, "s": "http://clicon.org/ssh-users"}
	for _, c := range []struct{ sel, want string }{
		{"/", xmlOf(data)},
		{"", xmlOf(data)},
		{"/ctrl:services | /", xmlOf(data)},
		{"/ctrl:devices/ctrl:device/ctrl:name", `<data><devices xmlns="http://clicon.org/controller"><device><name>d1</name></device></devices></data>`},
		{"/ctrl:devices/ctrl:device[ctrl:name='d1']/ctrl:addr", `<data><devices xmlns="http://clicon.org/controller"><device><name>d1</name><addr>a</addr></device></devices></data>`},
		{"ctrl:devices/*/name", `<data><devices xmlns="http://clicon.org/controller"><device><name>d1</name></device></devices></data>`},
		{"/ctrl:devices/ctrl:device[name='d2']", "<data/>"},
		{"/ctrl:services/s:ssh-users[s:service-name='devs']/s:username/s:role", `<data><services xmlns="http://clicon.org/controller"><ssh-users xmlns="http://clicon.org/ssh-users"><service-name>devs</service-name><username><name>kim</name><role>guest</role></username></ssh-users></services></data>`},
		{"/ctrl:services/other/k[.='1'] | /ctrl:services/other/k[. = \"2\"]", `<data><services xmlns="http://clicon.org/controller"><other xmlns="u:o"><k>1</k></other></services></data>`},
		{"//addr", `<data><devices xmlns="http://clicon.org/controller"><device><name>d1</name><addr>a</addr></device></devices></data>`},
		{"/ctrl:devices//x", `<data><devices xmlns="http://clicon.org/controller"><device><name>d1</name><config><x xmlns="u:x"><name>deep</name></x></config></device></devices></data>`},
	} {
		sel, err := parseXPath(c.sel, prefixes)
		if err != nil {
			t.Errorf("%s: %v", c.sel, err)
			continue
		}
		if got := xmlOf(sel.of(data)); got != c.want {
			t.Errorf("%s selects %s\nwant %s", c.sel, got, c.want)
		}
	}
	for _, bad := range []string{"/x:y", "/a[", "/a[b", "/a[b='c", "/a[b=c]", "a b", "/a/", "/a/..", "count(/a)", "/a::b", "/a[1]", strings.Repeat("/a", 65), strings.Repeat("x", maxXPath+1)} {
		if _, err := parseXPath(bad, prefixes); err == nil {
			t.Errorf("%.40s is taken", bad)
		}
	}
	if got := xmlOf(shallow(data.Children[1], 2)); got != `<devices xmlns="http://clicon.org/controller"><device/></devices>` {
		t.Errorf("two deep it is %s", got)
	}
}

// FuzzEdit: what is wanted holds nothing of an echo, no attributes, and is taken
// for an echo when it is sent back as what was read.
func FuzzEdit(f *testing.F) {
	f.Add(`<a xmlns="u:a"><b><n>1</n></b></a>`, `<a xmlns="u:a"><b><n>1</n></b><b><n>2</n><x/></b></a>`)
	f.Add(`<a xmlns="u:a"><b>x</b></a>`, `<a xmlns="u:a" cl:creator="ssh-users[service-name='ops']"><b>y</b></a>`)
	f.Fuzz(func(t *testing.T, have, edit string) {
		read, err := tree.ParseBytes([]byte("<config>" + have + "</config>"))
		if err != nil {
			return
		}
		op, err := tree.ParseBytes([]byte(`<e xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" xmlns:cl="http://clicon.org/lib"><config><devices xmlns="http://clicon.org/controller"><device><name>d1</name><config>` + edit + `</config></device></devices></config></e>`))
		if err != nil {
			return
		}
		r := Request{Instance: Instance{Service: "ssh-users", KeyLeaf: "service-name", Key: "ops"}, Devices: []Device{{Name: "d1"}}, Config: func(string) *tree.Node { return read }}
		e := newEdits(&r, newView(&r))
		if e.apply(op) != nil {
			return
		}
		out, _, err := e.output()
		if err != nil {
			t.Fatal(err)
		}
		if n := out["d1"]; n != nil {
			if attributed(n) != nil || len(n.Children) == 0 {
				t.Fatalf("%s is wanted", xmlOf(n))
			}
		}
		// All that was read, sent back, is no wish.
		echo := *op.Children[0].Children[0].Children[0]
		echo.Children = []*tree.Node{textElement("name", "d1"), {Name: tree.Name{Space: Namespace, Local: "config"}, Children: read.Children}}
		e = newEdits(&r, newView(&r))
		if attributed(read) == nil {
			err := e.device(&echo, tree.Merge)
			if err != nil || len(e.out) > 0 {
				t.Fatalf("%s is taken for a wish: %s (%v)", have, xmlOf(e.out["d1"]), err)
			}
		}
	})
}

func FuzzXPath(f *testing.F) {
	f.Add("/ctrl:services/s:ssh-users[s:service-name='devs']//role | //x[.=\"y\"]")
	data := parsed(f, `<data>`+opsDoc+devsDoc+`</data>`)
	f.Fuzz(func(t *testing.T, text string) {
		sel, err := parseXPath(text, map[string]string{"ctrl": Namespace, "s": "http://clicon.org/ssh-users"})
		if err != nil {
			if !strings.HasSuffix(err.Error(), "are understood") && !strings.Contains(err.Error(), "bytes") {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		got := sel.of(data)
		if n, most := count(got), count(data); n > most {
			t.Fatalf("%q selects %d of %d nodes", text, n, most)
		}
		sel.services()
	})
}

func count(n *tree.Node) int {
	sum := 1
	for _, c := range n.Children {
		sum += count(c)
	}
	return sum
}

// FuzzRequests plays anything to a server in the middle of a run.
func FuzzRequests(f *testing.F) {
	for _, op := range []string{
		`<get-config><source><actions/></source></get-config>`, `<get/>`, `<edit-config><config/></edit-config>`, `<create-subscription><stream>services-commit</stream><filter type="xpath" select="/services/x"/></create-subscription>`,
		`<transaction-error><tid>1</tid><reason>x</reason></transaction-error>`, `<controller-commit><push>NONE</push><actions>FORCE</actions><source>candidate</source></controller-commit>`, `<close-session/>`, `<datastore-diff/>`,
	} {
		f.Add([]byte(`<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="42">` + op + `</rpc>`))
	}
	f.Fuzz(func(t *testing.T, msg []byte) {
		if len(msg) == 0 {
			return
		}
		l := newPipes()
		s := NewServer(Options{Committer: commits{}})
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Serve(ctx, l) }()
		c := l.dial(t)
		c.subscribe("services-commit", "")
		s.mu.Lock()
		r := Request{Instance: Instance{Service: "x", Namespace: "u:x", KeyLeaf: "k", Key: "1", Config: &tree.Node{Name: tree.Name{Space: "u:x", Local: "x"}}}, Devices: []Device{{Name: "d1"}}}
		run := s.assign(s.sessions[0], r)
		s.mu.Unlock()
		c.send(string(msg))
		if reply := c.read(); reply != "" {
			if n, err := tree.ParseBytes([]byte(reply)); err != nil || n.Name.Local != "rpc-reply" || len(n.Children) == 0 {
				t.Errorf("%q is answered with %q (%v)", msg, reply, err)
			}
		}
		c.conn.Close()
		<-run.done
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkEdit(b *testing.B) {
	for _, n := range []int{100, 1000, 4000} {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			var have, edit []string
			for i := range n {
				have = append(have, fmt.Sprintf("other%d/key/guest", i))
				edit = append(edit, fmt.Sprintf("user%d/key/guest", i))
			}
			read := parsed(b, usersXML(have...))
			mine := strings.ReplaceAll(usersXML(append(have, edit...)...), "<user><username>user", `<user cl:creator="ssh-users[service-name='ops']"><username>user`)
			op := editOf(b, "d1", strings.TrimSuffix(strings.TrimPrefix(mine, "<config>"), "</config>"))
			r := users(b, opsDoc, "d1")
			r.Config = func(string) *tree.Node { return read }
			for b.Loop() {
				e := newEdits(&r, newView(&r))
				if err := e.apply(op); err != nil {
					b.Fatal(err)
				}
				if len(e.out["d1"].Children) != 1 {
					b.Fatal("nothing is wanted")
				}
			}
		})
	}
}
