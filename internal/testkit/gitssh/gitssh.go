// Package gitssh knows how to serve Git repositories over SSH for tests, by
// OpenSSH's own server and git-upload-pack, on a loopback port and with keys of
// its own. It never knows who asks.
package gitssh

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

const sshd = "/usr/sbin/sshd"

// Server lets one user in, with one key.
type Server struct {
	Addr       string // host:port
	User       string
	KeyFile    string // of the key that is let in
	KnownHosts string // a file with the server's own key
	t          testing.TB
	dir        string
}

// install tries once in each process.
var install = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=120", "install", "--no-install-recommends", "openssh-server")
	// Runlevel 1 keeps the package from starting its service.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	return cmd.Run()
})

// New serves until the test ends. Config is what stands in the server's
// configuration besides, such as "AcceptEnv GIT_PROTOCOL". Where there is no
// OpenSSH or no git, the test is marked as not run.
func New(t testing.TB, config string) *Server {
	t.Helper()
	if _, err := exec.LookPath("git-upload-pack"); err != nil {
		notrun.Because(t, "there is no git binary to serve a repository with")
	}
	if _, err := os.Stat(sshd); err != nil && (os.Geteuid() != 0 || install() != nil) {
		notrun.Because(t, "there is no "+sshd+"; install it with apt-get install openssh-server")
	}
	me, err := user.Current()
	s := &Server{User: me.Username, t: t, dir: t.TempDir()}
	s.check(err)
	if os.Geteuid() == 0 {
		s.check(os.MkdirAll("/run/sshd", 0o755)) // sshd's own demand
	}
	host := s.NewKey("hostkey", "")
	s.write("authorized_keys", ssh.MarshalAuthorizedKey(s.NewKey("id", "")))
	s.KeyFile, s.KnownHosts = s.Path("id"), s.Path("known_hosts")
	// SetEnv: a login shell that reads startup files, or a repository of another
	// user, is no business of the test.
	config = fmt.Sprintf(`HostKey %[1]s/hostkey
PidFile none
AuthorizedKeysFile %[1]s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
SetEnv HOME=%[1]s SHLVL=1 GIT_CONFIG_NOSYSTEM=1 GIT_TRACE_PACKET=%[1]s/packets
%[2]s
`, s.dir, config)
	s.write("sshd_config", []byte(config))
	s.write(".gitconfig", []byte("[safe]\n\tdirectory = *\n"))
	for range 5 { // another process may take the port that was free
		if s.start() {
			s.write("known_hosts", []byte(knownhosts.Line([]string{s.Addr}, host)+"\n"))
			return s
		}
	}
	log, _ := os.ReadFile(s.Path("log"))
	t.Fatalf("sshd does not listen:\n%s", log)
	return nil
}

// start starts sshd on a free port and waits until it listens.
func (s *Server) start() bool {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err)
	s.Addr = l.Addr().String()
	s.check(l.Close())
	cmd := exec.Command(sshd, "-D", "-e", "-f", s.Path("sshd_config"), "-o", "ListenAddress="+s.Addr)
	log, err := os.Create(s.Path("log"))
	s.check(err)
	defer log.Close()
	cmd.Stderr = log
	s.check(cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait()
	}()
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			c.Close()
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	return false
}

// Packets gives what has been said to and by Git since the last call, as
// GIT_TRACE_PACKET has it.
func (s *Server) Packets() string {
	s.t.Helper()
	text, err := os.ReadFile(s.Path("packets"))
	s.check(err)
	s.write("packets", nil)
	return string(text)
}

// URL gives the ssh:// address of a path on the server.
func (s *Server) URL(path string) string { return "ssh://" + s.User + "@" + s.Addr + path }

// NewKey writes a private key into a file of that name, beside KeyFile. An empty
// passphrase is none.
func (s *Server) NewKey(name, passphrase string) ssh.PublicKey {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	s.check(err)
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	s.check(err)
	s.write(name, pem.EncodeToMemory(block))
	key, err := ssh.NewPublicKey(public)
	s.check(err)
	return key
}

// Know makes KnownHosts hold this key for the server, and no other.
func (s *Server) Know(key ssh.PublicKey) {
	s.t.Helper()
	s.write("known_hosts", []byte(knownhosts.Line([]string{s.Addr}, key)+"\n"))
}

// Allow lets whoever has the key in, beside the first.
func (s *Server) Allow(key ssh.PublicKey) {
	s.t.Helper()
	old, err := os.ReadFile(s.Path("authorized_keys"))
	s.check(err)
	s.write("authorized_keys", append(old, ssh.MarshalAuthorizedKey(key)...))
}

func (s *Server) write(name string, data []byte) {
	s.t.Helper()
	s.check(os.WriteFile(s.Path(name), data, 0o600))
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("an SSH server for tests: %v", err)
	}
}

// Path gives the place of a file that NewKey has written.
func (s *Server) Path(name string) string { return filepath.Join(s.dir, name) }
