package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// TestDeviceThatAlwaysCuts: a device that never lets a change through isn't
// besieged, and neither are those that change with it.
func TestDeviceThatAlwaysCuts(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"all", "per-device"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			testAlwaysCuts(t, mode)
		})
	}
}

func testAlwaysCuts(t *testing.T, mode string) {
	l := newLab(t, netconfd.Options{Devices: 2}, "--netconf-atomic", mode)
	l.key("K0")
	l.start()
	l.expectUsers("at the beginning", "eric:K0")
	l.kit.Devices[1].Fail(t, "commit", netconfd.Cut, 1000)
	l.forget()
	l.key("K1")
	begin := time.Now()
	l.stream("?since=0").wait(`"device_lost"`)
	time.Sleep(6 * time.Second) // how often it is asked meanwhile is what counts
	n := 0
	for _, r := range l.kit.Devices[1].Seen(t) {
		if r.Op == "commit" {
			n++
		}
	}
	if n > 7 {
		t.Errorf("within %v it was asked %d times", time.Since(begin), n)
	}
	l.kit.Devices[1].Fail(t, "commit", netconfd.Cut, 0)
	if out, code := l.cli("retry", "service/ssh-users[ops]"); code != 0 {
		t.Fatal(out)
	}
	l.expectUsers("it lets changes through", "eric:K1")
}

// hostile is a device as far as SSH goes; what comes over a session is for the
// test to choose.
type hostile struct {
	name, addr string
	serve      func(io.ReadWriteCloser)
	want       string // in what is told of it
}

// answers makes a session whose get-config is answered with raw bytes, and all
// else with ok.
func answers(raw func(w io.Writer, id string)) func(io.ReadWriteCloser) {
	return func(rwc io.ReadWriteCloser) {
		c := netconf.NewConn(rwc, netconf.ConnOptions{})
		if _, err := netconf.Accept(context.Background(), c, 7, netconf.Base11, netconf.Base10, "urn:ietf:params:netconf:capability:candidate:1.0"); err != nil {
			return
		}
		for {
			q, err := netconf.ReadRequest(c, tree.Limits{})
			if err != nil {
				return
			}
			if q.Op.Name.Local == "get" { // it has no models
				if c.WriteMessage(context.Background(), q.AppendData(nil, &tree.Node{})) != nil {
					return
				}
			} else if q.Op.Name.Local == "get-config" {
				id, _ := q.Root.Attr(tree.Name{Local: "message-id"})
				raw(rwc, id)
			} else if c.WriteMessage(context.Background(), q.AppendReply(nil)) != nil {
				return
			}
		}
	}
}

// reply writes a chunked answer with this data.
func reply(w io.Writer, id string, data ...string) {
	chunk := func(s string) { fmt.Fprintf(w, "\n#%d\n%s", len(s), s) }
	chunk(`<rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="` + id + `"><data>`)
	for _, d := range data {
		chunk(d)
	}
	chunk(`</data></rpc-reply>`)
	io.WriteString(w, "\n##\n")
}

const manyUsers = 1 << 20

var hostiles = []hostile{
	{name: "noise", want: "something else than a hello", serve: func(c io.ReadWriteCloser) {
		for junk := make([]byte, 4096); ; _, _ = rand.Read(junk) {
			if _, err := c.Write(junk); err != nil {
				return
			}
		}
	}},
	{name: "mute", want: "no hello came in time", serve: func(c io.ReadWriteCloser) { _, _ = io.Copy(io.Discard, c) }},
	{name: "greeting", want: "document type", serve: func(c io.ReadWriteCloser) {
		io.WriteString(c, `<!DOCTYPE hello [<!ENTITY a "aaaa">]><hello xmlns="urn:ietf:params:xml:ns:netconf:base:1.0">&a;</hello>]]>]]>`)
		_, _ = io.Copy(io.Discard, c)
	}},
	{name: "garbage", want: "a chunk begins with", serve: answers(func(w io.Writer, _ string) { io.WriteString(w, "HTTP/1.1 400 Bad Request\r\n\r\n") })},
	{name: "bomb", want: "document type", serve: answers(func(w io.Writer, _ string) {
		doc := `<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><rpc-reply>&b;</rpc-reply>`
		fmt.Fprintf(w, "\n#%d\n%s\n##\n", len(doc), doc)
	})},
	{name: "prefix", want: "is not declared", serve: answers(func(w io.Writer, id string) { reply(w, id, `<x:system/>`) })},
	{name: "deep", want: "nested deeper", serve: answers(func(w io.Writer, id string) { reply(w, id, strings.Repeat("<a>", 100_000)) })},
	{name: "endless", want: "longer than", serve: answers(func(w io.Writer, _ string) {
		for more := "\n#65536\n" + strings.Repeat(" ", 65536); ; {
			if _, err := io.WriteString(w, more); err != nil {
				return
			}
		}
	})},
	{name: "large", want: "more than", serve: answers(func(w io.Writer, id string) {
		data := []string{`<system xmlns="http://openconfig.net/yang/system"><aaa><authentication><users>`}
		for i := range manyUsers {
			data = append(data, fmt.Sprintf("<user><username>user%d</username><config><ssh-key>K</ssh-key></config></user>", i))
		}
		reply(w, id, append(data, `</users></authentication></aaa></system>`)...)
	})},
}

