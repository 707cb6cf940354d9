package tree

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLeafOfASharedEntry(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{
			"ops":   users("alice=A"),
			"roles": `<system><users><user><username>alice</username><config><role>admin</role></config></user></users></system>`,
		})
		plan := s.want(map[string]string{"roles": ""})
		s.expect(users("alice=A"))
		if want := `<role nc:operation="remove"/>`; !strings.Contains(string(plan.Edit.AppendXML(nil)), want) || len(plan.Changes) != 1 {
			t.Errorf("got %s, want only %s", plan.Edit.Pretty(), want)
		}
		if c := plan.Changes[0]; c.Op != OpRemove || c.Old != "admin" || !slices.Equal(c.Owners, []string{"roles"}) {
			t.Errorf("%+v", c)
		}
	})
}

func TestLeafMadeByHandInAnEntryOfOurs(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		role := func(r string) string {
			return `<system><users><user><username>alice</username><config><username>alice</username><role>` + r + `</role></config></user></users></system>`
		}
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("alice")})
		s.device = config(t, role("hand"))
		s.want(map[string]string{"roles": role("admin")})
		s.expect(role("admin"))
		s.want(map[string]string{"roles": ""})
		s.expect(role("hand"))
		if s.base != nil {
			t.Errorf("base still has %s", s.base.Pretty())
		}
		s.want(map[string]string{"ops": ""}) // the entry is ours: it goes with what stands in it
		s.expect("")
	})
}

func TestChoice(t *testing.T) {
	t.Parallel()
	s := newSite(t, defs(testModel), `<system><udp>1</udp><udp-size>9</udp-size><hostname>r</hostname></system>`)
	deltas := s.deltas(map[string]string{"ops": `<system><tcp>1</tcp></system>`})
	s.claims.Apply(deltas...)
	filter := string(s.claims.Filter(deltas...).AppendXML(nil))
	if want := `<system xmlns="urn:t"><tcp/><udp/><udp-size/></system>`; !strings.Contains(filter, want) {
		t.Errorf("the filter is %s, want %s", filter, want)
	}
	plan := s.push(deltas...) // which looks that undoing brings udp back
	s.expect(`<system><hostname>r</hostname><tcp>1</tcp></system>`)
	if len(plan.Changes) != 3 || plan.Changes[1].Op != OpRemove || plan.Changes[1].Path != "/oc-sys:system/udp" {
		t.Errorf("what the device drives out is not told: %+v", plan.Changes)
	}
	conflicts := s.claims.Apply(Delta{"devs", nil, config(t, `<system><udp>2</udp></system>`)})
	want := []Conflict{{"/oc-sys:system/tcp", [2]string{"ops", "devs"}, [2]string{"tcp", "udp"}}}
	if diff := cmp.Diff(want, conflicts); diff != "" {
		t.Error(diff)
	}
}

func TestOutputThatSaysThingsTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t, defs(testModel), "")
	twice := users("eric=E") + users("alice=A") + `<system><hostname>r</hostname><users>` + userEntries("eric=E") + `</users></system>`
	s.want(map[string]string{"ops": twice})
	s.expect(`<system><hostname>r</hostname><users>` + userEntries("alice=A", "eric=E") + `</users></system>`)
	if plan := s.want(map[string]string{"ops": twice}); plan.Edit != nil {
		t.Errorf("the same again gives %s", plan.Edit.Pretty())
	}
	conflicts := s.claims.Apply(Delta{"x", nil, config(t, users("kim=1")+users("kim=2"))})
	want := Conflict{"/oc-sys:system/users/user[username='kim']/config/ssh-key", [2]string{"x", "x"}, [2]string{"1", "2"}}
	if len(conflicts) != 1 || conflicts[0] != want {
		t.Errorf("%+v", conflicts)
	}
}

