package netconf

import (
	"slices"
	"testing"
)

func TestCapabilities(t *testing.T) {
	t.Parallel()
	c := NewCapabilities([]string{
		Base10, Base11,
		"urn:ietf:params:netconf:capability:confirmed-commit:1.1",
		"urn:ietf:params:xml:ns:netconf:capability:candidate:1.0",
		"urn:ietf:params:netconf:capability:with-defaults:1.0?basic-mode=explicit",
		"urn:ietf:params:netconf:capability:yang-library:1.1?revision=2019-01-04&content-id=0",
		"http://x?module=x&revision=2024-01-01&features=a,b&deviations=d",
		"not a URI %zz?%zz;",
	})
	for name, want := range map[string]bool{
		":base": true, ":base:1.1": true, ":base:1.2": false, Base10: true,
		":confirmed-commit": true, ":confirmed-commit:1.1": true, ":confirmed-commit:1.0": false, ":confirmed": false,
		":candidate": true, ":candidate:1.0": true, ":startup": false, "candidate": false, "": false,
		":with-defaults": true, "http://x": true, "http://y": false, ":with-defaults:1.0": true,
	} {
		if got := c.Has(name); got != want {
			t.Errorf("Has(%q) is %v", name, got)
		}
	}
	m := c.Modules()
	if len(m) != 1 || m[0].Name != "x" || m[0].Revision != "2024-01-01" || m[0].Namespace != "http://x" ||
		!slices.Equal(m[0].Features, []string{"a", "b"}) || !slices.Equal(m[0].Deviations, []string{"d"}) {
		t.Errorf("%+v", m)
	}
}

func TestModuleSet(t *testing.T) {
	t.Parallel()
	library := func(id string) string {
		return "urn:ietf:params:netconf:capability:yang-library:1.0?revision=2016-06-21&module-set-id=" + id
	}
	set := func(uris ...string) string { return NewCapabilities(uris).ModuleSet() }
	a, b := "http://a?module=a&revision=1", "http://b?module=b&revision=1"
	same := set(a, b, library("26b843c29d31c2c86117b76daa0bb710d12cd7af"))
	if same != set(library("26b843c29d31c2c86117b76daa0bb710d12cd7af"), b, a, Base11) {
		t.Error("the order, or what is no module, makes a difference")
	}
	for name, other := range map[string]string{
		"one module":       set(a, library("26b843c29d31c2c86117b76daa0bb710d12cd7af")),
		"another library":  set(a, b, library("36b843c29d31c2c86117b76daa0bb710d12cd7af")),
		"another revision": set(a, "http://b?module=b&revision=2", library("26b843c29d31c2c86117b76daa0bb710d12cd7af")),
	} {
		if other == same || other == "" {
			t.Errorf("%s makes no difference: %s", name, other)
		}
	}
	if got := set(library("0")); got != "" {
		t.Errorf("a library that counts from 0 says %s", got)
	}
	if set(library("26b843c29d31c2c86117b76daa0bb710d12cd7af")) == "" {
		t.Error("a digest as the library's id says nothing")
	}
	if SchemaSet(nil) != "" || SchemaSet([]Schema{{Name: "a"}}) == SchemaSet([]Schema{{Name: "b"}}) {
		t.Error("the set of schemas is not theirs")
	}
}
