package tree

import (
	"slices"
	"strings"
	"testing"
)

func TestInfer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		doc     string // its first element is looked at
		kind    Kind
		keys    string
		guessed bool
	}{
		{`<a>1</a>`, Leaf, "", false},
		{`<a/>`, Leaf, "", false},
		{`<a>1</a><a>2</a>`, LeafList, "", false},
		{`<a><b>1</b></a>`, Container, "", false},
		{`<a><b><name>1</name></b></a>`, Container, "", true}, // it is b that is taken for a list
		{`<a><name>1</name></a>`, List, "name", true},
		{`<vlan><vlan-id>1</vlan-id></vlan>`, List, "vlan-id", true},
		{`<bgp><router-id>1</router-id></bgp>`, Container, "", false},
		{`<config><name>1</name></config>`, Container, "", false},
		{`<a><name/></a>`, Container, "", false},
		{`<a><b>1</b></a><a><b>2</b></a>`, List, "b", false},
		{`<a><b>1</b><c>1</c></a><a><b>1</b><c>2</c></a>`, List, "b c", false},
		{`<a><b>1</b><c>1</c></a><a><b>1</b><c>1</c></a>`, List, "b c", false}, // twins
		{`<a><b><c>1</c></b></a><a><b><c>2</c></b></a>`, List, "", false},
		{`<a><b>1</b></a><a/>`, List, "b", false},
	} {
		s := newShapes(nil)
		doc := config(t, test.doc)
		s.learn(s.schema, doc)
		d := s.child(s.schema, doc.Children[0].Name)
		if d.Kind != test.kind || strings.Join(d.Keys, " ") != test.keys || (len(s.guesses) > 0) != test.guessed || s.changed {
			t.Errorf("%s: %s [%s], guesses %v, changed %t", test.doc, d.Kind, d.Keys, s.guesses, s.changed)
		}
	}
}

// TestInferGrows shows one thing after the other.
func TestInferGrows(t *testing.T) {
	t.Parallel()
	s := newShapes(nil)
	for _, step := range []struct {
		doc     string
		kind    Kind
		keys    []string
		changed bool
	}{
		{`<a/>`, Leaf, nil, false},
		{`<a><b>1</b><c>1</c></a>`, Container, nil, true},
		{`<a><b>1</b><c>1</c></a><a><b>2</b></a>`, List, []string{"b"}, true},
		{`<a><b>1</b><c>1</c></a><a><b>1</b><c>2</c></a>`, List, []string{"b", "c"}, true},
		{`<a><b>1</b></a>`, List, []string{"b", "c"}, false},
	} {
		s.changed = false
		s.learn(s.schema, config(t, step.doc))
		d := s.child(s.schema, Name{"urn:t", "a"})
		if d.Kind != step.kind || !slices.Equal(d.Keys, step.keys) || s.changed != step.changed {
			t.Errorf("%s: %s %v, changed %t", step.doc, d.Kind, d.Keys, s.changed)
		}
	}
}

// TestSchemaRules keeps what a schema says, and infers only below it.
func TestSchemaRules(t *testing.T) {
	t.Parallel()
	schema := defs("system\n  users\n    user [username]\n      username -\nlist [name]\n  name -")
	s := newShapes(schema)
	s.learn(s.schema, config(t, `<system><users><user><username>a</username><extra><name>1</name></extra></user></users></system>`+
		`<list><name>a</name></list><list><name>a</name></list>`))
	name := func(local string) Name { return Name{"urn:t", local} }
	user := schema.Child(name("system")).Child(name("users")).Child(name("user"))
	if extra := s.child(user, name("extra")); extra == nil || extra.Kind != List || user.Child(name("extra")) != nil {
		t.Errorf("%+v", extra)
	}
	if list := s.child(schema, name("list")); len(list.Keys) != 1 || len(schema.Children()) != 2 {
		t.Errorf("the schema was changed: %+v", list)
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	steps, err := ParsePath(`/m:a/b[k = 'x/[]'][p:l="it's"]/c[.='a''b"']`)
	if err != nil || len(steps) != 3 || steps[0].Module != "m" || steps[1].Keys[0] != (Predicate{"k", "x/[]"}) ||
		steps[1].Keys[1] != (Predicate{"p:l", "it's"}) || steps[2].Keys[0] != (Predicate{".", `a'b"`}) {
		t.Errorf("%+v, %v", steps, err)
	}
	for _, bad := range []string{"a", "//", "/a/", "/a[", "/a[k]", "/a[k=1]", "/a[k='1'", "/a[k='1]", "/a[k='1']b", "/1a", "/a:", "/:a", "/ a"} {
		if steps, err := ParsePath(bad); err == nil || !strings.Contains(err.Error(), "write /name") && !strings.Contains(err.Error(), "write it so") && !strings.Contains(err.Error(), "write [") {
			t.Errorf("%s: %+v, %v", bad, steps, err)
		}
	}
}