// TestKindsThatProveWrong shows the device what a single element did not say, so
// that all that is claimed has to be seen in a new way.
func TestKindsThatProveWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, `<port><no>1</no><speed>10</speed></port>`)
	s.want(map[string]string{"ops": `<port><no>1</no><speed>100</speed></port><dns>1</dns>`})
	s.expect(`<port><no>1</no><speed>100</speed></port><dns>1</dns>`)
	s.want(map[string]string{"devs": `<port><no>2</no></port><port><no>3</no></port><dns>2</dns><dns>3</dns>`})
	s.expect(`<port><no>1</no><speed>100</speed></port><dns>1</dns><port><no>2</no></port><port><no>3</no></port><dns>2</dns><dns>3</dns>`)
	if got := s.claims.Owners("/port[no='1']/speed"); !slices.Equal(got, []string{"ops"}) {
		t.Errorf("the speed is owned by %v", got)
	}
	plan := s.want(map[string]string{"devs": ""})
	s.expect(`<port><no>1</no><speed>100</speed></port><dns>1</dns>`)
	if len(plan.Changes) != 4 {
		t.Errorf("%+v", plan.Changes)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	const head = `<filter xmlns="` + BaseSpace + `" type="subtree">`
	alice := func(inside string) string {
		return `<system xmlns="urn:t"><users><user><username>alice</username>` + inside + `</user></users></system>`
	}
	many := make([]string, manyEntries+1)
	for i := range many {
		many[i] = "u" + strings.Repeat("x", i)
	}
	for name, test := range map[string]struct{ old, now, want string }{
		"nothing":           {users("alice=A"), users("alice=A"), ""},
		"a leaf":            {users("alice=A", "eric"), users("alice=B", "eric"), alice(`<config><ssh-key/></config>`)},
		"an entry comes":    {users("eric"), users("alice=A", "eric"), alice("")},
		"an entry goes":     {users("alice=A", "eric"), users("eric"), alice("")},
		"a leaf-list":       {"", `<system><dns>1</dns></system>`, `<system xmlns="urn:t"><dns/></system>`},
		"an order":          {`<acl><name>a</name></acl><acl><name>b</name></acl>`, `<acl><name>b</name></acl><acl><name>a</name></acl>`, `<acl xmlns="urn:t"/>`},
		"many entries":      {"", users(many...), `<system xmlns="urn:t"><users><user/></users></system>`},
		"two keys":          {"", `<acl><name>a</name><rule><proto>t</proto><port>1</port></rule></acl>`, `<acl xmlns="urn:t"/>`},
		"a whole container": {"", `<system><banner><text>x</text></banner></system>`, `<system xmlns="urn:t"><banner/></system>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := NewClaims(defs(testModel))
			old, now := config(t, test.old), config(t, test.now)
			c.Apply(Delta{"o", nil, old})
			c.Apply(Delta{"o", old, now})
			for range 2 {
				got := ""
				if f := c.Filter(Delta{"o", old, now}); f != nil {
					got = strings.TrimSuffix(strings.TrimPrefix(string(f.AppendXML(nil)), head), "</filter>")
				}
				if got != test.want {
					t.Errorf("got %s want %s", got, test.want)
				}
				c.Apply() // forgets what it found out: the filter compares anew
			}
		})
	}
	if f := NewClaims(nil).FilterAll(); f != nil {
		t.Errorf("for no claims: %s", f.Pretty())
	}
}

func TestBlame(t *testing.T) {
	t.Parallel()
	c := NewClaims(defs(testModel))
	c.Apply(Delta{"ops", nil, config(t, users("alice=A")+`<acl><name>it's</name></acl>`)}, Delta{"devs", nil, config(t, users("alice"))},
		Delta{"net", nil, config(t, `<system><dns>1</dns><hostname>r</hostname></system>`)})
	for path, want := range map[string][]Owned{
		"/system/dns[.='1']": {{"/oc-sys:system/dns[.='1']", "1", []string{"net"}}},
		"/system/dns[.='2']": nil,
		`/acl[name="it's"]`:  {{`/acl[name="it's"]`, "", []string{"ops"}}},
		"/oc-sys:system/users": {
			{"/oc-sys:system/users/user[username='alice']", "", []string{"devs", "ops"}},
			{"/oc-sys:system/users/user[username='alice']/config/ssh-key", "A", []string{"ops"}},
			{"/oc-sys:system/users/user[username='alice']/config/username", "alice", []string{"devs", "ops"}},
		},
		"/system/users/user/config/ssh-key": {{"/oc-sys:system/users/user[username='alice']/config/ssh-key", "A", []string{"ops"}}},
		"/other:system":                     nil,
	} {
		got, err := c.Blame(path)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", path, err, diff)
		}
	}
	if got := c.Owners("/system/users/user[username='alice']/username"); !slices.Equal(got, []string{"devs", "ops"}) {
		t.Errorf("the key is owned by %v", got)
	}
	if all, _ := c.Blame("/"); len(all) != 6 {
		t.Errorf("%+v", all)
	}
	if _, err := c.Blame("system"); err == nil {
		t.Error("a path without a slash is taken")
	}
	if got, want := show(c.Without("ops")), show(config(t, `<system><hostname>r</hostname><users>`+userEntries("alice")+`</users><dns>1</dns></system>`)); got != want {
		t.Errorf("without ops: %s want %s", got, want)
	}
	if got := show(NewClaims(nil).Tree()); got != show(config(t, "")) {
		t.Errorf("nothing is %s", got)
	}
}

