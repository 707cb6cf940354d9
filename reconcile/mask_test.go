package reconcile

import "testing"

func TestMaskXML(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string][2]string{
		"leaf":           {`<a><password>hunter2</password></a>`, `<a><password>***</password></a>`},
		"prefixed":       {`<x:password xmlns:x="u">a&amp;b</x:password>`, `<x:password xmlns:x="u">***</x:password>`},
		"part of a name": {`<radius-secret-key>s</radius-secret-key>`, `<radius-secret-key>***</radius-secret-key>`},
		"capitals":       {`<adminPassword>s</adminPassword>`, `<adminPassword>***</adminPassword>`},
		"several lines":  {"<psk>a\nb</psk>", "<psk>***</psk>"},
		"a difference":   {"-  <psk>old</psk>\n+  <psk>new</psk>\n", "-  <psk>***</psk>\n+  <psk>***</psk>\n"},
		"container":      {"<secrets>\n  <name>a</name>\n</secrets>", "<secrets>\n  <name>a</name>\n</secrets>"},
		"empty":          {`<password></password><password/>`, `<password></password><password/>`},
		"public":         {`<ssh-key>AAAA</ssh-key><community>65000:1</community>`, `<ssh-key>AAAA</ssh-key><community>65000:1</community>`},
		"operation":      {`<password nc:operation="remove"/>`, `<password nc:operation="remove"/>`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := maskXML(tc[0]); got != tc[1] {
				t.Errorf("maskXML(%q) = %q, want %q", tc[0], got, tc[1])
			}
		})
	}
}

func TestMaskValue(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/s:system/user[name='password']/role":   "v",
		"/s:system/user[name='a']/password":      masked,
		"/s:system/keys/key-string[.='x']":       masked,
		"/s:system/authentication/users/ssh-key": "v",
	} {
		if got := maskValue(path, "v"); got != want {
			t.Errorf("maskValue(%q) = %q, want %q", path, got, want)
		}
	}
}
