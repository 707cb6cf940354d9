package tree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzParse compares with encoding/xml: what is taken here means the same there,
// and is written so that it is read back; and what is refused here is refused
// there, or for a reason that configuration has.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`<a xmlns="urn:a"><b>1</b><c/></a>`, `<x:a xmlns:x="urn:a" x:k="1" k='2'>&lt;&#65;</x:a>`,
		"<?xml version=\"1.0\"?>\n<!-- c --><a>\r\n<b xmlns=\"\"> </b><![CDATA[]]></a>", `<a xmlns:i="u">i:x</a>`,
		`<a>1<b/></a>`, `<!DOCTYPE a><a/>`, "<a>\u00e9\U0001F600]]&gt;</a>", `<a b="1"c="2"/>`, `<a><![CDATA[<]]></a>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		limits := Limits{Bytes: 1 << 20, Depth: 50, Nodes: 10000}
		got, err := Parse(bytes.NewReader(doc), limits)
		want, wantErr := reference(doc)
		var fault *SyntaxError
		switch {
		case err != nil && !errors.As(err, &fault):
			t.Fatalf("not a syntax error: %v", err)
		case err != nil:
			if fault.Line < 1 || fault.Column < 1 || fault.Message == "" || fault.Hint == "" {
				t.Fatalf("%+v", fault)
			}
			if wantErr == nil && !slices.ContainsFunc(stricter, func(s string) bool { return strings.Contains(fault.Message, s) }) {
				t.Fatalf("%v, but encoding/xml takes it", err)
			}
			return
		case wantErr != nil && strings.Contains(wantErr.Error(), "version"):
			return // encoding/xml finds words of an XML declaration within others
		case wantErr != nil:
			t.Fatalf("it is taken, but encoding/xml says %v", wantErr)
		}
		if !Equal(unbound(got), want) {
			t.Fatalf("got %s want %s", got.AppendXML(nil), want.AppendXML(nil))
		}
		for _, text := range [][]byte{got.AppendXML(nil), []byte(got.Pretty())} {
			again, err := Parse(iotest.OneByteReader(bytes.NewReader(text)), Limits{Share: true})
			if err != nil || !Equal(again, got) {
				t.Fatalf("written as %s it is read with %v as %s", text, err, again.AppendXML(nil))
			}
		}
	})
}

// stricter are the faults that encoding/xml lets pass.
var stricter = []string{
	"text stands beside", "document type", "nested deeper", "more than", "longer than", "is not declared",
	"stands twice", "not an attribute", "bound to nothing", "can't be bound", "second root", "outside of the root",
	"XML declaration stands", "not the name of", "two hyphens", "has no name", "has no element", "not encoded", "not XML 1.0",
}

// reference reads with encoding/xml, by the same rules for white space.
func reference(doc []byte) (*Node, error) {
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("not UTF-8") }
	var root *Node
	var open []*Node
	for {
		from := d.InputOffset()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root, nil
		}
		if err != nil {
			return nil, err
		}
		switch token := token.(type) {
		case xml.StartElement:
			n := &Node{Name: Name(token.Name)}
			for _, a := range token.Attr {
				if a.Name.Space != "xmlns" && a.Name != (xml.Name{Local: "xmlns"}) {
					n.Attrs = append(n.Attrs, Attr{Name(a.Name), a.Value})
				}
			}
			if len(open) > 0 {
				open[len(open)-1].Children = append(open[len(open)-1].Children, n)
			} else {
				root = n
			}
			open = append(open, n)
		case xml.EndElement:
			n := open[len(open)-1]
			open = open[:len(open)-1]
			if len(n.Children) > 0 {
				n.Value = ""
			} else if plain := strings.TrimPrefix(n.Value, "\x00"); plain == n.Value && isBlank(plain) && strings.Contains(plain, "\n") {
				n.Value = ""
			} else {
				n.Value = plain
			}
		case xml.CharData:
			if len(open) > 0 {
				n := open[len(open)-1]
				if raw := doc[from:d.InputOffset()]; bytes.ContainsAny(raw, "&") || bytes.HasPrefix(raw, cdataStart) {
					n.Value = "\x00" + strings.TrimPrefix(n.Value, "\x00") // written on purpose
				}
				n.Value += string(token)
			}
		}
	}
}

// unbound gives a tree without what encoding/xml doesn't tell.
func unbound(n *Node) *Node {
	c := *n
	c.Prefixes, c.Children = nil, nil
	for _, child := range n.Children {
		c.Children = append(c.Children, unbound(child))
	}
	return &c
}

// FuzzPath reads paths back as they are written.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/", "/a", "/m:a/b[k='1'][l=\"2'\"]/c[.='x''\"']", "/a[", "/a[k=']", "a", "//"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		steps, err := ParsePath(path)
		if err != nil {
			return
		}
		var text []byte
		for _, s := range steps {
			text = append(text, '/')
			if s.Module != "" {
				text = append(append(text, s.Module...), ':')
			}
			text = append(text, s.Name...)
			for _, p := range s.Keys {
				text = appendPredicate(text, p.Key, p.Value)
			}
		}
		again, err := ParsePath(string(text))
		if err != nil || !slices.EqualFunc(steps, again, func(a, b Step) bool {
			return a.Module == b.Module && a.Name == b.Name && slices.Equal(a.Keys, b.Keys)
		}) {
			t.Fatalf("%q is %+v, written as %q, read with %v as %+v", path, steps, text, err, again)
		}
	})
}

// FuzzPlan claims whatever document there is over whatever device, without a
// schema: the edit makes the device hold it, or the claims conflict.
func FuzzPlan(f *testing.F) {
	f.Add([]byte(`<c><a><b>1</b></a></c>`), []byte(`<c><a><b>1</b></a><a><b>2</b></a></c>`), []byte(`<c><a>1</a></c>`))
	f.Add([]byte(`<c><s><name>x</name><v>1</v></s></c>`), []byte(`<c><s><name>x</name><v>2</v></s><s><name>y</name></s></c>`), []byte(`<c/>`))
	f.Add([]byte(`<c><a/><a/></c>`), []byte(`<c><l><k>1</k><m>1</m></l><l><k>1</k><m>2</m></l></c>`), []byte(`<c><l><k>1</k></l></c>`))
	f.Fuzz(func(t *testing.T, device, old, now []byte) {
		var docs []*Node
		for _, text := range [][]byte{device, old, now} {
			n, err := Parse(bytes.NewReader(text), Limits{Bytes: 4096, Depth: 10, Nodes: 100})
			if err != nil || !utf8.Valid(text) || attributed(n) {
				return
			}
			docs = append(docs, n)
		}
		c := NewClaims(nil)
		c.learn(c.schema, docs[0]) // what is known of the device decides what things are
		have, base := docs[0], (*Node)(nil)
		for _, d := range []Delta{{"o", nil, docs[1]}, {"o", docs[1], docs[2]}, {"o", docs[2], nil}} {
			if len(c.Apply(d)) > 0 {
				return
			}
			c.Filter(d)
			c.FilterAll()
			plan := c.Plan(have, base, d)
			if plan.Edit == nil {
				continue
			}
			// the device has a model, which is what was learned
			edited, err := editor{c.shapes}.children(c.schema, have, plan.Edit, Merge)
			if err != nil {
				t.Fatal(err)
			}
			have, base = &Node{Name: have.Name, Children: edited}, plan.Base
			if again := c.Plan(have, base); again.Edit != nil && !c.changed {
				t.Fatalf("after %s there is still %s to do", plan.Edit.Pretty(), again.Edit.Pretty())
			}
		}
		if len(c.root.children.list) > 0 {
			t.Fatal("claims are left")
		}
	})
}

func attributed(n *Node) bool { return len(n.Attrs) > 0 || slices.ContainsFunc(n.Children, attributed) }
