package sources_test

import (
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitserver"
	"github.com/abide-agent/abide/sources"
)

// secured is a repository behind a server that speaks TLS.
type secured struct {
	*gitserver.Server
	repo   *gitrepo.Repo
	ca     *gitserver.Authority
	client gitserver.Certificate
	config *tls.Config
	dir    string // for files of secrets
}

func tomorrow() time.Time { return time.Now().Add(time.Hour) }

func newSecured(t testing.TB) *secured {
	t.Helper()
	root := t.TempDir()
	s := &secured{ca: gitserver.NewAuthority(t, "Authority for tests"), dir: t.TempDir()}
	s.config = &tls.Config{Certificates: []tls.Certificate{s.ca.Issue("127.0.0.1", tomorrow()).TLS}, ClientCAs: s.ca.Pool}
	s.client = s.ca.Issue("agent", tomorrow())
	s.Server = gitserver.NewTLS(t, root, s.config)
	s.repo = gitrepo.NewAt(t, filepath.Join(root, "app.git"))
	s.repo.Put("a", "1")
	s.repo.Commit("one")
	return s
}

// with makes the server speak TLS a little otherwise.
func (s *secured) with(change func(*tls.Config)) {
	s.config = s.config.Clone()
	change(s.config)
	s.SetTLS(s.config)
}

// keep writes a secret into a file.
func (s *secured) keep(t testing.TB, name, secret string) string {
	t.Helper()
	file := filepath.Join(s.dir, name)
	check(t, os.WriteFile(file, []byte(secret), 0o600))
	return file
}

// TestHTTPSRefusals takes sources that work by each way of logging in, makes each
// fail in each way that it can, and expects words, the last commit to be there,
// and all to be well once that is mended, without a restart.
func TestHTTPSRefusals(t *testing.T) {
	t.Parallel()
	token := func(t *testing.T, s *secured) sources.GitAuth {
		s.RequireToken("t0ken-s3cret")
		return sources.GitAuth{CAFile: s.ca.File, TokenFile: s.keep(t, "token", "t0ken-s3cret\n")}
	}
	basic := func(t *testing.T, s *secured) sources.GitAuth {
		s.RequireAuth("joe-the-user", "pa55-s3cret")
		return sources.GitAuth{CAFile: s.ca.File, Username: "joe-the-user", PasswordFile: s.keep(t, "password", "pa55-s3cret")}
	}
	certificate := func(_ *testing.T, s *secured) sources.GitAuth {
		s.with(func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
		return sources.GitAuth{CAFile: s.ca.File, CertFile: s.client.File, KeyFile: s.client.KeyFile}
	}
	replace := func(t *testing.T, file string, by []byte) func() {
		old, err := os.ReadFile(file)
		check(t, err)
		check(t, os.WriteFile(file, by, 0o600))
		return func() { check(t, os.WriteFile(file, old, 0o600)) }
	}
	read := func(t *testing.T, file string) []byte {
		text, err := os.ReadFile(file)
		check(t, err)
		return text
	}
	serverCert := func(s *secured, c gitserver.Certificate) func() {
		old := s.config
		s.with(func(config *tls.Config) { config.Certificates = []tls.Certificate{c.TLS} })
		return func() { s.config = old; s.SetTLS(old) }
	}
	for name, c := range map[string]struct {
		auth func(*testing.T, *secured) sources.GitAuth
		harm func(*testing.T, *secured) (mend func())
		want []string
	}{
		"token/changed at the server": {token, func(_ *testing.T, s *secured) func() {
			s.RequireToken("another-s3cret")
			return func() { s.RequireToken("t0ken-s3cret") }
		}, []string{"refuses access", "renew the token in", "/token"}},
		"token/changed here": {token, func(t *testing.T, s *secured) func() {
			return replace(t, filepath.Join(s.dir, "token"), []byte("old-s3cret"))
		}, []string{"refuses access", "renew the token in"}},
		"token/file gone": {token, func(t *testing.T, s *secured) func() {
			check(t, os.Remove(filepath.Join(s.dir, "token")))
			return func() { s.keep(t, "token", "t0ken-s3cret") }
		}, []string{"the token in", "no such file", "check that it is there"}},
		"token/two lines": {token, func(t *testing.T, s *secured) func() {
			return replace(t, filepath.Join(s.dir, "token"), []byte("t0ken-s3cret\r\nX-Header: s3cret"))
		}, []string{"not one line of plain text"}},
		"basic/wrong password": {basic, func(t *testing.T, s *secured) func() {
			return replace(t, filepath.Join(s.dir, "password"), []byte("wr0ng-s3cret"))
		}, []string{"refuses access", "renew the password in"}},
		"server certificate/expired": {token, func(_ *testing.T, s *secured) func() {
			return serverCert(s, s.ca.Issue("127.0.0.1", time.Now().Add(-time.Minute)))
		}, []string{"is valid from", "which is not now", "renew it on the server"}},
		"server certificate/of another host": {token, func(_ *testing.T, s *secured) func() {
			return serverCert(s, s.ca.Issue("git.example.org", tomorrow()))
		}, []string{"is for another host", "127.0.0.1"}},
		"server certificate/of another authority": {token, func(t *testing.T, s *secured) func() {
			return serverCert(s, gitserver.NewAuthority(t, "Mallory").Issue("127.0.0.1", tomorrow()))
		}, []string{"issued by CN=Mallory", "signed by nobody in", "ca.pem"}},
		"authority/another": {token, func(t *testing.T, s *secured) func() {
			return replace(t, s.ca.File, read(t, gitserver.NewAuthority(t, "Other").File))
		}, []string{"signed by nobody in"}},
		"authority/garbage": {token, func(t *testing.T, s *secured) func() {
			return replace(t, s.ca.File, []byte("garbage"))
		}, []string{"holds no certificate in PEM"}},
		"client certificate/expired": {certificate, func(t *testing.T, s *secured) func() {
			old := s.ca.Issue("old", time.Now().Add(-time.Minute))
			one, two := replace(t, s.client.File, read(t, old.File)), replace(t, s.client.KeyFile, read(t, old.KeyFile))
			return func() { one(); two() }
		}, []string{"the client certificate", "has expired on", "renew it"}},
		"client certificate/of another authority": {certificate, func(t *testing.T, s *secured) func() {
			other := gitserver.NewAuthority(t, "Mallory").Issue("agent", tomorrow())
			one, two := replace(t, s.client.File, read(t, other.File)), replace(t, s.client.KeyFile, read(t, other.KeyFile))
			return func() { one(); two() }
		}, []string{"refuses the client certificate", "agent.pem", "its authority"}},
		"client certificate/without its key": {certificate, func(t *testing.T, s *secured) func() {
			return replace(t, s.client.KeyFile, read(t, s.ca.Issue("x", tomorrow()).KeyFile))
		}, []string{"no certificate and key that belong together"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecured(t)
			g := newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Auth: c.auth(t, s)})
			one := snap(t, g)
			mend := c.harm(t, s)
			_, err := g.Snapshot(t.Context())
			t.Log(err)
			wantErr(t, err, c.want...)
			for e := err; e != nil; e = errors.Unwrap(e) {
				if strings.Contains(e.Error(), "s3cret") {
					t.Errorf("the error tells the secret: %v", e)
				}
			}
			if last, err := g.At(t.Context(), one.Revision); err != nil || readFile(t, last, "a") != "1" {
				t.Errorf("the last commit is gone: %v", err)
			}
			mend()
			s.repo.Put("a", "2")
			s.repo.Commit("two")
			if got := readFile(t, snap(t, g), "a"); got != "2" {
				t.Errorf("afterwards: %q", got)
			}
		})
	}
}

