package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Target says how a device is reached over SSH (RFC 6242).
type Target struct {
	Addr string // host:port
	User string
	Auth
	KnownHosts      string        // a file as ssh(1) has it; "" is the user's own
	InsecureHostKey bool          // any host key is taken
	KeepAlive       time.Duration // between two questions whether the device is there; 0 is 15 s, less is never
	Timeout         time.Duration // of connecting, logging in and the hellos together; 0 is 30 s
	Options         Options       // of the session
}

// Dial connects to a device and opens a session. Its errors name the user and
// the address, and say what to do; a *[HostKeyError] is among them.
func Dial(ctx context.Context, t Target) (*Session, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	dialer := net.Dialer{KeepAlive: t.KeepAlive}
	conn, err := dialer.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("nothing answers there in time")
		}
		return nil, fmt.Errorf("the device at %s cannot be reached: %w; check its address, and that NETCONF is switched on", t.Addr, err)
	}
	return OpenSSH(ctx, conn, t)
}

func (t Target) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	timeout := t.Timeout
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	return context.WithTimeout(ctx, timeout)
}

// OpenSSH is [Dial] over a connection that is there already, such as that of a
// device that calls home (RFC 8071); its host key is looked up by t.Addr. It owns
// the connection from here on, even when it gives an error.
func OpenSSH(ctx context.Context, conn net.Conn, t Target) (*Session, error) {
	ctx, cancel := t.bound(ctx)
	defer cancel()
	stream, err := t.login(ctx, conn)
	if err == nil {
		var s *Session
		if s, err = Open(ctx, stream, t.Options); err == nil {
			return s, nil
		}
	}
	return nil, fmt.Errorf("no session with %s at %s: %w", t.User, t.Addr, err)
}

// login makes the SSH connection and asks for the subsystem.
func (t Target) login(ctx context.Context, conn net.Conn) (s *sshStream, err error) {
	cut := context.AfterFunc(ctx, func() { conn.Close() })
	defer func() {
		switch {
		case !cut():
			conn.Close()
			if s != nil {
				s.Close()
			}
			err = fmt.Errorf("logging in took too long; check that the device's SSH answers: %w", context.Cause(ctx))
		case err != nil:
			conn.Close()
		}
	}()
	methods, done, err := t.methods(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	check, algorithms, err := t.hostKeys()
	if err != nil {
		return nil, err
	}
	client, channels, requests, err := ssh.NewClientConn(conn, t.Addr, &ssh.ClientConfig{
		User: t.User, Auth: methods, HostKeyCallback: check, HostKeyAlgorithms: algorithms,
	})
	if err != nil {
		return nil, t.explain(err)
	}
	s = &sshStream{client: client, ended: make(chan struct{}), heard: make(chan struct{})}
	s.all.Go(func() { ssh.DiscardRequests(requests) })
	s.all.Go(func() {
		for c := range channels {
			c.Reject(ssh.Prohibited, "none but the client opens channels")
		}
	})
	if err := s.begin(); err != nil {
		s.Close()
		return s, err
	}
	if every := t.every(); every > 0 {
		s.all.Go(func() { s.keepAlive(every) })
	}
	return s, nil
}

func (t Target) every() time.Duration {
	if t.KeepAlive == 0 {
		return 15 * time.Second
	}
	return t.KeepAlive
}

// explain makes a sentence of what a handshake failed with.
func (t Target) explain(err error) error {
	if key, ok := errors.AsType[*HostKeyError](err); ok {
		return key
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "unable to authenticate"):
		return fmt.Errorf("the device does not let the user in by %s; check the user and what the device holds of it", t.Auth.describe())
	case errors.Is(err, io.EOF), strings.Contains(text, "connection reset"):
		return errors.New("the device closed the connection before the login; check that SSH listens on that port and takes connections from here")
	}
	return fmt.Errorf("%w; check that SSH listens on that port", err)
}

// sshStream is the channel to the subsystem.
type sshStream struct {
	client  ssh.Conn
	channel ssh.Channel
	ended   chan struct{}
	heard   chan struct{} // closed when all complaints are read
	close   sync.Once
	all     sync.WaitGroup

	mu    sync.Mutex
	cause error  // why there is nothing to read any more, where we know
	said  []byte // the beginning of what the subsystem complained about
}

// begin opens the channel and asks for the subsystem.
func (s *sshStream) begin() error {
	channel, requests, err := s.client.OpenChannel("session", nil)
	if err != nil {
		return fmt.Errorf("the device opens no channel: %w; check how many sessions it allows", err)
	}
	s.channel = channel
	s.all.Go(func() { ssh.DiscardRequests(requests) })
	s.all.Go(func() {
		defer close(s.heard)
		io.Copy(complaints{s}, channel.Stderr())
	})
	ok, err := channel.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"netconf"}))
	if err != nil {
		return fmt.Errorf("the device broke off when asked for the subsystem netconf: %w", err)
	}
	if !ok {
		return errors.New("the device has no subsystem netconf for this user; switch NETCONF over SSH on, and check the port")
	}
	return nil
}

// complaints keeps a little of what the subsystem says beside the protocol, and
// reads all of it, as it would stall otherwise.
type complaints struct{ *sshStream }

func (c complaints) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, p[:min(len(p), 200-len(c.said))]...)
	return len(p), nil
}

func (s *sshStream) Read(p []byte) (int, error) {
	n, err := s.channel.Read(p)
	if err == nil {
		return n, nil
	}
	<-s.heard // both ends of a channel come together
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		err = s.cause
	} else if said := strings.Join(strings.Fields(string(s.said)), " "); err == io.EOF && said != "" {
		err = fmt.Errorf("the device ended the session and says %q", said)
	}
	return n, err
}

func (s *sshStream) Write(p []byte) (int, error) { return s.channel.Write(p) }

// Close ends the connection. It never waits for the device.
func (s *sshStream) Close() error {
	s.close.Do(func() {
		close(s.ended)
		s.client.Close()
	})
	s.all.Wait()
	return nil
}

// keepAlive asks the device whether it is there. Any answer will do; without one
// the connection is given up.
func (s *sshStream) keepAlive(every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	answered := make(chan error, 1)
	for {
		select {
		case <-s.ended:
			return
		case <-tick.C:
		}
		go func() {
			_, _, err := s.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		timeout := time.NewTimer(2 * every)
		var err error
		select {
		case err = <-answered:
		case <-timeout.C:
			s.mu.Lock()
			s.cause = fmt.Errorf("the device has not answered for %v", 2*every)
			s.mu.Unlock()
			s.client.Close()
			err = <-answered
		case <-s.ended:
			err = <-answered // the connection is being closed
		}
		timeout.Stop()
		if err != nil {
			return
		}
	}
}