// start serves a hostile device on loopback until the test ends.
func (h *hostile) start(t *testing.T, host ssh.Signer) {
	t.Helper()
	config := &ssh.ServerConfig{PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	t.Cleanup(func() { cancel(); _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
				defer conn.Close()
				server, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					return
				}
				defer server.Close()
				all.Go(func() { ssh.DiscardRequests(requests) })
				for nc := range channels {
					channel, requests, err := nc.Accept()
					if err != nil {
						return
					}
					all.Go(func() {
						for r := range requests {
							_ = r.Reply(r.Type == "subsystem", nil)
							if r.Type == "subsystem" {
								all.Go(func() { defer channel.Close(); h.serve(channel) })
							}
						}
					})
				}
			})
		}
	})
}

func newKey(t *testing.T) (ssh.Signer, []byte) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return signer, pem.EncodeToMemory(block)
}

// peak is the most memory that the agent has had, in MiB.
func (d *daemon) peak() int {
	d.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
	if err != nil {
		d.t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		d.t.Fatal(err)
	}
	return n >> 10
}

// TestHostileDevices: whatever devices say, each has its error, the agent stays
// small, and the device beside them has what is wanted in no time.
func TestHostileDevices(t *testing.T) {
	t.Parallel()
	binary(t, "")
	l := newLab(t, netconfd.Options{}, "--netconf-atomic", "per-device")
	host, private := newKey(t)
	dir := t.TempDir()
	key, known := filepath.Join(dir, "id"), filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(key, private, 0o600); err != nil {
		t.Fatal(err)
	}
	inventory := fmt.Sprintf(`<devices xmlns="http://clicon.org/controller"><device-profile><name>hostile</name><user>noc</user><private-key-file>%s</private-key-file><known-hosts-file>%s</known-hosts-file></device-profile>`, key, known)
	var hosts strings.Builder
	list := append([]hostile(nil), hostiles...)
	for i := range list {
		h := &list[i]
		h.start(t, host)
		fmt.Fprintln(&hosts, knownhosts.Line([]string{h.addr}, host.PublicKey()))
		name, port, _ := strings.Cut(h.addr, ":")
		inventory += fmt.Sprintf("\n<device><name>%s</name><device-profile>hostile</device-profile><addr>%s</addr><port>%s</port></device>", h.name, name, port)
	}
	write(t, known, hosts.String())
	l.write("devices/hostile.xml", inventory+"</devices>")
	l.key("K")
	l.start()
	begin := time.Now()
	l.expectOn(0, "beside hostile devices", "eric:K")
	t.Logf("the good one has it after %v", time.Since(begin).Round(10*time.Millisecond))
	for _, h := range list {
		out := ""
		said := regexp.MustCompile(`device ` + h.name + ` .*` + regexp.QuoteMeta(h.want))
		for deadline := time.Now().Add(45 * time.Second); ; time.Sleep(300 * time.Millisecond) {
			out, _ = l.cli("devices", "status", h.name)
			if strings.Contains(out, "reason: ") && strings.Contains(out, h.want) || said.MatchString(l.output()) {
				break // a session that begins anew has no reason for a moment
			}
			if time.Now().After(deadline) && h.name == "large" {
				t.Logf("%s: its answer does not come fast enough to be too large: %s", h.name, out)
				break // what the race detector makes of a hundred megabytes over SSH
			}
			if time.Now().After(deadline) {
				t.Errorf("%s: no %q in %s", h.name, h.want, out)
				break
			}
		}
		if h.name == "" || len(out) > 2000 {
			t.Errorf("%s has %d bytes to say", h.name, len(out))
		}
		t.Log(strings.TrimSpace(out))
	}
	begin = time.Now()
	l.key("K2")
	l.expectOn(0, "beside hostile devices, again", "eric:K2")
	t.Logf("the good one has the next after %v; the agent had at most %d MiB", time.Since(begin).Round(10*time.Millisecond), l.peak())
	if n := l.peak(); n > 350 {
		t.Errorf("the agent had %d MiB", n)
	}
}

