package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ListenTCP listens on a host (a name, an address of either family, or "" for
// all of them) and port; port 0 takes a free one. Its errors say what to do.
func ListenTCP(ctx context.Context, host string, port int) (net.Listener, error) {
	if port < 0 || port > 65535 {
		return nil, fmt.Errorf("%d is not a port; choose one from 1 to 65535 with --port", port)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err == nil {
		return l, nil
	}
	where := "on " + host
	if host == "" {
		where = "on any address"
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("port %d %s is in use by another program (`ss -ltnp 'sport = :%d'` shows which); stop it, or choose another port with --port", port, where, port)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return nil, fmt.Errorf("port %d %s may not be listened on by this user; choose a port above 1023 with --port", port, where)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("this machine has no address %s; choose one of its own with --host, or 0.0.0.0 for all", host)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return nil, fmt.Errorf("the host %q to listen on can't be resolved: %w; give an address with --host", host, err)
	}
	return nil, fmt.Errorf("can't listen on port %d %s: %w; choose another with --host and --port", port, where, err)
}

// maxSocketPath is what sockaddr_un holds (unix(7)), less its final NUL.
const maxSocketPath = 107

// ListenUnix listens on a Unix socket that its owner and group may use. A missing
// parent directory is made. A socket that an earlier process left behind is
// replaced; one on which somebody answers, and any other file, is left alone.
// The agent's lock on its state keeps two of them from doing this at once.
func ListenUnix(path string) (net.Listener, error) {
	if path == "" || strings.HasPrefix(path, "@") {
		return nil, fmt.Errorf("%q is not a path for a socket; name a file with --socket, as in /run/abide.sock", path)
	}
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("the socket path %s is longer than the %d bytes that a Unix socket may have; choose a shorter one with --socket", path, maxSocketPath)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("the directory of the socket can't be made: %w; choose another with --socket", err)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("can't listen on the socket %s: %w; choose another with --socket", path, err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		l.Close()
		return nil, fmt.Errorf("the socket can't be given to its group: %w; choose another with --socket", err)
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the socket can't be looked at: %w; choose another with --socket", err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket; remove it, or choose another path with --socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("another program already serves on the socket %s; stop it, or choose another path with --socket", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("it can't be told whether somebody serves on the socket %s: %w; remove it, or choose another path with --socket", path, err)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("the socket that an earlier process left can't be removed: %w; remove it by hand", err)
	}
	return nil
}

// limited is a listener with a bound on its open connections. One above the
// bound is told so at once, instead of waiting for others to end.
type limited struct {
	net.Listener
	slots chan struct{}
}

func newLimited(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, slots: make(chan struct{}, n)}
}

const tooMany = `{"error":"busy","message":"too many connections are open; close some, or try again later"}` + "\n"

func (l *limited) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		select {
		case l.slots <- struct{}{}:
			return &limitedConn{Conn: c, release: sync.OnceFunc(func() { <-l.slots })}, nil
		default:
		}
		// It fits into the empty send buffer; nobody is waited for.
		c.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		fmt.Fprintf(c, "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\nRetry-After: 5\r\nConnection: close\r\n\r\n%s", len(tooMany), tooMany)
		c.Close()
	}
}

// limitedConn gives its slot back when it is closed.
type limitedConn struct {
	net.Conn
	release func()
}

func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

// NetConn gives the connection itself, for lookupPeer.
func (c *limitedConn) NetConn() net.Conn { return c.Conn }

// CloseWrite lets net/http end its side first, so that a caller which is still
// sending gets the answer before the reset.
func (c *limitedConn) CloseWrite() error {
	if cw, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return cw.CloseWrite()
	}
	return nil
}
