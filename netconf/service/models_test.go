package service

import (
	"slices"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf/yang"
)

// seedModel is the model of the seed, with types that can be violated.
const seedModel = `module ssh-users {
  namespace "http://clicon.org/ssh-users";
  prefix ssh-users;
  import clixon-controller { prefix ctrl; }
  revision 2023-05-22 { description "Initial prototype"; }
  augment "/ctrl:services" {
    list ssh-users {
      uses ctrl:created-by-service;
      key instance;
      leaf instance { type string; }
      list username {
        key name;
        leaf name { type string { pattern "[a-z]+"; } }
        leaf ssh-key { type string; mandatory true; }
        leaf role { type enumeration { enum admin; enum guest; } default guest; }
        leaf like { type leafref { path "/ctrl:services/ssh-users:ssh-users/ssh-users:instance"; } }
      }
    }
  }
}`

func TestModels(t *testing.T) {
	t.Parallel()
	models, problems := NewModels([]yang.Module{{File: "services/ssh-users.yang", Text: seedModel}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := models.Services(); !slices.Equal(got, []string{"ssh-users"}) {
		t.Errorf("there are models of %v", got)
	}
	good, problems := ParseServices("services/users.xml", []byte(seedServices))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := models.Validate(good); len(got) > 0 {
		t.Errorf("the seed's instances have %v", got)
	}
	bad, _ := ParseServices("services/bad.xml", []byte(`<services xmlns="http://clicon.org/controller">
<ssh-users xmlns="http://clicon.org/ssh-users"><username><name>x</name></username><instance>late</instance></ssh-users>
<ssh-users xmlns="http://clicon.org/ssh-users"><instance>a</instance>
  <username><name>X1</name><ssh-key>k</ssh-key></username>
  <username><name>y</name><ssh-key>k</ssh-key><role>root</role><like>ops</like></username></ssh-users>
<ssh-users xmlns="http://clicon.org/ssh-users"><instance>b</instance>
  <username><name>z</name><colour/></username><username><name>q</name><ssh-key>k</ssh-key><like>nobody</like></username></ssh-users>
<ssh-users xmlns="http://clicon.org/ssh-users"><instance>c</instance></ssh-users>
<free xmlns="u:free"><name>any</name><thing/></free></services>`))
	got := models.Validate(slices.Concat(good, bad))
	for name, want := range map[string][]string{
		"ssh-users[a]": {"services/bad.xml:4:13: ", "services/bad.xml:5:"},
		"ssh-users[b]": {"services/bad.xml:7:", "services/bad.xml:7:", "services/bad.xml:7:"},
	} {
		if len(got[name]) != len(want) {
			t.Errorf("%s has %q, want %d problems", name, got[name].Error(), len(want))
			continue
		}
		for i, p := range got[name] {
			if !strings.HasPrefix(p.String(), want[i]) || p.Field != "ssh-users" || p.Hint == "" {
				t.Errorf("%s: %s, want %s", name, p, want[i])
			}
		}
		delete(got, name)
	}
	for name, list := range got {
		t.Errorf("%s has %q", name, list.Error())
	}
}

func TestKeysAreTheModels(t *testing.T) {
	t.Parallel()
	models, _ := NewModels([]yang.Module{{File: "m.yang", Text: seedModel}})
	in := instance(t, `<ssh-users xmlns="http://clicon.org/ssh-users"><description>d</description><instance>ops</instance></ssh-users>`)
	if in.Name() != "ssh-users[d]" {
		t.Errorf("without its model it is %s", in.Name())
	}
	if got, p := models.Named(in); p != nil || got.Name() != "ssh-users[ops]" || got.KeyLeaf != "instance" {
		t.Errorf("with it it is %s (%v)", got.Name(), p)
	}
	if _, p := models.Named(instance(t, `<ssh-users xmlns="http://clicon.org/ssh-users"><x>d</x></ssh-users>`)); p == nil || !strings.Contains(p.String(), "no <instance>, which is its key") {
		t.Errorf("without a key: %v", p)
	}
	free := instance(t, `<free xmlns="u:free"><name>any</name></free>`)
	if got, p := models.Named(free); p != nil || got.Name() != "free[any]" {
		t.Errorf("without a model it is %s (%v)", got.Name(), p)
	}
	var none *Models
	if none.Of("x", "u") != nil || none.Validate([]Instance{free}) != nil || none.Services() != nil {
		t.Error("no models say something")
	}
	// A template sees the list that the model says, though it has one entry.
	one := instance(t, `<ssh-users xmlns="http://clicon.org/ssh-users"><instance>ops</instance><username><name>a</name></username></ssh-users>`)
	tmpl := mustTemplate(t, `<a xmlns="u:a">{{len .Instance.username}}{{range .Instance.username}}{{.name}}{{end}}</a>`)
	out, err := tmpl.Run(t.Context(), Request{Instance: one, Schema: models.Of(one.Service, one.Namespace), Devices: []Device{{Name: "d"}}})
	if err != nil || xmlOf(out["d"]) != `<config><a xmlns="u:a">1a</a></config>` {
		t.Errorf("it makes %s (%v)", xmlOf(out["d"]), err)
	}
	if _, problems := NewModels([]yang.Module{{File: "broken.yang", Text: "module x {"}}); len(problems) == 0 || problems[0].File != "broken.yang" {
		t.Errorf("a broken model has %v", problems)
	}
}
