package sources

import (
	"strings"
	"testing"
)

func TestParseLocation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ raw, shown, base, fault string }{
		{raw: "/srv/app.git", shown: "/srv/app.git", base: "app"},
		{raw: "/srv/app/.git", shown: "/srv/app/.git", base: "app"},
		{raw: "app/", shown: "app/", base: "app"},
		{raw: "./a:b", shown: "./a:b", base: "a:b"},
		{raw: "dir/a:b@c", shown: "dir/a:b@c", base: "a:b@c"},
		{raw: "file:///srv/a%20b", shown: "/srv/a b", base: "a b"},
		{raw: "file://localhost/srv/a", shown: "/srv/a", base: "a"},
		{raw: "https://git.example.org/team/app.git", shown: "https://git.example.org/team/app.git", base: "app"},
		{raw: "HTTPS://git.example.org:8443/app/", shown: "https://git.example.org:8443/app/", base: "app"},
		{raw: "https://joe:s3cret@git.example.org/app", shown: "https://git.example.org/app", base: "app"},
		{raw: "https://t0ken@git.example.org/app", shown: "https://git.example.org/app", base: "app"},
		{raw: "http://git.example.org", shown: "http://git.example.org", base: "git.example.org"},
		{raw: "", fault: "is empty"},
		{raw: "-upload-pack=x", fault: "dash"},
		{raw: "/a\x00b", fault: "NUL"},
		{raw: "ssh://git@host:2222/team/app.git", shown: "ssh://git@host:2222/team/app.git", base: "app"},
		{raw: "ssh://t0ken!@host/app%20b", shown: "ssh://host/app%20b", base: "app b"},
		{raw: "git@host:app.git", shown: "git@host:app.git", base: "app"},
		{raw: "git@[::1]:team/app", shown: "git@[::1]:team/app", base: "app"},
		{raw: "T0KEN-t0ken@host:team/app", shown: "host:team/app", base: "app"},
		{raw: "ssh://joe:s3cret@host/app", fault: "cannot hold a password"},
		{raw: "git+ssh://joe:s3cret@host/app", fault: "write ssh://"},
		{raw: "ssh://host/app", fault: "names no user"},
		{raw: "ssh://git@-oProxyCommand=x/app", fault: "names no host"},
		{raw: "git@-oProxyCommand=x:app", fault: "names no host"},
		{raw: "git@host:-x", fault: "names no path"},
		{raw: "git@host:", fault: "names no path"},
		{raw: "ssh://git@host/", fault: "names no path"},
		{raw: "ssh://git@host/a%0ab", fault: "names no path"},
		{raw: "ssh://-x@host/a", fault: "names no user"},
		{raw: "git@[host]:app", fault: "no IPv6 address"},
		{raw: "host:app", fault: "HOST:PATH mean ssh"},
		{raw: "ext::sh -c s3cret", fault: "remote helpers"},
		{raw: "git://host/app", fault: "git:// is not supported"},
		{raw: "t0ken@git.example.org/app", fault: "looks like a URL"},
		{raw: "joe:s3cret@git.example.org/app", fault: "HOST:PATH"},
		{raw: "https://joe:s3%zzcret@host/app", fault: "not a valid URL"},
		{raw: "https://joe:s3cret@host:port/app", fault: "not a valid URL"},
		{raw: "https://joe:s3cret@/app", fault: "names no host"},
		{raw: "https://host/app?token=s3cret", fault: "holds a ?"},
		{raw: "https://host/app#s3cret", fault: "holds a ?"},
		{raw: "file://host/app", fault: "absolute path on this machine"},
		{raw: "file:///app?x", fault: "holds a ?"},
	} {
		l, err := ParseLocation(c.raw)
		if c.fault != "" {
			if err == nil || !strings.Contains(err.Error(), c.fault) {
				t.Errorf("%q: error %v, want one with %q", c.raw, err, c.fault)
			} else if strings.Contains(err.Error(), "s3") || strings.Contains(err.Error(), "t0ken") {
				t.Errorf("%q: the error tells the secret: %v", c.raw, err)
			}
			continue
		}
		if err != nil || l.String() != c.shown || l.Base() != c.base {
			t.Errorf("%q: shown as %q, named %q, %v; want %q, %q", c.raw, l, l.Base(), err, c.shown, c.base)
		}
	}
}

func TestScrubTakesEverySpellingOfASecret(t *testing.T) {
	t.Parallel()
	l, err := ParseLocation("https://joe-the-user:p%40ss%20w%2Frd@host/app")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"bad p@ss w/rd", "https://joe-the-user:p%40ss%20w%2Frd@host", "q=p%40ss+w%2Frd", "joe-the-user"} {
		if got := l.scrub(text); strings.Contains(got, "ss") || strings.Contains(got, "joe") {
			t.Errorf("scrub(%q) = %q", text, got)
		}
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, s := range []string{"/a", "./b", "https://u:p@h/x", "file:///x", "git@h:x", "ext::x", "http://[::1]:80/x", "https://%41:%42@h/%2e", "-x", "a@b/c", "ssh://git@h:2/x", "git@[::1]:x", "h:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		// A secret put before the host is nowhere to be seen, whatever follows it.
		const secret = "Xq7SecretqX"
		for _, raw := range []string{raw, "https://joe:" + secret + "@" + raw, "https://" + secret + "@" + raw, secret + "@" + raw} {
			l, err := ParseLocation(raw)
			shown := l.String() + l.Base()
			if err != nil {
				shown = err.Error()
				if l.String() != "" {
					t.Errorf("%q is refused (%v) but gives %q", raw, err, l)
				}
			}
			if strings.Contains(shown, secret) && !strings.Contains(strings.TrimPrefix(raw, secret+"@"), "/"+secret) && strings.Count(raw, secret) == 1 {
				t.Errorf("%q shows its secret: %q", raw, shown)
			}
			if p, local := l.Local(); err == nil && local && (p == "" || strings.HasPrefix(p, "-")) {
				t.Errorf("%q gives the path %q", raw, p)
			}
			if err == nil && l.Base() == "" {
				t.Errorf("%q has no name", raw)
			}
		}
	})
}
