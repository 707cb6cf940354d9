package api

import (
	"context"
	"net"
	"net/netip"
	"syscall"
)

// peer is who stands at the other end of a connection, as the kernel tells it.
// It is looked up once, when the connection is accepted: later, the caller's
// socket may be gone and its port another's.
type peer struct {
	unix     bool
	loopback bool           // TCP, from this machine's loopback
	local    netip.AddrPort // the agent's end, for TCP
	uid      int
	known    bool // uid is the caller's; false also when the lookup failed
}

type peerKey struct{}

// withPeer is the ConnContext of the server.
func withPeer(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, peerKey{}, lookupPeer(c))
}

// peerOf gives the peer of a request; without one (a handler that is called by
// itself) it is a stranger from afar.
func peerOf(ctx context.Context) *peer {
	if p, ok := ctx.Value(peerKey{}).(*peer); ok {
		return p
	}
	return &peer{}
}

// lookupPeer asks the kernel. A peer that it can't tell stays unknown and has
// to show a token.
func lookupPeer(c net.Conn) *peer {
	for {
		inner, ok := c.(interface{ NetConn() net.Conn }) // a limited or TLS connection
		if !ok {
			break
		}
		c = inner.NetConn()
	}
	switch c := c.(type) {
	case *net.UnixConn:
		p := &peer{unix: true}
		p.uid, p.known = unixUID(c)
		return p
	case *net.TCPConn:
		remote, local := addrPort(c.RemoteAddr()), addrPort(c.LocalAddr())
		p := &peer{local: local, loopback: remote.Addr().IsLoopback() && local.Addr().IsLoopback()}
		if p.loopback {
			// What the agent calls remote is the caller's own end.
			p.uid, p.known = socketUID(remote, local)
		}
		return p
	}
	return &peer{}
}

// addrPort gives an address with IPv4 as IPv4, however the socket sees it.
func addrPort(a net.Addr) netip.AddrPort {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := t.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// unixUID reads the uid that connected (SO_PEERCRED, unix(7)): the kernel keeps
// it as it was at connect.
func unixUID(c *net.UnixConn) (uid int, ok bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil || err != nil || cred == nil {
		return 0, false
	}
	return int(cred.Uid), true
}

// BeyondLoopback says whether somebody on another machine may reach a listener
// at that address, so that it needs a token. A Unix socket is local.
func BeyondLoopback(a net.Addr) bool {
	if a.Network() == "unix" {
		return false
	}
	return !addrPort(a).Addr().IsLoopback()
}
