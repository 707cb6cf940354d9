package sources_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/internal/testkit/gitssh"
	"github.com/abide-agent/abide/sources"
)

// sshServed makes a bare repository with one commit, and an SSH server for it.
func sshServed(t testing.TB, config string) (*gitrepo.Repo, *gitssh.Server) {
	t.Helper()
	s := gitssh.New(t, config)
	r := gitrepo.NewAt(t, filepath.Join(t.TempDir(), "it's an app!.git"))
	r.Put("a", "1")
	r.Commit("one")
	return r, s
}

func keyAuth(s *gitssh.Server) sources.GitAuth {
	return sources.GitAuth{SSHKeyFile: s.KeyFile, KnownHostsFile: s.KnownHosts}
}

func TestSSHFollowsRewrittenHistory(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"v2": "AcceptEnv GIT_PROTOCOL", "v1": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := sshServed(t, config)
			dir := filepath.Join(t.TempDir(), "clone")
			g := newGit(t, sources.GitOptions{URL: server.URL(strings.ReplaceAll(r.Dir, " ", "%20")), Auth: keyAuth(server), Dir: dir})
			one := snap(t, g)
			r.Put("a", "2")
			two := r.Commit("two")
			for range 2 {
				if got := snap(t, g); got.Revision != two || readFile(t, got, "a") != "2" {
					t.Errorf("after a push: %+v", got)
				}
			}
			r.SetRef("refs/heads/main", one.Revision)
			if got := snap(t, g); got.Revision != one.Revision {
				t.Errorf("after a forced step back: %+v", got)
			}
			r.Put("a", "3")
			three := r.Commit("another second")
			if got := snap(t, g); got.Revision != three || readFile(t, got, "a") != "3" {
				t.Errorf("after a rewritten history: %+v", got)
			}
			packs, err := filepath.Glob(filepath.Join(dir, "objects/pack/*.pack"))
			check(t, err)
			for _, p := range packs { // the server misjudges what is here: everything is asked for again
				check(t, os.Remove(p))
			}
			if got := snap(t, g); got.Revision != three || readFile(t, got, "a") != "3" {
				t.Errorf("after the packs are gone: %+v", got)
			}
		})
	}
}

func TestSSHSelectsARef(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "AcceptEnv GIT_PROTOCOL")
	one := r.Tip("main")
	r.Tag("v1", one, 1)
	r.On("side")
	r.Put("a", "2")
	two := r.Commit("two")
	for _, c := range []struct {
		ref  sources.Ref
		want string
	}{
		{sources.Ref{}, one},
		{sources.Ref{Branch: "side"}, two},
		{sources.Ref{Tag: "v1"}, one},
		{sources.Ref{Commit: two}, two},
		{sources.Ref{Commit: two[:8]}, two},
	} {
		g := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Ref: c.ref, Auth: keyAuth(server)})
		for range 2 {
			if got := snap(t, g); got.Revision != c.want {
				t.Errorf("%v is %s, want %s", c.ref, got.Revision, c.want)
			}
		}
	}
	_, err := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Ref: sources.Ref{Branch: "nope"}, Auth: keyAuth(server)}).Snapshot(t.Context())
	wantErr(t, err, `no branch "nope"; it has: main, side`)
}

// TestSSHPollAsksForOneRef sees what goes over the wire where the server lets
// its users choose the protocol, and where it does not.
func TestSSHPollAsksForOneRef(t *testing.T) {
	t.Parallel()
	for config, listed := range map[string]bool{"AcceptEnv GIT_PROTOCOL": false, "": true} {
		r, server := sshServed(t, config)
		manyRefs(t, r, 2000)
		g := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Ref: sources.Ref{Branch: "main"}, Auth: keyAuth(server)})
		one := snap(t, g)
		server.Packets()
		if got := snap(t, g); got.Revision != one.Revision {
			t.Errorf("a poll without news is at %s", got.Revision)
		}
		said := server.Packets()
		if got := strings.Contains(said, "refs/heads/b001999"); got != listed {
			t.Errorf("%q: all refs are listed: %v, want %v", config, got, listed)
		}
		if n := strings.Count(said, one.Revision); n != 1 && !listed {
			t.Errorf("%q: %d refs are listed, want one:\n%s", config, n, said)
		}
	}
}

