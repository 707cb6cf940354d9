package tree

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// noPlace leaves out where nodes were read.
var noPlace = cmpopts.IgnoreFields(Node{}, "Line", "Column")

func parse(t testing.TB, doc string) *Node {
	t.Helper()
	n, err := Parse(strings.NewReader(doc), Limits{})
	if err != nil {
		t.Fatalf("%v in %s", err, doc)
	}
	return n
}

func TestParse(t *testing.T) {
	t.Parallel()
	leaf := func(name, value string) *Node { return &Node{Name: Name{"urn:a", name}, Value: value} }
	for name, test := range map[string]struct {
		doc  string
		want *Node
	}{
		"default namespace": {
			`<a xmlns="urn:a"><b>1</b><c/></a>`,
			&Node{Name: Name{"urn:a", "a"}, Children: []*Node{leaf("b", "1"), leaf("c", "")}},
		},
		"prefixes": {
			`<x:a xmlns:x="urn:a"><x:b>1</x:b><b xmlns:x="urn:b"/><x:c></x:c ></x:a>`,
			&Node{Name: Name{"urn:a", "a"}, Children: []*Node{leaf("b", "1"), {Name: Name{"", "b"}}, leaf("c", "")}},
		},
		"a namespace taken away": {
			`<a xmlns="urn:a"><b xmlns=""/></a>`,
			&Node{Name: Name{"urn:a", "a"}, Children: []*Node{{Name: Name{"", "b"}}}},
		},
		"what is skipped": {
			"\uFEFF<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- c --><?pi x?>\n<a xmlns='urn:a'>\n <!-- > --><b>1<!-- in -->2</b>\n</a>\n<!-- end -->",
			&Node{Name: Name{"urn:a", "a"}, Children: []*Node{leaf("b", "12")}},
		},
		"references and CDATA": {
			`<b xmlns="urn:a">&lt;&#65;&#x1F600;&amp;<![CDATA[<&]]]]><![CDATA[>]]></b>`,
			leaf("b", "<A\U0001F600&<&]]>"),
		},
		"ends of lines":                      {"<b xmlns='urn:a'>1\r\n2\r3\n</b>", leaf("b", "1\n2\n3\n")},
		"blanks are a value within one line": {`<b xmlns="urn:a">  </b>`, leaf("b", "  ")},
		"white space over lines is none":     {"<b xmlns='urn:a'>\n  \n</b>", leaf("b", "")},
		"white space that was meant":         {"<b xmlns='urn:a'>&#10;</b>", leaf("b", "\n")},
		"white space in CDATA":               {"<b xmlns='urn:a'><![CDATA[\n]]></b>", leaf("b", "\n")},
		"the bindings of an identity": {
			`<b xmlns="urn:a" xmlns:i="urn:i" xmlns:j="urn:j">i:eth</b>`,
			&Node{Name: Name{"urn:a", "b"}, Value: "i:eth", Prefixes: map[string]string{"i": "urn:i"}},
		},
		"the bindings of a path": {
			`<b xmlns="urn:a" xmlns:i="urn:i" xmlns:j="urn:j">/i:x/j:y[j:k='z:1']/child::k</b>`,
			&Node{Name: Name{"urn:a", "b"}, Value: "/i:x/j:y[j:k='z:1']/child::k", Prefixes: map[string]string{"i": "urn:i", "j": "urn:j"}},
		},
		"no bindings": {`<b xmlns="urn:a" xmlns:i="urn:i">fe80::1 xi:1</b>`, leaf("b", "fe80::1 xi:1")},
		"attributes": {
			`<b xmlns="urn:a" xmlns:nc="urn:nc" nc:operation="remove" k = '"&#10;&lt;'  xml:lang="en"/>`,
			&Node{Name: Name{"urn:a", "b"}, Attrs: []Attr{
				{Name{"urn:nc", "operation"}, "remove"}, {Name{"", "k"}, "\"\n<"}, {Name{xmlSpace, "lang"}, "en"},
			}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, r := range []io.Reader{strings.NewReader(test.doc), iotest.OneByteReader(strings.NewReader(test.doc)), iotest.DataErrReader(strings.NewReader(test.doc))} {
				got, err := Parse(r, Limits{})
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(test.want, got, noPlace); diff != "" {
					t.Error(diff)
				}
			}
			again := parse(t, string(test.want.AppendXML(nil)))
			if diff := cmp.Diff(test.want, again, noPlace); diff != "" || !Equal(test.want, again) {
				t.Errorf("written as %s: %s", test.want.AppendXML(nil), diff)
			}
			if pretty := parse(t, test.want.Pretty()); !Equal(test.want, pretty) {
				t.Errorf("written for people as %s", test.want.Pretty())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		doc, message string
		line, column int
	}{
		{``, "the document has no element", 1, 1},
		{`text`, "text outside", 1, 5},
		{"<a>\n <b>", "the document ends within the element b", 2, 5},
		{`<a`, "the document ends within a tag", 1, 3},
		{"<a>\n <b></c>", `"c" is closed where b, opened in line 2, is open`, 2, 5},
		{`</a>`, "closes nothing", 1, 1},
		{`<a/><b/>`, "second root", 1, 5},
		{`<!DOCTYPE a [<!ENTITY x "y">]><a/>`, "document type", 1, 1},
		{`<a>&x;</a>`, "a reference is none", 1, 4},
		{`<a>&lt</a>`, "a reference is none", 1, 4},
		{`<a>&#0;</a>`, "a reference is none", 1, 4},
		{`<a>&#xD800;</a>`, "a reference is none", 1, 4},
		{`<a b="&x;"/>`, "a reference that is not known", 1, 4},
		{`<a b="<"/>`, "a < that is not written", 1, 4},
		{`<p:a/>`, `the prefix "p" is not declared`, 1, 1},
		{"<a\n  p:b='1'/>", `the prefix "p" is not declared`, 2, 3},
		{`<a xmlns:p=""/>`, "bound to nothing", 1, 4},
		{`<a xmlns:xml="urn:a"/>`, "can't be bound", 1, 4},
		{`<a xmlns:xmlns="urn:a"/>`, "can't be bound", 1, 4},
		{`<a b="1" b="2"/>`, "stands twice", 1, 10},
		{`<a xmlns:p="u" xmlns:q="u" p:b="1" q:b="2"/>`, "stands twice", 1, 36},
		{`<a b="1"c="2"/>`, "not an attribute", 1, 9},
		{`<a b=1/>`, "not an attribute", 1, 4},
		{`<a b/>`, "not an attribute", 1, 4},
		{`<a><1/></a>`, "not the name of an element", 1, 4},
		{`<a><b:c:d/></a>`, "not the name of an element", 1, 4},
		{`<a>1<b/></a>`, "text stands beside elements in a", 1, 5},
		{`<a><b/>1</a>`, "text stands beside elements in a", 1, 9},
		{"<a>\x01</a>", "may not stand in XML", 1, 4},
		{"<a>\xff</a>", "not UTF-8", 1, 4},
		{"<a b='\xff'/>", "may not stand in XML", 1, 4},
		{`<a>]]></a>`, "outside of a CDATA", 1, 4},
		{`<a><![CDATA[x]]</a>`, "within a CDATA section", 1, 20},
		{`<a><!-- x -- y --></a>`, "two hyphens", 1, 13},
		{`<a><?xml version="1.0"?></a>`, "an XML declaration stands within", 1, 4},
		{`<?xml version="1.0" encoding="latin1"?><a/>`, "not encoded in UTF-8", 1, 1},
		{`<a>` + strings.Repeat("<b>", 200), "nested deeper than 128", 1, 385},
		{`<a b="` + strings.Repeat("x", 100<<10) + `"/>`, "a tag is longer", 1, 1},
	} {
		_, err := Parse(strings.NewReader(test.doc), Limits{})
		var fault *SyntaxError
		if !errors.As(err, &fault) {
			t.Errorf("%.60s: %v", test.doc, err)
			continue
		}
		if !strings.Contains(fault.Message, test.message) || fault.Line != test.line || fault.Column != test.column || fault.Hint == "" {
			t.Errorf("%.60s: %v", test.doc, err)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	doc := `<a><b x="1"/><b/></a>`
	for _, test := range []struct {
		limits  Limits
		message string
	}{
		{Limits{Bytes: 21, Depth: 2, Nodes: 4}, ""},
		{Limits{Bytes: 20}, "longer than 20 bytes"},
		{Limits{Depth: 1}, "deeper than 1"},
		{Limits{Nodes: 3}, "more than 3 elements"},
	} {
		_, err := Parse(iotest.OneByteReader(strings.NewReader(doc)), test.limits)
		if (err == nil) != (test.message == "") || err != nil && !strings.Contains(err.Error(), test.message) {
			t.Errorf("%+v: %v", test.limits, err)
		}
	}
	// a document without end costs no more than its limit
	endless := io.MultiReader(strings.NewReader("<a>"), zeroes{})
	if _, err := Parse(endless, Limits{Bytes: 1 << 20}); err == nil || !strings.Contains(err.Error(), "longer") {
		t.Error(err)
	}
	broken := errors.New("broken")
	if _, err := Parse(io.MultiReader(strings.NewReader("<a>"), iotest.ErrReader(broken)), Limits{}); !errors.Is(err, broken) {
		t.Error(err)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}
