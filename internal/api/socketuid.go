package api

import "net/netip"

// entry is what the kernel's socket table says of one TCP socket.
type entry struct {
	state uint8
	uid   uint32
	inode uint64
}

// owned says whether the entry proves its uid. The kernel shows uid 0 for a
// socket that no process holds any more (closed, or in TIME_WAIT): such an entry
// has no inode and must not be taken for root's. A socket that is still
// connecting is not the one that we accepted.
func (e entry) owned() bool {
	switch e.state {
	case tcpEstablished, tcpFinWait1, tcpFinWait2, tcpCloseWait, tcpLastAck, tcpClosing:
		return e.inode != 0
	}
	return false
}

// The states of a TCP socket as the kernel numbers them (include/net/tcp_states.h).
const (
	tcpEstablished = 1
	tcpFinWait1    = 4
	tcpFinWait2    = 5
	tcpCloseWait   = 8
	tcpLastAck     = 9
	tcpClosing     = 11
)

// socketUID finds the uid that owns the local TCP socket which is bound to src
// and connected to dst. It asks by netlink, which is one exact lookup; where
// that is forbidden (a service without AF_NETLINK) it reads the table from /proc.
func socketUID(src, dst netip.AddrPort) (uid int, ok bool) {
	e, err := diagEntry(src, dst)
	if err != nil {
		e, err = procEntry(src, dst)
	}
	if err != nil || !e.owned() {
		return 0, false
	}
	return int(e.uid), true
}
