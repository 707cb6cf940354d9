package sim_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
)

// TestLogins lets in whom it should.
func TestLogins(t *testing.T) {
	t.Parallel()
	b := start(t, sim.Options{User: "noc", Password: "geheim"})
	password := func(text string) netconf.Auth { return netconf.Auth{PasswordFile: write(t, "password", text)} }
	private, _, err := newKey()
	must(t, err)
	for name, tt := range map[string]struct {
		user string
		auth netconf.Auth
		ok   bool
	}{
		"the key":          {"noc", b.target.Auth, true},
		"another user":     {"eve", b.target.Auth, false},
		"another key":      {"noc", netconf.Auth{KeyFiles: []string{write(t, "id", string(private))}}, false},
		"the password":     {"noc", password("geheim"), true},
		"another password": {"noc", password("geheim2"), false},
	} {
		target := b.target
		target.User, target.Auth = tt.user, tt.auth
		s, err := netconf.Dial(t.Context(), target)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			s.Close(context.Background())
		}
	}
	if !strings.Contains(b.KnownHosts(b.target.Addr), "ssh-ed25519 ") || !strings.HasPrefix(b.Fingerprint(), "SHA256:") {
		t.Error(b.KnownHosts(b.target.Addr), b.Fingerprint())
	}
}

// TestChannels asks for what SSH servers have besides, and for two sessions over
// one connection.
func TestChannels(t *testing.T) {
	t.Parallel()
	b := start(t, sim.Options{Password: "geheim"})
	client, err := ssh.Dial("tcp", b.target.Addr, &ssh.ClientConfig{
		User: "any", Auth: []ssh.AuthMethod{ssh.Password("geheim")}, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	must(t, err)
	defer client.Close()
	if _, err := client.Dial("tcp", "127.0.0.1:22"); err == nil {
		t.Error("the device forwards connections")
	}
	for _, what := range []string{"exec", "shell", "pty-req", "subsystem"} {
		ch, requests, err := client.OpenChannel("session", nil)
		must(t, err)
		go ssh.DiscardRequests(requests)
		if ok, err := ch.SendRequest(what, true, ssh.Marshal(struct{ Name string }{"sftp"})); ok || err != nil {
			t.Errorf("%s was done: %v", what, err)
		}
		ch.Close()
	}
	var all []*netconf.Session
	for range 2 {
		ch, requests, err := client.OpenChannel("session", nil)
		must(t, err)
		go ssh.DiscardRequests(requests)
		ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"}))
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		s, err := netconf.Open(t.Context(), ch, netconf.Options{})
		must(t, err)
		all = append(all, s)
	}
	must(t, all[0].Lock(t.Context(), netconf.Running), all[1].Kill(t.Context(), all[0].ID()))
	<-all[0].Done()
	must(t, all[1].Lock(t.Context(), netconf.Running), all[1].Close(t.Context()))
}

// TestServeEnds ends all sessions with the context, and keeps the configuration.
func TestServeEnds(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{Password: "geheim"})
	must(t, d.SetConfig(parse(t, hostname("h"))))
	for range 2 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- d.Serve(ctx, l) }()
		s, err := netconf.Dial(t.Context(), netconf.Target{
			Addr: l.Addr().String(), User: "any", InsecureHostKey: true, Auth: netconf.Auth{PasswordFile: write(t, "password", "geheim")},
		})
		must(t, err, s.Lock(t.Context(), netconf.Running))
		cancel()
		must(t, <-served)
		<-s.Done()
		if d.Sessions() != 0 {
			t.Errorf("there are %d sessions", d.Sessions())
		}
		has(t, d.Config(), hostname("h"))
	}
}