// TestHostileDocuments: what can't be read has its place, and what to do.
func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	const head = `<services xmlns="http://clicon.org/controller">` + "\n"
	files := map[string]string{
		"devices/lab.xml":       "<devices xmlns=\"http://clicon.org/controller\">\n<device><name>d1</name><addr>127.0.0.1</addr><port>1</port><user>noc</user></device>\n</devices>",
		"devices/bomb.xml":      "<!DOCTYPE d [<!ENTITY a \"aaa\"><!ENTITY b \"&a;&a;\">]>\n<devices xmlns=\"http://clicon.org/controller\"><device><name>&b;</name></device></devices>",
		"devices/prefix.xml":    "<devices xmlns=\"http://clicon.org/controller\">\n<device><name>d2</name><x:addr>127.0.0.1</x:addr></device></devices>",
		"devices/space.xml":     "<devices xmlns=\"http://example.org/other\">\n<device><name>d3</name></device></devices>",
		"services/dtd.xml":      "<!DOCTYPE services SYSTEM \"file:///etc/passwd\">\n" + head + "</services>",
		"services/entity.xml":   head + "<a xmlns=\"u:a\"><name>&xxe;</name></a>\n</services>",
		"services/prefix.xml":   head + "<y:a><name>n</name></y:a>\n</services>",
		"services/space.xml":    "<services>\n<a xmlns=\"u:a\"><name>n</name></a>\n</services>",
		"services/deep.xml":     head + strings.Repeat("<a>", 5000),
		"services/good.xml":     head + "<one xmlns=\"u:1\"><name>i</name></one>\n<two xmlns=\"u:2\"><name>i</name></two>\n<three xmlns=\"u:3\"><name>i</name></three>\n<four xmlns=\"u:4\"><name>i</name></four>\n</services>",
		"services/one.tmpl":     "<system xmlns=\"u\">\n <x:name>n</x:name>\n</system>",
		"services/two.tmpl":     "<!DOCTYPE d [<!ENTITY a \"a\">]>\n<system xmlns=\"u\">&a;</system>",
		"services/three.tmpl":   "<system xmlns=\"u\">\n\n{{ fail \"there is no name\" }}</system>",
		"services/four.tmpl":    "<system xmlns=\"u\">\n{{ range .Instance.users }}</system>",
		"services/five/bad.xml": "<services",
	}
	r := newRepository(t)
	for name, text := range files {
		r.write(name, text)
	}
	r.commit("hostile")
	binary(t, "")
	out, code := cli(t, nil, "", "plan", "--git", r.dir, "--state", t.TempDir(), "--units", "off")
	if code != 1 {
		t.Errorf("code %d", code)
	}
	defer func() {
		if t.Failed() {
			t.Log(out)
		}
	}()
	for _, want := range []string{
		"devices/bomb.xml:1:", "devices/prefix.xml:2:", "devices/space.xml:1:", "services/dtd.xml:1:", "services/entity.xml:2:",
		"services/prefix.xml:2:", "services/space.xml:1:", "services/deep.xml:2:", "services/one.tmpl:2:", "services/two.tmpl:1:", "services/three.tmpl:3:", "services/four.tmpl:",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing is said of %s", want)
		}
	}
	if strings.Contains(out, "root:") {
		t.Error("a file of the machine was read")
	}
}
