package netconf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

func TestDial(t *testing.T) {
	t.Parallel()
	keyFile, private, user := newKey(t, "")
	locked, _, _ := newKey(t, "secret words")
	otherFile, _, other := newKey(t, "")
	_, _, hostKey := newKey(t, "")
	password := write(t, "password", "s3cret pass\n")
	socket := serveAgent(t, private)

	for name, tt := range map[string]struct {
		box    box
		auth   Auth
		change func(t *testing.T, b *box, o *Target)
		err    string // part of it; empty: it works
	}{
		"key file":                   {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, nil, ""},
		"the second of two keys":     {box{user: user.PublicKey()}, Auth{KeyFiles: []string{otherFile, keyFile}}, nil, ""},
		"agent":                      {box{user: user.PublicKey()}, Auth{Agent: true, AgentSocket: socket}, nil, ""},
		"password":                   {box{password: "s3cret pass"}, Auth{PasswordFile: password}, nil, ""},
		"password that is asked":     {box{password: "s3cret pass", asks: true}, Auth{PasswordFile: password}, nil, ""},
		"password after the key":     {box{password: "s3cret pass"}, Auth{KeyFiles: []string{keyFile}, PasswordFile: password}, nil, ""},
		"another key":                {box{user: other.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, nil, "does not let the user in by the key " + keyFile},
		"another password":           {box{password: "x"}, Auth{PasswordFile: password}, nil, "by the password in " + password},
		"another password, asked":    {box{password: "x", asks: true}, Auth{PasswordFile: password}, nil, "by the password in " + password},
		"key with a passphrase":      {box{user: user.PublicKey()}, Auth{KeyFiles: []string{locked}}, nil, locked + " is protected by a passphrase"},
		"no key":                     {box{}, Auth{KeyFiles: []string{password}}, nil, password + " is no private key"},
		"no such key":                {box{}, Auth{KeyFiles: []string{"/nowhere/id"}}, nil, "/nowhere/id: no such file"},
		"empty password file":        {box{}, Auth{PasswordFile: write(t, "empty", "\n")}, nil, "must have one line"},
		"password file of two lines": {box{}, Auth{PasswordFile: write(t, "two", "a\nb\n")}, nil, "must have one line"},
		"endless password file":      {box{}, Auth{PasswordFile: "/dev/zero"}, nil, "more than 65536 bytes"},
		"no agent":                   {box{}, Auth{Agent: true, AgentSocket: "/nowhere/agent"}, nil, "the SSH agent cannot be reached"},
		"agent without keys":         {box{}, Auth{Agent: true, AgentSocket: serveAgent(t)}, nil, "ssh-add"},
		"nothing to log in with":     {box{}, Auth{}, nil, "nothing to log in with"},
		"unknown host key": {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, o *Target) {
			o.KnownHosts = b.knows(t)
		}, "ssh-keyscan -p "},
		"changed host key": {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, o *Target) {
			o.KnownHosts = b.knows(t, other)
		}, "but line 2 of"},
		"revoked host key": {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, o *Target) {
			o.KnownHosts = write(t, "known_hosts", "@revoked * "+string(ssh.MarshalAuthorizedKey(hostKey.PublicKey())))
		}, "is revoked"},
		"host key taken unseen": {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, o *Target) {
			o.KnownHosts, o.InsecureHostKey = "/nowhere", true
		}, ""},
		"no known_hosts": {box{user: user.PublicKey()}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, o *Target) {
			o.KnownHosts = "/nowhere/hosts"
		}, "/nowhere/hosts"},
		"no subsystem":          {box{user: user.PublicKey(), noSystem: "none"}, Auth{KeyFiles: []string{keyFile}}, nil, "has no subsystem netconf"},
		"a subsystem that dies": {box{user: user.PublicKey(), noSystem: "out of\nmemory"}, Auth{KeyFiles: []string{keyFile}}, nil, `says "out of memory"`},
		"nobody there": {box{}, Auth{KeyFiles: []string{keyFile}}, func(t *testing.T, b *box, _ *Target) {
			b.listener.Close()
		}, "cannot be reached"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := tt.box
			b.hostKeys = []ssh.Signer{hostKey}
			b.start(t)
			target := Target{Addr: b.addr, User: "noc", Auth: tt.auth, KnownHosts: b.knows(t, hostKey)}
			if tt.change != nil {
				tt.change(t, &b, &target)
			}
			s, err := Dial(t.Context(), target)
			if err == nil {
				if err := s.Discard(t.Context()); err != nil {
					t.Error(err)
				}
				if err := s.Close(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("the error is %v, want %q", err, tt.err)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), b.addr)) {
				t.Errorf("the error tells a secret, or not where: %v", err)
			}
		})
	}
}

