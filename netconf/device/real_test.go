package device_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/tree"
)

// These tests run against netconfd behind OpenSSH.

const systemSpace = "http://openconfig.net/yang/system"

// kept is a Keeper in memory.
type kept struct {
	mu      sync.Mutex
	entries map[string][]byte
}

func (k *kept) Load(context.Context) ([]device.Write, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []device.Write
	for key, value := range k.entries {
		out = append(out, device.Write{Key: key, Value: value})
	}
	return out, nil
}

func (k *kept) Commit(_ context.Context, writes ...device.Write) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, w := range writes {
		if k.entries[w.Key] = w.Value; w.Value == nil {
			delete(k.entries, w.Key)
		}
	}
	return nil
}

// real is a Manager of real devices.
type real struct {
	*device.Manager
	t    testing.TB
	kit  *netconfd.Kit
	keep *kept
	stop func()
}

func startReal(t testing.TB, kit *netconfd.Kit, keep *kept) *real {
	t.Helper()
	m, err := device.New(t.Context(), device.Config{
		Dial: device.Dial, Keep: keep, Timeout: 5 * time.Second, ConfirmTimeout: 5 * time.Second,
		Tell: func(e device.Event) { t.Logf("%s %s: %s", e.Type, e.Level, e.Message) },
	})
	if err != nil {
		t.Fatal(err)
	}
	var devices []device.Device
	for _, d := range kit.Devices {
		devices = append(devices, device.Device{Name: d.Name, Confirmed: true, Target: netconf.Target{
			Addr: d.Addr, User: kit.User, Auth: netconf.Auth{KeyFiles: []string{kit.KeyFile}}, KnownHosts: kit.KnownHosts,
		}})
	}
	m.Inventory(devices)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Run(ctx)
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		<-ended
	})
	t.Cleanup(stop)
	return &real{Manager: m, t: t, kit: kit, keep: keep, stop: stop}
}

// systemUsers gives a configuration with users, of `name:key` words.
func systemUsers(words ...string) *tree.Node {
	var b strings.Builder
	for _, w := range words {
		name, key, _ := strings.Cut(w, ":")
		fmt.Fprintf(&b, "<user><username>%[1]s</username><config><username>%[1]s</username><ssh-key>%[2]s</ssh-key></config></user>", name, key)
	}
	return parse(`<config><system xmlns="` + systemSpace + `"><aaa><authentication><users>` + b.String() + `</users></authentication></aaa></system></config>`)
}

func parse(s string) *tree.Node {
	n, err := tree.Parse(strings.NewReader(s), tree.Limits{})
	if err != nil {
		panic(err)
	}
	return n
}

func everywhere(kit *netconfd.Kit, config *tree.Node) map[string]*tree.Node {
	out := map[string]*tree.Node{}
	for _, d := range kit.Devices {
		out[d.Name] = config
	}
	return out
}

// users reads what a device has, as `name:key` words, over a session of its own.
func (r *real) users(d *netconfd.Device) string {
	r.t.Helper()
	config, _, err := r.session(d).GetConfig(r.t.Context(), netconf.Running, parse(`<config><system xmlns="`+systemSpace+`"/></config>`))
	if err != nil {
		r.t.Fatal(err)
	}
	n := config
	for _, local := range []string{"system", "aaa", "authentication", "users"} {
		if n = n.Child(tree.Name{Space: systemSpace, Local: local}); n == nil {
			return ""
		}
	}
	var words []string
	for _, u := range n.Children {
		c := u.Child(tree.Name{Space: systemSpace, Local: "config"})
		words = append(words, u.Children[0].Value+":"+c.Child(tree.Name{Space: systemSpace, Local: "ssh-key"}).Value)
	}
	return strings.Join(words, " ")
}

func (r *real) session(d *netconfd.Device) *netconf.Session {
	r.t.Helper()
	s, err := netconf.Dial(r.t.Context(), netconf.Target{Addr: d.Addr, User: r.kit.User, Auth: netconf.Auth{KeyFiles: []string{r.kit.KeyFile}}, KnownHosts: r.kit.KnownHosts})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}

// all wants that all devices have just these users.
func (r *real) all(where, want string) {
	r.t.Helper()
	for _, d := range r.kit.Devices {
		if got := r.users(d); got != want {
			r.t.Errorf("%s: %s has the users %q, want %q", where, d.Name, got, want)
		}
	}
}