// TestSSHAddresses reads the forms that people write, also seen from the home.
func TestSSHAddresses(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "")
	home := filepath.Dir(server.KeyFile)
	near := gitrepo.NewAt(t, filepath.Join(home, "near.git"))
	near.Put("a", "near")
	near.Commit("one")
	host, port, _ := net.SplitHostPort(server.Addr)
	if got := readFile(t, snap(t, newGit(t, sources.GitOptions{URL: server.URL("/~/near.git"), Auth: keyAuth(server)})), "a"); got != "near" {
		t.Errorf("from the home: %q", got)
	}
	for raw, part := range map[string]string{
		server.User + "@" + host + ":" + r.Dir:    "127.0.0.1:22", // no port can be given so
		server.User + "@" + host + ":" + port:     "127.0.0.1:22",
		"ssh://" + server.User + "@[::1]:1/x.git": "[::1]:1",
	} {
		_, err := newGit(t, sources.GitOptions{URL: raw, Auth: keyAuth(server)}).Snapshot(t.Context())
		if err == nil {
			t.Errorf("%s: there is a server", raw)
		} else if !strings.Contains(err.Error(), part) && !strings.Contains(err.Error(), "host key") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestSSHKeyBehindAPassphrase(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "")
	server.Allow(server.NewKey("locked", "open s3same"))
	auth := keyAuth(server)
	auth.SSHKeyFile = server.Path("locked")
	_, err := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: auth}).Snapshot(t.Context())
	wantErr(t, err, "protected by a passphrase", "ssh_passphrase_file")
	auth.SSHPassphraseFile = filepath.Join(t.TempDir(), "pass")
	check(t, os.WriteFile(auth.SSHPassphraseFile, []byte("wr0ng\n"), 0o600))
	g := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: auth})
	_, err = g.Snapshot(t.Context())
	wantErr(t, err, "does not open the private key")
	if strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("the error tells the secret: %v", err)
	}
	check(t, os.WriteFile(auth.SSHPassphraseFile, []byte("open s3same\n"), 0o600))
	if got := readFile(t, snap(t, g), "a"); got != "1" {
		t.Errorf("with the passphrase: %q", got)
	}
}

// agentWith serves an SSH agent with the keys of these files.
func agentWith(t *testing.T, files ...string) string {
	t.Helper()
	keys := agent.NewKeyring()
	for _, name := range files {
		text, err := os.ReadFile(name)
		check(t, err)
		key, err := ssh.ParseRawPrivateKey(text)
		check(t, err)
		check(t, keys.Add(agent.AddedKey{PrivateKey: key}))
	}
	dir, err := os.MkdirTemp("", "agent") // a socket's path is short
	check(t, err)
	socket := filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	check(t, err)
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done; os.RemoveAll(dir) })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(keys, c)
			c.Close()
		}
	}()
	return socket
}

func TestSSHAgent(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "")
	server.NewKey("other", "")
	for name, c := range map[string]struct {
		socket string
		want   string
	}{
		"the key":     {agentWith(t, server.Path("other"), server.KeyFile), ""},
		"another key": {agentWith(t, server.Path("other")), "a key of the SSH agent"},
		"no keys":     {agentWith(t), "has no keys; give it one with ssh-add"},
		"no agent":    {"/does/not/exist", "the SSH agent cannot be reached"},
	} {
		auth := sources.GitAuth{SSHAgentSocket: c.socket, KnownHostsFile: server.KnownHosts}
		s, err := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: auth}).Snapshot(t.Context())
		if c.want != "" {
			wantErr(t, err, c.want)
		} else if err != nil || readFile(t, s, "a") != "1" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSSHAgentThatIsSilent is not waited for without end.
func TestSSHAgentThatIsSilent(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "")
	dir, err := os.MkdirTemp("", "agent")
	check(t, err)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	check(t, err)
	defer l.Close()
	auth := sources.GitAuth{SSHAgentSocket: l.Addr().String(), KnownHostsFile: server.KnownHosts}
	_, err = newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: auth, Timeout: 50 * time.Millisecond}).Snapshot(t.Context())
	wantErr(t, err, "the SSH agent gives no keys", "ssh_key_file")
}

