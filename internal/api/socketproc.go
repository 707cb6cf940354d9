package api

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// maxTable bounds how much of the table in /proc is read: some 200,000 sockets.
const maxTable = 32 << 20

// procEntry reads /proc/net/tcp and tcp6; an IPv4 socket of family AF_INET6
// stands in the latter.
func procEntry(src, dst netip.AddrPort) (entry, error) {
	files := []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"}
	if !src.Addr().Is4() {
		files = files[1:]
	}
	var last error
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			last = err
			continue
		}
		e, found := scanTable(io.LimitReader(f, maxTable), src, dst)
		f.Close()
		if found {
			return e, nil
		}
	}
	return entry{}, last
}

// scanTable looks for one socket in the text of /proc/net/tcp (proc_net_tcp in
// the kernel's documentation): sl, local, remote, state, queues, timers,
// retransmits, uid, timeout, inode.
func scanTable(r io.Reader, src, dst netip.AddrPort) (entry, bool) {
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		f := strings.Fields(sc.Text())
		if len(f) < 10 {
			continue
		}
		if local, ok := parseHexAddr(f[1]); !ok || local != src {
			continue
		}
		if remote, ok := parseHexAddr(f[2]); !ok || remote != dst {
			continue
		}
		state, err1 := strconv.ParseUint(f[3], 16, 8)
		uid, err2 := strconv.ParseUint(f[7], 10, 32)
		inode, err3 := strconv.ParseUint(f[9], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			continue
		}
		return entry{uint8(state), uint32(uid), inode}, true
	}
	return entry{}, false
}

// parseHexAddr reads `0100007F:1F91`: the address in 32-bit words of the
// machine's order, the port as a number.
func parseHexAddr(s string) (netip.AddrPort, bool) {
	host, port, ok := strings.Cut(s, ":")
	if !ok {
		return netip.AddrPort{}, false
	}
	b, err := hex.DecodeString(host)
	if err != nil || len(b) != 4 && len(b) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	p, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, false
	}
	addr, _ := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(addr.Unmap(), uint16(p)), true
}