func TestIdentitiesAreCompared(t *testing.T) {
	t.Parallel()
	doc := func(prefix, uri string) *Node {
		return parse(t, `<config xmlns:`+prefix+`="`+uri+`"><if xmlns="urn:if"><name>e0</name><type>`+prefix+`:ethernet</type></if></config>`)
	}
	c := NewClaims(nil)
	c.Apply(Delta{"o", nil, doc("ianaift", "urn:iana")})
	if plan := c.Plan(doc("x", "urn:iana"), nil); plan.Edit != nil {
		t.Errorf("only the prefix differs: %s", plan.Edit.Pretty())
	}
	plan := c.Plan(doc("ianaift", "urn:other"), nil)
	want := `<type xmlns:ianaift="urn:iana">ianaift:ethernet</type>`
	if plan.Edit == nil || !strings.Contains(string(plan.Edit.AppendXML(nil)), want) {
		t.Errorf("of another identity: %+v", plan.Edit)
	}
}

func TestAnydataIsReplaced(t *testing.T) {
	t.Parallel()
	s := newSite(t, defs(testModel), `<system><blob><a>1</a><b>2</b></blob></system>`)
	plan := s.want(map[string]string{"ops": `<system><blob><a>1</a></blob></system>`})
	if want := `<blob xmlns="urn:t"><a>1</a></blob>`; len(plan.Changes) != 1 || plan.Changes[0].New != want {
		t.Errorf("%+v", plan.Changes)
	}
	s.expect(`<system><blob><a>1</a></blob></system>`)
	s.want(map[string]string{"ops": ""})
	s.expect(`<system><blob><a>1</a><b>2</b></blob></system>`)
}

// TestEntryThatIsMissing changes a leaf of an entry that somebody removed by hand.
func TestEntryThatIsMissing(t *testing.T) {
	both(t, func(t *testing.T, schema *Def) {
		s := newSite(t, schema, "")
		s.want(map[string]string{"ops": users("alice=A", "eric=E"), "devs": users("alice")})
		s.device = config(t, users("eric=E"))
		if drift := s.claims.Check(s.device); len(drift) != 1 || !drift[0].Missing || !slices.Equal(drift[0].Owners, []string{"devs", "ops"}) {
			t.Errorf("%+v", drift)
		}
		plan := s.want(map[string]string{"ops": users("alice=B", "eric=E")})
		s.expect(users("eric=E", "alice=B"))
		if len(plan.Changes) != 3 || plan.Changes[0].Op != OpCreate { // the entry, and its two leaves besides the key
			t.Errorf("%+v", plan.Changes)
		}
	})
}

// TestManyEntries lets entries of a long list come, go and change.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprintf("u%02d=%d", i, i))
	}
	s := newSite(t, defs(testModel), users("u30=hand"))
	s.want(map[string]string{"ops": users(names...)})
	fewer := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return strings.HasPrefix(n, "u0") || n == "u59=59" })
	fewer[len(fewer)-1] = "u58=changed"
	if plan := s.want(map[string]string{"ops": users(fewer...)}); len(plan.Changes) != 12 {
		t.Errorf("%d changes", len(plan.Changes))
	}
	if got := s.claims.Owners("/system/users/user[username='u58']"); len(got) != 1 {
		t.Errorf("u58 is owned by %v", got)
	}
	s.want(map[string]string{"ops": users("u30=30")})
	s.want(map[string]string{"ops": ""})
	s.expect(users("u30=hand"))
}
