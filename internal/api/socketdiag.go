package api

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Sizes of sock_diag's structures (include/uapi/linux/inet_diag.h).
const (
	diagByFamily  = 20 // SOCK_DIAG_BY_FAMILY
	headerLen     = 16 // nlmsghdr
	diagReqLen    = 56 // inet_diag_req_v2
	diagAnswerLen = 72 // inet_diag_msg
	diagWait      = 200 * time.Millisecond
)

// diagEntry asks for exactly one socket over NETLINK_SOCK_DIAG (sock_diag(7)).
func diagEntry(src, dst netip.AddrPort) (entry, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return entry{}, err
	}
	defer unix.Close(fd)
	wait := unix.NsecToTimeval(int64(diagWait))
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return entry{}, err
	}
	if err := unix.Sendto(fd, diagRequest(src, dst), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return entry{}, err
	}
	buf := make([]byte, 4096)
	n, from, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return entry{}, err
	}
	if a, ok := from.(*unix.SockaddrNetlink); !ok || a.Pid != 0 {
		return entry{}, fmt.Errorf("an answer that is not the kernel's")
	}
	return parseDiag(buf[:n], src, dst)
}

func diagRequest(src, dst netip.AddrPort) []byte {
	b := make([]byte, headerLen+diagReqLen)
	order := binary.NativeEndian
	order.PutUint32(b[0:], uint32(len(b)))
	order.PutUint16(b[4:], diagByFamily)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST)
	order.PutUint32(b[8:], 1)
	req := b[headerLen:]
	req[0], req[1] = family(src), unix.IPPROTO_TCP
	order.PutUint32(req[4:], ^uint32(0)) // in any state; owned decides
	putSockID(req[8:], src, dst)
	return b
}

// putSockID writes an inet_diag_sockid: ports and addresses in network order.
func putSockID(b []byte, src, dst netip.AddrPort) {
	binary.BigEndian.PutUint16(b[0:], src.Port())
	binary.BigEndian.PutUint16(b[2:], dst.Port())
	copy(b[4:20], src.Addr().AsSlice())
	copy(b[20:36], dst.Addr().AsSlice())
	for i := range 8 { // INET_DIAG_NOCOOKIE
		b[40+i] = 0xff
	}
}

func family(a netip.AddrPort) uint8 {
	if a.Addr().Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// parseDiag reads the answer. It trusts it only for the very socket asked for.
func parseDiag(b []byte, src, dst netip.AddrPort) (entry, error) {
	order := binary.NativeEndian
	if len(b) < headerLen {
		return entry{}, fmt.Errorf("an answer of %d bytes", len(b))
	}
	switch typ := order.Uint16(b[4:]); typ {
	case diagByFamily:
	case unix.NLMSG_ERROR:
		if len(b) < headerLen+4 {
			return entry{}, fmt.Errorf("an answer of %d bytes", len(b))
		}
		errno := unix.Errno(-int32(order.Uint32(b[headerLen:])))
		if errno == unix.ENOENT {
			return entry{}, nil // no such socket: nobody owns it
		}
		return entry{}, errno
	default:
		return entry{}, fmt.Errorf("an answer of type %d", typ)
	}
	msg := b[headerLen:]
	if len(msg) < diagAnswerLen {
		return entry{}, fmt.Errorf("an answer of %d bytes", len(b))
	}
	want := make([]byte, 48)
	putSockID(want, src, dst)
	if string(msg[4:8]) != string(want[:4]) || !sameAddr(msg[8:24], src) || !sameAddr(msg[24:40], dst) {
		return entry{}, fmt.Errorf("an answer about another socket")
	}
	return entry{state: msg[1], uid: order.Uint32(msg[64:]), inode: uint64(order.Uint32(msg[68:]))}, nil
}

// sameAddr compares an address of the answer, which a socket of family AF_INET6
// shows IPv4-mapped, with the one asked for.
func sameAddr(b []byte, want netip.AddrPort) bool {
	if want.Addr().Is4() && netip.AddrFrom4([4]byte(b[:4])) == want.Addr() {
		return true
	}
	return netip.AddrFrom16([16]byte(b[:16])).Unmap() == want.Addr()
}