// TestSSHRefusals takes a source that works, makes the login fail in each way
// that it can, and expects words, the last commit to be there, and a mended
// login to do.
func TestSSHRefusals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(t *testing.T, s *gitssh.Server)
		want []string
	}{
		"another host key": {
			func(_ *testing.T, s *gitssh.Server) { s.Know(s.NewKey("wrong", "")) },
			[]string{"line 1 of", "has another", "somebody stands in between"},
		},
		"no host key": {
			func(t *testing.T, s *gitssh.Server) { check(t, os.WriteFile(s.KnownHosts, nil, 0o600)) },
			[]string{"is not known", "ssh-ed25519 SHA256:", "ssh-keyscan -p"},
		},
		"no known_hosts": {
			func(t *testing.T, s *gitssh.Server) { check(t, os.Remove(s.KnownHosts)) },
			[]string{"is not known", "ssh-keyscan -p"},
		},
		"revoked host key": {func(t *testing.T, s *gitssh.Server) {
			text, err := os.ReadFile(s.KnownHosts)
			check(t, err)
			check(t, os.WriteFile(s.KnownHosts, append([]byte("@revoked * "), bytes.SplitN(text, []byte(" "), 2)[1]...), 0o600))
		}, []string{"is revoked"}},
		"garbage in known_hosts": {func(t *testing.T, s *gitssh.Server) {
			check(t, os.WriteFile(s.KnownHosts, []byte("x y z\n"), 0o600))
		}, []string{"known host keys cannot be read"}},
		"another key": {
			func(_ *testing.T, s *gitssh.Server) { s.NewKey("id", "") },
			[]string{"refuses access", "that the server knows the key"},
		},
		"no key file": {
			func(t *testing.T, s *gitssh.Server) { check(t, os.Remove(s.KeyFile)) },
			[]string{"the private key", "no such file", "check that it is there"},
		},
		"garbage as key": {
			func(t *testing.T, s *gitssh.Server) { check(t, os.WriteFile(s.KeyFile, []byte("s3cret"), 0o600)) },
			[]string{"is no private key", "ssh-keygen"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, server := sshServed(t, "")
			g := newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: keyAuth(server)})
			one := snap(t, g)
			key, err := os.ReadFile(server.KeyFile)
			check(t, err)
			known, err := os.ReadFile(server.KnownHosts)
			check(t, err)

			c.harm(t, server)
			_, err = g.Snapshot(t.Context())
			t.Log(err)
			wantErr(t, err, c.want...)
			if s, err := g.At(t.Context(), one.Revision); err != nil || readFile(t, s, "a") != "1" {
				t.Errorf("the last commit is gone: %v", err)
			}
			check(t, os.WriteFile(server.KeyFile, key, 0o600))
			check(t, os.WriteFile(server.KnownHosts, known, 0o600))
			snap(t, g)
		})
	}
}

func TestSSHSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	r, server := sshServed(t, "")
	empty := gitrepo.NewAt(t, filepath.Join(t.TempDir(), "empty.git"))
	for path, part := range map[string]string{"/does/not/exist.git": "no such repository", empty.Dir: "no commit yet"} {
		_, err := newGit(t, sources.GitOptions{URL: server.URL(path), Auth: keyAuth(server)}).Snapshot(t.Context())
		wantErr(t, err, part)
		if part == "no commit yet" && !errors.Is(err, sources.ErrEmpty) {
			t.Errorf("%v is not ErrEmpty", err)
		}
	}
	stranger := strings.Replace(server.URL(r.Dir), server.User+"@", "nobody-here@", 1)
	_, err := newGit(t, sources.GitOptions{URL: stranger, Auth: keyAuth(server)}).Snapshot(t.Context())
	wantErr(t, err, "refuses access", "check the user in its address")
	_, err = newGit(t, sources.GitOptions{URL: "ssh://git@127.0.0.1:1/x", Auth: keyAuth(server)}).Snapshot(t.Context())
	wantErr(t, err, "connection refused", "check the URL and the network")
	_, err = newGit(t, sources.GitOptions{URL: server.URL(r.Dir), Auth: keyAuth(server), MaxBytes: 10}).Snapshot(t.Context())
	wantErr(t, err, "larger than the 0 MiB")
}

// TestSSHSilence has a server that takes the connection and says nothing, and
// one that is closed in the middle.
func TestSSHSilence(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	_, server := sshServed(t, "")
	opt := sources.GitOptions{URL: "ssh://git@" + l.Addr().String() + "/x.git", Auth: keyAuth(server), Timeout: 50 * time.Millisecond}
	_, err = newGit(t, opt).Snapshot(t.Context())
	wantErr(t, err, "sent nothing for 50ms")

	opt.Timeout = 0
	g := newGit(t, opt)
	failed := make(chan error, 1)
	go func() {
		_, err := g.Snapshot(context.Background())
		failed <- err
	}()
	for range 2 { // the first is that of above
		c, err := l.Accept()
		check(t, err)
		defer c.Close()
	}
	check(t, g.Close())
	wantErr(t, <-failed, "broken off")
}