func TestHTTPSWithoutWhatItTakes(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	_, err := newGit(t, sources.GitOptions{URL: s.URL + "/app.git"}).Snapshot(t.Context())
	wantErr(t, err, "signed by nobody whom this machine trusts", "ca_file")
	s.RequireToken("x")
	_, err = newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Auth: sources.GitAuth{CAFile: s.ca.File}}).Snapshot(t.Context())
	wantErr(t, err, "refuses access", "name a file that holds a token with token_file")
	s.with(func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert })
	_, err = newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Auth: sources.GitAuth{CAFile: s.ca.File}}).Snapshot(t.Context())
	wantErr(t, err, "wants a client certificate", "cert_file and key_file")
	_, plain := served(t)
	_, err = newGit(t, sources.GitOptions{URL: strings.Replace(plain.URL, "http:", "https:", 1) + "/app.git"}).Snapshot(t.Context())
	wantErr(t, err, "does not speak TLS on that port")
	_, err = newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Auth: sources.GitAuth{TokenEnv: "ABIDE_TEST_NOT_SET"}}).Snapshot(t.Context())
	wantErr(t, err, "the variable ABIDE_TEST_NOT_SET, which is not set")
}

// TestTokenFromTheEnvironment is for a server that wants it as a password.
func TestTokenFromTheEnvironment(t *testing.T) {
	t.Setenv("ABIDE_TEST_TOKEN", "t0ken-s3cret")
	s := newSecured(t)
	s.RequireAuth("x-access-token", "t0ken-s3cret")
	dir := filepath.Join(t.TempDir(), "clone")
	g := newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Dir: dir, Auth: sources.GitAuth{
		CAFile: s.ca.File, Username: "x-access-token", TokenEnv: "ABIDE_TEST_TOKEN",
	}})
	if got := readFile(t, snap(t, g), "a"); got != "1" {
		t.Errorf("with the token: %q", got)
	}
	t.Setenv("ABIDE_TEST_TOKEN", "wr0ng-s3cret")
	_, err := g.Snapshot(t.Context())
	wantErr(t, err, "renew the token in the variable ABIDE_TEST_TOKEN")
	check(t, filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(name)
		if strings.Contains(string(text), "s3cret") {
			t.Errorf("the secret is kept in %s", name)
		}
		return err
	}))
}

