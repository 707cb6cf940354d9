package netconf

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/abide-agent/abide/netconf/tree"
)

// newKey makes a key, and its file.
func newKey(t *testing.T, passphrase string) (file string, private any, signer ssh.Signer) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	file = write(t, "id", string(pem.EncodeToMemory(block)))
	if signer, err = ssh.NewSignerFromKey(key); err != nil {
		t.Fatal(err)
	}
	return file, key, signer
}

func ecdsaSigner(t *testing.T) ssh.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// box is a device as far as SSH goes: it lets in who has the key or the
// password, and answers every request with ok.
type box struct {
	addr     string
	hostKeys []ssh.Signer
	user     ssh.PublicKey
	password string
	asks     bool   // for the password by keyboard-interactive
	noSystem string // what is said instead of starting the subsystem
	deaf     bool   // it answers no keep-alive
	listener net.Listener
}

func (b *box) start(t *testing.T) {
	t.Helper()
	c := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if b.user != nil && string(key.Marshal()) == string(b.user.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		},
	}
	if b.password != "" && !b.asks {
		c.PasswordCallback = func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if string(password) == b.password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	if b.asks {
		c.KeyboardInteractiveCallback = func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			a, err := ask("", "", []string{"Password: "}, []bool{false})
			if err == nil && len(a) == 1 && a[0] == b.password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	for _, k := range b.hostKeys {
		c.AddHostKey(k)
	}
	var err error
	if b.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	b.addr = b.listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); b.listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := b.listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			all.Go(func() { defer stop(); defer conn.Close(); b.serve(ctx, conn, c, &all) })
		}
	})
}

func (b *box) serve(ctx context.Context, conn net.Conn, c *ssh.ServerConfig, all *sync.WaitGroup) {
	server, channels, requests, err := ssh.NewServerConn(conn, c)
	if err != nil {
		return
	}
	defer server.Close()
	all.Go(func() {
		for r := range requests {
			if !b.deaf {
				r.Reply(false, nil)
			}
		}
	})
	for nc := range channels {
		channel, requests, err := nc.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			for r := range requests {
				r.Reply(r.Type == "subsystem" && string(r.Payload[4:]) == "netconf" && b.noSystem != "none", nil)
				if b.noSystem != "" {
					channel.Stderr().Write([]byte(b.noSystem + "\n"))
					channel.Close()
					continue
				}
				all.Go(func() { answerAll(ctx, NewConn(channel, ConnOptions{})) })
			}
		})
	}
}

// answerAll says ok to everything.
func answerAll(ctx context.Context, c *Conn) {
	defer c.Close()
	if _, err := Accept(ctx, c, 1, Base10, Base11); err != nil {
		return
	}
	for {
		q, err := ReadRequest(c, tree.Limits{})
		if err != nil || c.WriteMessage(ctx, q.AppendReply(nil)) != nil || q.Op.Name.Local == "close-session" {
			return
		}
	}
}

// knows writes a known_hosts file with these keys.
func (b *box) knows(t *testing.T, keys ...ssh.Signer) string {
	t.Helper()
	text := "# hosts\n"
	for _, k := range keys {
		text += knownhosts.Line([]string{b.addr}, k.PublicKey()) + "\n"
	}
	return write(t, "known_hosts", text)
}
