package api

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const stranger = 64999

// TestCallerOverTheWire asks over real sockets, as the agent's user and as
// somebody else.
func TestCallerOverTheWire(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	s := newServer(t, a, withTokens)
	dir, err := os.MkdirTemp("", "abide") // t.TempDir's parent is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "abide.sock")
	ul, err := ListenUnix(socket)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, s, ul)
	// A stranger can't get past 0660, so the file is opened for this test.
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	type place struct{ name, network, addr, host string }
	places := []place{{"unix", "unix", socket, "localhost"}}
	for _, host := range []string{"127.0.0.1", "::1", "::"} {
		l, err := ListenTCP(t.Context(), host, 0)
		if err != nil {
			if strings.Contains(host, ":") {
				partNotRun(t, "no IPv6 here: "+err.Error())
				continue
			}
			t.Fatal(err)
		}
		addr := serveOn(t, s, l)
		_, port, _ := net.SplitHostPort(addr)
		switch host {
		case "127.0.0.1":
			places = append(places, place{"IPv4", "tcp", addr, addr})
		case "::1":
			places = append(places, place{"IPv6", "tcp", addr, addr})
		default:
			for _, to := range []string{"127.0.0.1:", "[::1]:"} {
				places = append(places, place{"dual-stack " + to, "tcp", to + port, to + port})
			}
		}
	}
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			url := "http://" + p.host + "/v1/runs"
			c, err := net.Dial(p.network, p.addr)
			if err != nil {
				t.Fatal(err)
			}
			if r := askWith(t, over(t, c), "GET", url, ""); r.status != 200 {
				t.Errorf("own uid: %d %s", r.status, r.body)
			}
			if os.Geteuid() != 0 {
				notRun(t, "only root can call as another user; run the tests as root")
			}
			r := askWith(t, over(t, dialAs(t, stranger, p.network, p.addr)), "GET", url, "")
			if r.status != 401 || !strings.Contains(r.body, "uid 64999") {
				t.Errorf("a stranger: %d %s", r.status, r.body)
			}
			r = askWith(t, over(t, dialAs(t, stranger, p.network, p.addr)), "GET", url, "", "Authorization: Bearer "+readToken)
			if r.status != 200 {
				t.Errorf("a stranger with a token: %d %s", r.status, r.body)
			}
			r = askWith(t, over(t, dialAs(t, stranger, p.network, p.addr)), "GET", "http://"+p.host+"/health", "")
			if r.status != 200 {
				t.Errorf("a stranger asking for health: %d %s", r.status, r.body)
			}
		})
	}
}

// TestCallerThatHungUpIsNobody: the kernel shows uid 0 for a socket that no
// process holds any more. A stranger who sends and closes at once must not
// become root by it.
func TestCallerThatHungUpIsNobody(t *testing.T) {
	t.Parallel()
	for _, abort := range []bool{false, true} {
		t.Run(fmt.Sprintf("abort=%t", abort), func(t *testing.T) {
			t.Parallel()
			a := &fakeAgent{}
			s := newServer(t, a)
			l, err := ListenTCP(t.Context(), "127.0.0.1", 0)
			if err != nil {
				t.Fatal(err)
			}
			for range 20 {
				c := dialAs(t, stranger, "tcp", l.Addr().String())
				body := "workflow: [evil]\n"
				fmt.Fprintf(c, "POST /trigger HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
				if abort {
					c.(*net.TCPConn).SetLinger(0)
				}
				c.Close()
			}
			addr := serveOn(t, s, l) // only now are they accepted
			if r := ask(t, "GET", "http://"+addr+"/v1/runs", ""); r.status != 200 {
				t.Fatalf("own uid: %d", r.status)
			}
			s.Shutdown(t.Context())
			for _, c := range a.called() {
				if strings.HasPrefix(c, "trigger") {
					t.Errorf("the agent was asked to %s", c)
				}
			}
		})
	}
}

// TestBothLookupsAgree compares netlink with /proc for a socket of each kind.
func TestBothLookupsAgree(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1", "::"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			if strings.Contains(host, ":") {
				partNotRun(t, "no IPv6 here: "+err.Error())
				continue
			}
			t.Fatal(err)
		}
		defer l.Close()
		_, port, _ := net.SplitHostPort(l.Addr().String())
		to := net.JoinHostPort(host, port)
		if host == "::" {
			to = "127.0.0.1:" + port
		}
		c, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		src, dst := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
		diag, err := diagEntry(src, dst)
		if err != nil {
			t.Fatalf("netlink, %s: %v", to, err)
		}
		proc, err := procEntry(src, dst)
		if err != nil {
			t.Fatalf("/proc, %s: %v", to, err)
		}
		if diag != proc || !diag.owned() || int(diag.uid) != os.Geteuid() {
			t.Errorf("%s: netlink says %+v, /proc %+v, want uid %d", to, diag, proc, os.Geteuid())
		}
		none := netip.AddrPortFrom(src.Addr(), 1)
		if e, err := diagEntry(none, dst); err != nil || e.owned() {
			t.Errorf("netlink knows a socket that doesn't exist: %+v, %v", e, err)
		}
		if e, err := procEntry(none, dst); err != nil || e.owned() {
			t.Errorf("/proc knows a socket that doesn't exist: %+v, %v", e, err)
		}
		if _, ok := socketUID(none, dst); ok {
			t.Error("a socket that doesn't exist has a uid")
		}
	}
}