func TestHTTPSThroughAProxy(t *testing.T) {
	t.Parallel()
	s := newSecured(t)
	to := strings.TrimPrefix(s.URL, "https://")
	proxy := gitserver.NewProxy(t, to, "joe-the-user", "pr0xy-s3cret")
	at := func(proxy string) *sources.Git {
		return newGit(t, sources.GitOptions{URL: s.URL + "/app.git", Auth: sources.GitAuth{CAFile: s.ca.File, Proxy: proxy}})
	}
	if got := readFile(t, snap(t, at("http://joe-the-user:pr0xy-s3cret@"+proxy.Addr)), "a"); got != "1" || proxy.Tunnels.Load() == 0 {
		t.Errorf("through the proxy: %q, %d tunnels", got, proxy.Tunnels.Load())
	}
	for url, part := range map[string]string{
		"http://joe-the-user:wr0ng-s3cret@" + proxy.Addr:              "wants other credentials; put USER:PASSWORD@",
		"http://127.0.0.1:1":                                          "the proxy cannot be reached",
		"http://" + gitserver.NewProxy(t, "127.0.0.1:1", "", "").Addr: "answers 502 Bad Gateway",
	} {
		_, err := at(url).Snapshot(t.Context())
		wantErr(t, err, part)
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

// TestProxyOfTheEnvironment runs in a process of its own: net/http reads the
// environment once, and uses no proxy for this machine's own addresses.
func TestProxyOfTheEnvironment(t *testing.T) {
	const inner = "ABIDE_TEST_PROXY_URL"
	if url := os.Getenv(inner); url != "" {
		g := newGit(t, sources.GitOptions{URL: url, Auth: sources.GitAuth{CAFile: os.Getenv("ABIDE_TEST_CA")}})
		if got := readFile(t, snap(t, g), "a"); got != "1" {
			t.Errorf("through the proxy: %q", got)
		}
		return
	}
	s := newSecured(t)
	s.with(func(c *tls.Config) { c.Certificates = []tls.Certificate{s.ca.Issue("git.example.org", tomorrow()).TLS} })
	proxy := gitserver.NewProxy(t, strings.TrimPrefix(s.URL, "https://"), "", "")
	run := func(more string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxyOfTheEnvironment$", "-test.v")
		cmd.Env = append(os.Environ(), inner+"=https://git.example.org/app.git", "ABIDE_TEST_CA="+s.ca.File,
			"HTTPS_PROXY=http://"+proxy.Addr, more)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("NO_PROXY="); err != nil || proxy.Tunnels.Load() == 0 {
		t.Errorf("with HTTPS_PROXY: %v, %d tunnels\n%s", err, proxy.Tunnels.Load(), out)
	}
	before := proxy.Tunnels.Load()
	if out, err := run("NO_PROXY=.example.org"); err == nil || proxy.Tunnels.Load() != before {
		t.Errorf("with NO_PROXY the proxy is used\n%s", out)
	}
}

func TestAuthThatDoesNotFit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		url  string
		auth sources.GitAuth
		want string
	}{
		{"/srv/app.git", sources.GitAuth{TokenFile: "/t"}, "needs no credentials"},
		{"git@host:app", sources.GitAuth{TokenFile: "/t"}, "logged into with a key alone"},
		{"https://host/app", sources.GitAuth{SSHKeyFile: "/k"}, "of no use with https://"},
		{"http://host/app", sources.GitAuth{CAFile: "/c"}, "of no use with http://"},
		{"https://host/app", sources.GitAuth{TokenFile: "/t", TokenEnv: "T"}, "more than one"},
		{"https://host/app", sources.GitAuth{Username: "joe"}, "one of user and password"},
		{"https://host/app", sources.GitAuth{PasswordFile: "/p"}, "one of user and password"},
		{"https://joe:x@host/app", sources.GitAuth{TokenFile: "/t"}, "keep one of them"},
		{"https://host/app", sources.GitAuth{CertFile: "/c"}, "both cert_file and key_file"},
		{"https://host/app", sources.GitAuth{Proxy: "s3cret"}, "no address of one"},
		{"https://host/app", sources.GitAuth{Proxy: "ftp://joe:s3cret@host"}, "no address of one"},
	} {
		g, err := sources.NewGit(sources.GitOptions{URL: c.url, Auth: c.auth})
		wantErr(t, err, c.want)
		if err == nil {
			t.Errorf("%s is accepted with %+v", c.url, c.auth)
			g.Close()
		} else if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}
