package service

import (
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// seedServices is the example of the seed, with its markup.
const seedServices = `<services xmlns="http://clicon.org/controller">
  <service-timeout>10</service-timeout>
  <ssh-users xmlns="http://clicon.org/ssh-users">
    <instance>ops</instance>
    <username><name>eric</name><ssh-key>ssh-rsa AAA...</ssh-key><role>admin</role></username>
    <username><name>alice</name><ssh-key>ssh-rsa AAA...</ssh-key><role>guest</role></username>
  </ssh-users>
  <ssh-users xmlns="http://clicon.org/ssh-users">
    <instance>devs</instance>
    <username><name>kim</name><ssh-key>ssh-rsa AAA...</ssh-key><role>guest</role></username>
  </ssh-users>
</services>`

func TestServicesOfTheSeed(t *testing.T) {
	t.Parallel()
	got, problems := ParseServices("services/users.xml", []byte(seedServices))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if len(got) != 2 {
		t.Fatalf("%d instances, want 2", len(got))
	}
	ops := got[0]
	if ops.Name() != "ssh-users[ops]" || ops.tag() != "ssh-users[instance='ops']" {
		t.Errorf("the names are %s and %s", ops.Name(), ops.tag())
	}
	if ops.Namespace != "http://clicon.org/ssh-users" || ops.File != "services/users.xml" || ops.Line != 3 {
		t.Errorf("it stands in %s:%d, namespace %s", ops.File, ops.Line, ops.Namespace)
	}
	if n := len(ops.Config.Children); n != 3 {
		t.Errorf("it has %d children, want 3", n)
	}
	if got[1].Name() != "ssh-users[devs]" {
		t.Errorf("the second is %s", got[1].Name())
	}
}

func TestServicesWithFaults(t *testing.T) {
	t.Parallel()
	const head, tail = `<services xmlns="http://clicon.org/controller">` + "\n", "</services>"
	for _, c := range []struct {
		name, doc string
		want      string // in the problem, with its place
		left      int    // instances
	}{
		{"syntax", "<services>\n<a></b></services>", "f.xml:2:4: ", 0},
		{"doctype", `<!DOCTYPE x [<!ENTITY a "b">]><services/>`, "f.xml:1:1: the document has a document type", 0},
		{"another root", `<devices xmlns="http://clicon.org/controller"/>`, "the document is <devices>, not <services>", 0},
		{"no namespace", `<services><a/></services>`, "not <services> of http://clicon.org/controller", 0},
		{"instance without namespace", head + `<a><k>x</k></a><b xmlns="u:b"><k>x</k></b>` + tail, "f.xml:2:1: <a> has no namespace of its own", 1},
		{"empty", head + `<a xmlns="u:a"/>` + tail, "f.xml:2:1: <a> is empty", 0},
		{"no key", head + `<a xmlns="u:a"><b><c/></b></a>` + tail, "f.xml:2:16: <a> begins with <b>, which is no leaf", 0},
		{"empty key", head + `<a xmlns="u:a"><k> </k></a>` + tail, "f.xml:2:16: the key <k> is empty", 0},
		{"long key", head + `<a xmlns="u:a"><k>` + strings.Repeat("x", 201) + `</k></a>` + tail, "longer than 200 bytes", 0},
		{"blank around a key", head + `<a xmlns="u:a"><k>x </k></a>` + tail, "begins or ends with a blank", 0},
		{"control", head + `<a xmlns="u:a"><k>x&#9;y</k></a>` + tail, "control character", 0},
		{"twice", head + `<a xmlns="u:a"><k>x</k></a>` + "\n" + `<a xmlns="u:a"><k>x</k></a>` + tail, "f.xml:3:1: the instance a[x] stands in line 2 already", 1},
		{"created", head + `<a xmlns="u:a"><k>x</k><created><path>/d</path></created></a>` + tail, "warning: <created> is the record of another controller", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, problems := ParseServices("f.xml", []byte(c.doc))
			if len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("the problems are %q, want one with %q", problems.Error(), c.want)
			}
			for _, p := range problems {
				if p.Hint == "" {
					t.Errorf("%q says nothing of what to do", p)
				}
			}
			if len(got) != c.left {
				t.Errorf("%d instances are left, want %d", len(got), c.left)
			}
		})
	}
}

func TestServicesLeaveOutTheOldRecord(t *testing.T) {
	t.Parallel()
	got, _ := ParseServices("f.xml", []byte(`<config><services xmlns="http://clicon.org/controller"><a xmlns="u:a"><k>x</k><created><path>/d</path></created><v>1</v></a></services></config>`))
	if len(got) != 1 || string(got[0].Config.AppendXML(nil)) != `<a xmlns="u:a"><k>x</k><v>1</v></a>` {
		t.Fatalf("got %v", got)
	}
}

func FuzzParseServices(f *testing.F) {
	f.Add([]byte(seedServices))
	f.Add([]byte(`<config><services xmlns="http://clicon.org/controller"><a xmlns="u:a"><k>x</k><created/></a></services></config>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, problems := ParseServices("f.xml", data)
		seen := map[string]bool{}
		for _, i := range got {
			if seen[i.Name()] || i.Key == "" || i.KeyLeaf == "" || i.Service == "" || i.Namespace == "" || i.Line < 1 {
				t.Fatalf("an instance is %+v", i)
			}
			seen[i.Name()] = true
			// What is kept of it reads back as the same instance.
			doc := (&tree.Node{Name: tree.Name{Space: Namespace, Local: "services"}, Children: []*tree.Node{i.Config}}).AppendXML(nil)
			again, more := ParseServices("f.xml", doc)
			if len(more) > 0 || len(again) != 1 || again[0].Name() != i.Name() || !tree.Equal(again[0].Config, i.Config) {
				t.Fatalf("%s reads back as %v (%v)", doc, again, more)
			}
		}
		for _, p := range problems {
			if p.File != "f.xml" || p.Message == "" || p.Hint == "" {
				t.Fatalf("a problem is %+v", p)
			}
		}
	})
}
