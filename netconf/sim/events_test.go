package sim_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

// tell writes an event short: its name, and the values of its leafs in order.
func tell(n *tree.Node) string {
	var out []string
	var leafs func(n *tree.Node)
	leafs = func(n *tree.Node) {
		if len(n.Children) == 0 {
			if n.Value == "" {
				out = append(out, n.Name.Local)
			} else {
				out = append(out, n.Value)
			}
		}
		for _, c := range n.Children {
			leafs(c)
		}
	}
	e := n.Children[1]
	out = append(out, strings.TrimPrefix(e.Name.Local, "netconf-"))
	for _, c := range e.Children {
		leafs(c)
	}
	return strings.Join(out, " ")
}

func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := device(t, sim.Options{})
		s, listener, picky := open(t, d), open(t, d), open(t, d)
		ctx := t.Context()
		must(t, listener.Subscribe(ctx, "NETCONF"))
		subscribe, err := tree.ParseBytes([]byte(`<create-subscription xmlns="` + netconf.NotificationSpace + `"><filter type="subtree"><netconf-confirmed-commit xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-notifications"/></filter></create-subscription>`))
		must(t, err)
		_, err = picky.Call(ctx, subscribe)
		must(t, err)
		edit := func(inside string) {
			must(t, s.EditConfig(ctx, merge, parse(t, inside)))
		}
		commit := func(o netconf.CommitOptions) { must(t, s.Commit(ctx, o)) }
		confirmed := netconf.CommitOptions{Confirmed: true, Timeout: time.Minute}

		edit(hostname("h"))
		commit(netconf.CommitOptions{})
		commit(netconf.CommitOptions{})
		edit(hostname("i") + `<interfaces xmlns="http://openconfig.net/yang/interfaces"><interface><name>it's</name><config><name>it's</name></config></interface></interfaces>`)
		commit(confirmed)
		commit(confirmed)
		must(t, s.CancelCommit(ctx, ""))
		edit(hostname("j"))
		commit(confirmed)
		commit(netconf.CommitOptions{})
		edit(hostname("k"))
		commit(confirmed)
		time.Sleep(time.Hour)
		must(t, d.SetConfig(parse(t, "")))
		synctest.Wait()

		const leaf = " running /oc-sys:system/oc-sys:config/oc-sys:hostname replace"
		const by = " noc 1 192.0.2.1"
		want := []string{
			"config-change" + by + " running /oc-sys:system create",
			"confirmed-commit" + by + " start 60",
			"config-change" + by + leaf + " /oc-if:interfaces create",
			"confirmed-commit" + by + " extend 60",
			"confirmed-commit" + by + " cancel",
			"config-change server" + leaf + " /oc-if:interfaces delete",
			"confirmed-commit" + by + " start 60",
			"config-change" + by + leaf,
			"confirmed-commit" + by + " complete",
			"confirmed-commit" + by + " start 60",
			"config-change" + by + leaf,
			"confirmed-commit" + by + " timeout",
			"config-change server" + leaf,
			"config-change server running /oc-sys:system delete",
		}
		heard(t, listener, want)
		var few []string
		for _, w := range want {
			if strings.HasPrefix(w, "confirmed") {
				few = append(few, w)
			}
		}
		heard(t, picky, few)
	})
}

func heard(t *testing.T, s *netconf.Session, want []string) {
	t.Helper()
	for _, w := range want {
		select {
		case n := <-s.Notifications():
			if got := tell(n); got != w {
				t.Errorf("heard %s\nwant %s", got, w)
			}
		default:
			t.Errorf("not heard: %s", w)
		}
	}
	select {
	case n := <-s.Notifications():
		t.Errorf("heard besides %s", tell(n))
	default:
	}
}

// TestManyChanges says of too many changes that there were some.
func TestManyChanges(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{Startup: users(t, user("first"))})
	s := open(t, d)
	must(t, s.Subscribe(t.Context(), "NETCONF"))
	var all strings.Builder
	for i := range 300 {
		all.WriteString(user(strings.Repeat("x", i+1)))
	}
	must(t, d.SetConfig(users(t, all.String())))
	edits := strings.Fields(tell(<-s.Notifications()))[3:]
	if len(edits) != 200 || edits[198] != "/" {
		t.Errorf("%d words of edits, the last %s", len(edits), edits[len(edits)-2:])
	}
}