func TestOwned(t *testing.T) {
	t.Parallel()
	const synSent, timeWait = 2, 6
	for _, c := range []struct {
		e    entry
		want bool
	}{
		{entry{tcpEstablished, 5, 77}, true},
		{entry{tcpFinWait2, 5, 77}, true}, // shut down its sending side and reads on
		{entry{tcpCloseWait, 5, 77}, true},
		{entry{tcpEstablished, 0, 0}, false},
		{entry{tcpFinWait2, 0, 0}, false},
		{entry{timeWait, 0, 0}, false},
		{entry{synSent, 0, 77}, false},
		{entry{}, false},
	} {
		if got := c.e.owned(); got != c.want {
			t.Errorf("%+v: %t", c.e, got)
		}
	}
}

func TestBeyondLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:1": false, "127.9.9.9:1": false, "[::1]:1": false, "[::ffff:127.0.0.1]:1": false,
		"0.0.0.0:1": true, "[::]:1": true, "192.0.2.1:1": true,
	} {
		a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr))
		if got := BeyondLoopback(a); got != want {
			t.Errorf("%s: %t", addr, got)
		}
	}
	if BeyondLoopback(&net.UnixAddr{Net: "unix", Name: "/x"}) {
		t.Error("a Unix socket is local")
	}
}

// TestIdentityIsOfTheConnection: what is looked up at accept holds for all
// requests on the connection.
func TestIdentityIsOfTheConnection(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{})
	addr := serve(t, s)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	for range 3 {
		fmt.Fprintf(c, "GET /v1/runs HTTP/1.1\r\nHost: %s\r\n\r\n", addr)
	}
	c.(*net.TCPConn).CloseWrite()
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(b), "HTTP/1.1 200 OK"); n != 3 {
		t.Errorf("%d of 3 answered: %s", n, b)
	}
}

func FuzzSocketTable(f *testing.F) {
	f.Add("  0: 0100007F:1F91 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1000        0 4242 1 0 20 4 30 10 -1")
	f.Add("  1: 0000000000000000FFFF00000100007F:1F91 0000000000000000FFFF00000100007F:9C40 01 0:0 0:0 0 1000 0 4242")
	f.Add("sl local_address rem_address st : : :")
	src, dst := netip.MustParseAddrPort("127.0.0.1:8081"), netip.MustParseAddrPort("127.0.0.1:40000")
	f.Fuzz(func(t *testing.T, table string) {
		e, found := scanTable(strings.NewReader(table), src, dst)
		if !found && e != (entry{}) {
			t.Errorf("not found, but %+v", e)
		}
		if e, err := parseDiag([]byte(table), src, dst); err != nil && e != (entry{}) {
			t.Errorf("%v, but %+v", err, e)
		}
	})
}

func BenchmarkPeerLookup(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	src, dst := addrPort(c.LocalAddr()), addrPort(c.RemoteAddr())
	for b.Loop() {
		if _, ok := socketUID(src, dst); !ok {
			b.Fatal("not found")
		}
	}
}

func BenchmarkHealth(b *testing.B) {
	s := newServer(b, &fakeAgent{})
	url := "http://" + serve(b, s) + "/health"
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for b.Loop() {
		resp, err := client.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