// serveAgent is an SSH agent that holds keys.
func serveAgent(t *testing.T, keys ...any) (socket string) {
	t.Helper()
	ring := agent.NewKeyring()
	for _, k := range keys {
		if err := ring.Add(agent.AddedKey{PrivateKey: k}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	socket = filepath.Join(dir, "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() { l.Close(); all.Wait(); os.RemoveAll(dir) })
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { defer c.Close(); agent.ServeAgent(ring, c) })
		}
	})
	return socket
}

// TestHostKeyOfAnotherType asks a device with two keys for the one that is known.
func TestHostKeyOfAnotherType(t *testing.T) {
	t.Parallel()
	keyFile, _, user := newKey(t, "")
	_, _, one := newKey(t, "")
	two := ecdsaSigner(t)
	b := box{user: user.PublicKey(), hostKeys: []ssh.Signer{one, two}}
	b.start(t)
	for _, known := range []ssh.Signer{one, two} {
		for _, authority := range []string{"", "@cert-authority * " + string(ssh.MarshalAuthorizedKey(one.PublicKey()))} {
			file := b.knows(t, known)
			f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, authority)
			f.Close()
			s, err := Dial(t.Context(), Target{Addr: b.addr, User: "noc", Auth: Auth{KeyFiles: []string{keyFile}}, KnownHosts: file})
			if err != nil {
				t.Errorf("%s with %q: %v", known.PublicKey().Type(), authority, err)
				continue
			}
			s.Close(t.Context())
		}
	}
	_, err := Dial(t.Context(), Target{Addr: b.addr, User: "noc", Auth: Auth{KeyFiles: []string{keyFile}}, KnownHosts: b.knows(t)})
	if e, ok := errors.AsType[*HostKeyError](err); !ok || e.Line != 0 || e.Revoked || !strings.Contains(e.Fingerprint, "SHA256:") {
		t.Errorf("%+v", err)
	}
}

// TestKeepAlive gives up on a device that is deaf, and not on one that is idle.
func TestKeepAlive(t *testing.T) {
	t.Parallel()
	keyFile, _, user := newKey(t, "")
	_, _, hostKey := newKey(t, "")
	for deaf, every := range map[bool]time.Duration{false: 500 * time.Millisecond, true: 20 * time.Millisecond} {
		b := box{user: user.PublicKey(), hostKeys: []ssh.Signer{hostKey}, deaf: deaf}
		b.start(t)
		s, err := Dial(t.Context(), Target{
			Addr: b.addr, User: "noc", Auth: Auth{KeyFiles: []string{keyFile}}, KnownHosts: b.knows(t, hostKey),
			KeepAlive: every,
		})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-s.Done():
			if !deaf {
				t.Errorf("the session with an idle device ended: %v", s.Err())
			} else if !strings.Contains(s.Err().Error(), "has not answered for") {
				t.Errorf("the session with a deaf device ended with %v", s.Err())
			}
		case <-time.After(map[bool]time.Duration{false: time.Second, true: 10 * time.Second}[deaf]):
			if deaf {
				t.Error("the session with a deaf device goes on")
			}
		}
		s.Close(t.Context())
	}
}

// TestSlowLogin gives up on a port that takes connections and says nothing.
func TestSlowLogin(t *testing.T) {
	t.Parallel()
	keyFile, _, _ := newKey(t, "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	target := Target{Addr: l.Addr().String(), User: "noc", Auth: Auth{KeyFiles: []string{keyFile}}, InsecureHostKey: true, Timeout: 50 * time.Millisecond}
	if _, err := Dial(t.Context(), target); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "took too long") {
		t.Error(err)
	}
}