// eventually waits for all devices to have just these users.
func (r *real) eventually(where, want string) {
	r.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for _, d := range r.kit.Devices {
		for r.users(d) != want {
			if time.Now().After(deadline) {
				r.t.Fatalf("%s: %s has the users %q, want %q", where, d.Name, r.users(d), want)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
}

func (r *real) must(mode device.Mode, changes ...device.Change) {
	r.t.Helper()
	for owner, got := range r.Apply(r.t.Context(), changes, device.Options{Mode: mode, Patience: 30 * time.Second}) {
		if got.Err != nil || got.Pending != nil {
			r.t.Fatalf("%s: %v, pending on %v", owner, got.Err, got.Pending)
		}
	}
}

// TestNetconfd takes instances through their life on real devices, with a
// candidate and without.
func TestNetconfd(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]netconfd.Options{"candidate": {Devices: 2, Watch: true}, "running": {Devices: 2, Watch: true, Startup: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kit := netconfd.Start(t, o)
			r := startReal(t, kit, &kept{entries: map[string][]byte{}})
			ops := device.Change{Owner: "ssh-users[ops]", Outputs: everywhere(kit, systemUsers("eric:E", "alice:A"))}
			devs := device.Change{Owner: "ssh-users[devs]", Outputs: everywhere(kit, systemUsers("kim:K", "alice:A"))}
			r.must(device.All, ops, devs)
			r.all("created", "alice:A eric:E kim:K")

			ops.Outputs = everywhere(kit, systemUsers("eric:E2", "alice:A"))
			plans, err := r.Plan(t.Context(), []device.Change{ops})
			if err != nil || len(plans) != 2 {
				t.Fatalf("the plans are %+v, %v", plans, err)
			}
			r.must(device.All, ops)
			r.all("changed", "alice:A eric:E2 kim:K")
			for i, d := range kit.Devices {
				inner := strings.TrimSuffix(string(plans[i].XML[strings.Index(string(plans[i].XML), "<system"):]), "</config>")
				if sent := lastEdit(t, d); !strings.Contains(sent, inner) || strings.Contains(sent, "alice") {
					t.Errorf("planned was\n%s\nand sent\n%s", inner, sent)
				}
			}
			r.must(device.PerDevice, device.Change{Owner: ops.Owner})
			r.all("one owner goes", "alice:A kim:K")
			r.must(device.All, device.Change{Owner: devs.Owner})
			r.all("both are gone", "")
			if got := r.Instances(); len(got) > 0 {
				t.Errorf("%v are left", got)
			}
		})
	}
}

func lastEdit(t testing.TB, d *netconfd.Device) string {
	var last string
	for _, q := range d.Seen(t) {
		if q.Op == "edit-config" {
			last = q.Text
		}
	}
	return last
}

// TestNetconfdFaults lets one of three real devices go wrong in each way.
func TestNetconfdFaults(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]netconfd.Options{"candidate": {Devices: 3, Watch: true}, "running": {Devices: 3, Watch: true, Startup: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kit := netconfd.Start(t, o)
			r := startReal(t, kit, &kept{entries: map[string][]byte{}})
			r.must(device.All, device.Change{Owner: "a", Outputs: everywhere(kit, systemUsers("alice:1"))})
			op := "commit"
			if o.Startup {
				op = "edit-config"
			}
			was := "alice:1"
			for i, f := range []netconfd.Fault{netconfd.Refuse, netconfd.Cut, netconfd.Lose, netconfd.Hang} {
				key := fmt.Sprintf("alice:%d", i+2)
				kit.Devices[1].Fail(t, op, f, 1)
				got := r.Apply(t.Context(), []device.Change{{Owner: "a", Outputs: everywhere(kit, systemUsers(key))}}, device.Options{Mode: device.All})["a"]
				_, refused := errors.AsType[*device.RefusedError](got.Err)
				if got.Err == nil || refused != (f == netconfd.Refuse) {
					t.Errorf("fault %d gives %v", f, got.Err)
				}
				r.eventually(fmt.Sprintf("fault %d", f), was)
				r.settled()
				kit.Devices[1].Fail(t, op, f, 1)
				got = r.Apply(t.Context(), []device.Change{{Owner: "a", Outputs: everywhere(kit, systemUsers(key))}}, device.Options{Mode: device.PerDevice})["a"]
				if refused := got.Err != nil; refused != (f == netconfd.Refuse) {
					t.Errorf("fault %d gives %v", f, got.Err)
				}
				if f == netconfd.Refuse {
					r.must(device.PerDevice, device.Change{Owner: "a", Outputs: everywhere(kit, systemUsers(key))})
				}
				r.eventually(fmt.Sprintf("fault %d, one by one", f), key)
				r.settled()
				was = key
			}
		})
	}
}

// settled waits until nothing is under way.
func (r *real) settled() {
	r.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		busy := false
		for _, s := range r.Devices() {
			busy = busy || s.Unsettled || len(s.Pending) > 0 || !s.Connected
		}
		if !busy {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("the devices don't settle: %+v", r.Devices())
		}
	}
}

// TestNetconfdDrift changes a real device by hand, and starts anew.
func TestNetconfdDrift(t *testing.T) {
	t.Parallel()
	kit := netconfd.Start(t, netconfd.Options{Devices: 1})
	keep := &kept{entries: map[string][]byte{}}
	r := startReal(t, kit, keep)
	r.must(device.All, device.Change{Owner: "a", Outputs: everywhere(kit, systemUsers("alice:A", "bob:B"))})
	byHand := func(xml string) {
		s := r.session(kit.Devices[0])
		edit := parse(`<config xmlns:nc="` + tree.BaseSpace + `"><system xmlns="` + systemSpace + `"><aaa><authentication><users>` + xml + `</users></authentication></aaa></system></config>`)
		if err := errors.Join(s.EditConfig(t.Context(), netconf.EditOptions{Target: netconf.Candidate}, edit), s.Commit(t.Context(), netconf.CommitOptions{})); err != nil {
			t.Fatal(err)
		}
	}
	const eve = `<user><username>eve</username><config><username>eve</username><ssh-key>E</ssh-key></config></user>`
	byHand(`<user><username>alice</username><config><ssh-key>X</ssh-key></config></user><user nc:operation="remove"><username>bob</username></user>` + eve)
	start := time.Now()
	r.eventually("reverted", "alice:A bob:B eve:E")
	t.Logf("reverted after %v", time.Since(start))
	r.stop()
	before := maps.Clone(keep.entries)
	r = startReal(t, kit, keep)
	r.must(device.All, device.Change{Owner: "a", Outputs: everywhere(kit, systemUsers("alice:A", "bob:B"))})
	r.must(device.All, device.Change{Owner: "a"})
	r.all("gone", "eve:E")
	if len(before) == 0 || len(keep.entries) > 1 {
		t.Errorf("kept were %d entries, and now are %d", len(before), len(keep.entries))
	}
}
