package tree

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestApplyEdit(t *testing.T) {
	t.Parallel()
	const alice = `<system><users><user><username>alice</username><config><ssh-key>A</ssh-key></config></user></users></system>`
	for name, test := range map[string]struct {
		have, edit, want string
		op               Operation
		nomodel          bool // it comes out so without a schema, too
	}{
		"merge creates": {"", alice, alice, Merge, true},
		"merge sets a leaf": {
			alice, `<system><users><user><username>alice</username><config><ssh-key>B</ssh-key></config></user></users></system>`,
			`<system><users><user><username>alice</username><config><ssh-key>B</ssh-key></config></user></users></system>`, Merge, true,
		},
		"merge adds to an entry": {
			alice, `<system><users><user><config><role>x</role></config><username>alice</username></user></users></system>`,
			`<system><users><user><username>alice</username><config><ssh-key>A</ssh-key><role>x</role></config></user></users></system>`, Merge, false,
		},
		"merge adds an entry": {
			alice, `<system><users><user><username>bob</username></user></users></system>`,
			`<system><users><user><username>alice</username><config><ssh-key>A</ssh-key></config></user><user><username>bob</username></user></users></system>`, Merge, true,
		},
		"remove leaves no empty containers": {
			alice, `<system><users><user nc:operation="remove"><username>alice</username></user></users></system>`, "", Merge, true,
		},
		"remove what is not there": {
			alice, `<system><users><user nc:operation="remove"><username>bob</username></user></users><hostname nc:operation="remove"/></system>`, alice, Merge, true,
		},
		"remove a leaf by another value": {
			`<system><hostname>a</hostname><dns>1</dns></system>`, `<system><hostname nc:operation="remove">b</hostname></system>`, `<system><dns>1</dns></system>`, Merge, true,
		},
		"remove an entry of a leaf-list": {
			`<system><dns>1</dns><dns>2</dns></system>`, `<system><dns nc:operation="remove">1</dns><dns>2</dns><dns>3</dns></system>`, `<system><dns>2</dns><dns>3</dns></system>`, Merge, true,
		},
		"replace an entry": {
			alice, `<system><users><user nc:operation="replace"><username>alice</username><config><role>x</role></config></user></users></system>`,
			`<system><users><user><username>alice</username><config><role>x</role></config></user></users></system>`, Merge, true,
		},
		"replace a container": {
			`<system><hostname>a</hostname><dns>1</dns></system>`, `<system nc:operation="replace"><dns>2</dns></system>`, `<system><dns>2</dns></system>`, Merge, true,
		},
		"create": {"", `<system><hostname nc:operation="create">a</hostname></system>`, `<system><hostname>a</hostname></system>`, None, true},
		"delete": {`<system><hostname>a</hostname><dns>1</dns></system>`, `<system><hostname nc:operation="delete"/></system>`, `<system><dns>1</dns></system>`, None, true},
		"none touches nothing": {
			`<system><hostname>a</hostname></system>`, `<system><hostname>b</hostname></system>`, `<system><hostname>a</hostname></system>`, None, true,
		},
		"none with an operation below": {
			alice, `<system><users><user><username>alice</username><config><role nc:operation="merge">x</role></config></user></users></system>`,
			`<system><users><user><username>alice</username><config><ssh-key>A</ssh-key><role>x</role></config></user></users></system>`, None, true,
		},
		"default replace": {alice, `<system><hostname>a</hostname></system>`, `<system><hostname>a</hostname></system>`, Replace, true},
		"presence stays":  {`<system><banner><text>a</text></banner></system>`, `<system><banner><text nc:operation="remove"/></banner></system>`, `<system><banner/></system>`, Merge, false},
		"presence goes":   {`<system><hostname>a</hostname><banner/></system>`, `<system><banner nc:operation="remove"/></system>`, `<system><hostname>a</hostname></system>`, Merge, true},
		"anydata is one value": {
			`<system><blob><a>1</a></blob></system>`, `<system><blob><b>1</b></blob></system>`, `<system><blob><b>1</b></blob></system>`, Merge, false,
		},
		"the other case goes": {
			`<system><udp>1</udp><udp-size>2</udp-size><hostname>a</hostname></system>`, `<system><tcp>1</tcp></system>`, `<system><hostname>a</hostname><tcp>1</tcp></system>`, Merge, false,
		},
		"the same case stays": {
			`<system><udp>1</udp></system>`, `<system><udp-size>2</udp-size></system>`, `<system><udp>1</udp><udp-size>2</udp-size></system>`, Merge, false,
		},
		"several keys": {
			`<acl><name>x</name><rule><proto>t</proto><port>1</port><action>a</action></rule><rule><proto>t</proto><port>2</port></rule></acl>`,
			`<acl><name>x</name><rule nc:operation="remove"><proto>t</proto><port>1</port></rule></acl>`,
			`<acl><name>x</name><rule><proto>t</proto><port>2</port></rule></acl>`, Merge, true,
		},
		"insert first, last, before and after": {
			`<acl><name>a</name></acl><acl><name>b</name></acl>`,
			`<acl y:insert="first"><name>c</name></acl><acl y:insert="after" y:key="[name='c']"><name>d</name></acl><acl y:insert="last"><name>e</name></acl><acl y:insert="before" y:key="[x:name=&quot;b&quot;]"><name>f</name></acl>`,
			`<acl><name>c</name></acl><acl><name>d</name></acl><acl><name>a</name></acl><acl><name>f</name></acl><acl><name>b</name></acl><acl><name>e</name></acl>`, Merge, false,
		},
		"move an entry": {
			`<acl><name>a</name><log>1</log></acl><acl><name>b</name></acl>`, `<acl y:insert="last"><name>a</name></acl>`, `<acl><name>b</name></acl><acl><name>a</name><log>1</log></acl>`, Merge, false,
		},
		"order of a leaf-list": {
			`<system><search>a</search><search>b</search></system>`, `<system><search y:insert="before" y:value="a">c</search><search y:insert="first">b</search></system>`,
			`<system><search>b</search><search>c</search><search>a</search></system>`, Merge, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schemas := []*Def{defs(testModel)}
			if test.nomodel {
				schemas = append(schemas, nil)
			}
			for i, schema := range schemas {
				have := config(t, test.have)
				before := show(have)
				got, err := ApplyEditBy(test.op, have, config(t, test.edit), schema)
				if err != nil {
					t.Fatal(err)
				}
				if want := show(config(t, test.want)); show(got) != want {
					t.Errorf("schema %d: got %s want %s", i, show(got), want)
				}
				if show(have) != before {
					t.Error("the configuration was changed in place")
				}
			}
		})
	}
}

func TestApplyEditRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		have, edit, tag, path string
		op                    Operation
	}{
		{"", `<system><hostname nc:operation="delete"/></system>`, "data-missing", "/oc-sys:system/hostname", Merge},
		{"", `<system><hostname>a</hostname></system>`, "data-missing", "/oc-sys:system/hostname", None},
		{`<system><hostname>a</hostname></system>`, `<system><hostname nc:operation="create">a</hostname></system>`, "data-exists", "/oc-sys:system/hostname", Merge},
		{`<system><hostname>a</hostname></system>`, `<system nc:operation="create"><dns>a</dns></system>`, "data-exists", "/oc-sys:system", Merge},
		{`<acl><name>it's</name></acl>`, `<acl nc:operation="create"><name>it's</name></acl>`, "data-exists", `/acl[name="it's"]`, Merge},
		{"", `<system><hostname operation="remove"/></system>`, "unknown-attribute", "/oc-sys:system/hostname", Merge},
		{"", `<system><dns nc:operation="kill">1</dns></system>`, "bad-attribute", "/oc-sys:system/dns[.='1']", Merge},
		{"", `<acl y:insert="before" y:key="[name='b']"><name>a</name></acl>`, "bad-attribute", "/acl[name='a']", Merge},
		{"", `<acl y:insert="somewhere"><name>a</name></acl>`, "bad-attribute", "/acl[name='a']", Merge},
	} {
		_, err := ApplyEditBy(test.op, config(t, test.have), config(t, test.edit), defs(testModel))
		var fault *EditError
		if !errors.As(err, &fault) || fault.Tag != test.tag || fault.Path != test.path || fault.Message == "" {
			t.Errorf("%s: %v, %+v", test.edit, err, fault)
		}
	}
}

func TestInsertIntoALongList(t *testing.T) {
	t.Parallel()
	acl := func(attrs string, n int) string { return fmt.Sprintf(`<acl %s><name>r%02d</name></acl>`, attrs, n) }
	var have, edit, want string
	for i := range 40 {
		have += acl("", i)
		edit += acl(`y:insert="first"`, i)
		want = acl("", i) + want
	}
	got, err := ApplyEdit(config(t, have), config(t, edit+acl(`nc:operation="remove"`, 0)), defs(testModel))
	if err != nil {
		t.Fatal(err)
	}
	if want := show(config(t, strings.TrimSuffix(want, acl("", 0)))); show(got) != want {
		t.Errorf("got %s want %s", show(got), want)
	}
}
