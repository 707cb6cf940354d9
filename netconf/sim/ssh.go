package sim

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// loginTime is how long a client may take to log in.
const loginTime = 30 * time.Second

// login is how clients get in.
type login struct {
	config *ssh.ServerConfig
	host   ssh.PublicKey
	open   bool // there is a way in
}

// NewKey makes a private key, in PEM.
func NewKey() ([]byte, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(block), nil
}

// PublicKey gives the line of authorized_keys that belongs to a private key.
func PublicKey(private []byte) ([]byte, error) {
	key, err := ssh.ParsePrivateKey(private)
	if err != nil {
		return nil, fmt.Errorf("the private key can't be read: %w; make one with ssh-keygen -t ed25519 -N ''", err)
	}
	return ssh.MarshalAuthorizedKey(key.PublicKey()), nil
}

func newLogin(o Options) (*login, error) {
	if o.HostKey == nil {
		var err error
		if o.HostKey, err = NewKey(); err != nil {
			return nil, err
		}
	}
	host, err := ssh.ParsePrivateKey(o.HostKey)
	if err != nil {
		return nil, fmt.Errorf("the host key can't be read: %w; make one with ssh-keygen -t ed25519 -N ''", err)
	}
	var keys [][]byte
	for rest := bytes.TrimSpace(o.AuthorizedKeys); len(rest) > 0; {
		var key ssh.PublicKey
		if key, _, _, rest, err = ssh.ParseAuthorizedKey(rest); err != nil {
			return nil, fmt.Errorf("the authorized keys can't be read: %w; give a file like ~/.ssh/authorized_keys", err)
		}
		keys = append(keys, key.Marshal())
		rest = bytes.TrimSpace(rest)
	}
	no := errors.New("no")
	c := &ssh.ServerConfig{MaxAuthTries: 6, ServerVersion: "SSH-2.0-abide-sim"}
	c.AddHostKey(host)
	user := func(m ssh.ConnMetadata) bool { return o.User == "" || m.User() == o.User }
	if len(keys) > 0 {
		c.PublicKeyCallback = func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			for _, k := range keys {
				if user(m) && bytes.Equal(k, key.Marshal()) {
					return nil, nil
				}
			}
			return nil, no
		}
	}
	if o.Password != "" {
		c.PasswordCallback = func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if user(m) && subtle.ConstantTimeCompare(password, []byte(o.Password)) == 1 {
				return nil, nil
			}
			return nil, no
		}
	}
	return &login{config: c, host: host.PublicKey(), open: len(keys) > 0 || o.Password != ""}, nil
}

// KnownHosts gives the device's line of a known_hosts file at an address.
func (d *Device) KnownHosts(addr string) string {
	return knownhosts.Line([]string{addr}, d.login.host)
}

// Fingerprint gives that of the device's host key, as ssh-keygen -l shows it.
func (d *Device) Fingerprint() string { return ssh.FingerprintSHA256(d.login.host) }

// Serve serves NETCONF over SSH on l, which it closes, until the context ends. All
// sessions have ended when it returns; the datastores stay. The error is nil when
// the context ended it.
func (d *Device) Serve(ctx context.Context, l net.Listener) error {
	if !d.login.open {
		l.Close()
		return errors.New("nobody could log in to the device; give it a password or authorized keys")
	}
	var all sync.WaitGroup
	defer all.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	room := make(chan struct{}, maxSessions)
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("nothing more can be accepted at %s: %w", l.Addr(), err)
		}
		select {
		case room <- struct{}{}:
			all.Go(func() {
				defer func() { <-room }()
				d.client(ctx, conn)
			})
		default:
			conn.Close()
		}
	}
}

// client serves one connection, whatever the client does.
func (d *Device) client(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetDeadline(time.Now().Add(loginTime))
	server, channels, requests, err := ssh.NewServerConn(conn, d.login.config)
	if err != nil {
		return
	}
	defer server.Close()
	conn.SetDeadline(time.Time{})
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() { ssh.DiscardRequests(requests) })
	host, _, _ := net.SplitHostPort(conn.RemoteAddr().String())
	peer := Peer{User: server.User(), Host: host}
	room := make(chan struct{}, maxSessions)
	for c := range channels {
		if c.ChannelType() != "session" {
			c.Reject(ssh.UnknownChannelType, "there are sessions only")
			continue
		}
		select {
		case room <- struct{}{}:
		default:
			c.Reject(ssh.ResourceShortage, "there are too many sessions")
			continue
		}
		all.Go(func() {
			defer func() { <-room }()
			d.channel(ctx, c, peer)
		})
	}
}

// channel serves the subsystem netconf on a channel.
func (d *Device) channel(ctx context.Context, nc ssh.NewChannel, peer Peer) {
	ch, requests, err := nc.Accept()
	if err != nil {
		return
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	defer ch.Close()
	started := false
	for r := range requests {
		ok := !started && r.Type == "subsystem" && string(r.Payload) == "\x00\x00\x00\x07netconf"
		r.Reply(ok, nil)
		if !ok {
			continue
		}
		started = true
		serving.Go(func() {
			_ = d.ServeConn(ctx, ch, peer) // whatever it is, the client knows
		})
	}
}
