package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/service"
	"github.com/abide-agent/abide/sse"
)

const lab = `<devices xmlns="http://clicon.org/controller">
  <device-group><name>edge</name><device-name>d1</device-name></device-group>
  <device><name>d1</name><addr>127.0.0.1</addr><user>noc</user></device>
  <device><name>d2</name><addr>127.0.0.2</addr><user>noc</user></device>
</devices>`

func instancesOf(text ...string) string {
	var b strings.Builder
	b.WriteString(`<services xmlns="http://clicon.org/controller">`)
	for i := 0; i < len(text); i += 2 {
		fmt.Fprintf(&b, "\n<motd xmlns=\"http://example.com/motd\"><name>%s</name><text>%s</text></motd>", text[i], text[i+1])
	}
	return b.String() + "\n</services>"
}

const motdTemplate = `{{ if memberOf "edge" }}<motd xmlns="u">{{ .Instance.text }}</motd>{{ end }}`

// serviceWorld is a world with the family of services.
type serviceWorld struct {
	*world
	devices  *devicesFake
	handlers *handlersFake
	mode     device.Mode
}

func newServiceWorld(t *testing.T, repos ...*repo) *serviceWorld {
	return &serviceWorld{world: newWorld(t, repos...), devices: &devicesFake{of: map[string]string{}}, handlers: &handlersFake{}, mode: device.All}
}

func (w *serviceWorld) begin() (*life, *Services) {
	s, d := NewServices(ServiceConfig{
		Devices: w.devices, Handlers: w.handlers, Mode: w.mode, Publish: w.publish, Timeout: time.Minute, Wait: 5 * time.Second,
	})
	l := w.start(func(c *Config) { c.Kinds = []Kind{s, d} })
	return l, s
}

func (w *serviceWorld) expectApplied(want ...string) {
	w.t.Helper()
	if got := w.devices.take(); !slices.Equal(got, want) {
		w.t.Errorf("applied %q, want %q", got, want)
	}
}

func TestServices(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "services/a.xml": instancesOf("one", "hi", "two", "ho")}
		r := newRepo("r", files)
		w := newServiceWorld(t, r)
		l, _ := w.begin()
		w.expectApplied("motd[one]@d1=hi motd[two]@d1=ho") // together, and only on the group's device
		if !slices.Equal(w.devices.names, []string{"d1", "d2"}) {
			t.Errorf("inventory: %v", w.devices.names)
		}

		files["services/a.xml"] = instancesOf("one", "hi", "two", "ha")
		r.set(files)
		settle()
		w.expectApplied("motd[two]@d1=ha") // what did not change isn't touched

		files["services/motd.tmpl"] = strings.Replace(motdTemplate, "</motd>", "!</motd>", 1)
		r.set(files)
		settle()
		w.expectApplied("motd[one]@d1=hi! motd[two]@d1=ha!")

		files["devices/lab.xml"] = strings.Replace(lab, "<device-name>d1</device-name>", "<device-name>d1</device-name><device-name>d2</device-name>", 1)
		r.set(files)
		settle()
		w.expectApplied("motd[one]@d1=hi!@d2=hi! motd[two]@d1=ha!@d2=ha!")

		files["services/a.xml"] = instancesOf("one", "hi")
		r.set(files)
		settle()
		w.expectApplied("motd[two]-")

		r.set(files) // a new revision with the same content
		settle()
		w.expectApplied()
		l.end()
		l, _ = w.begin()
		settle()
		w.expectApplied() // and nothing after a restart
		l.end()
	})
}

func TestServiceFaults(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{
			"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate,
			"services/a.xml": instancesOf("one", "hi"), "services/b.xml": instancesOf("two", "ho"),
		}
		r := newRepo("r", files)
		w := newServiceWorld(t, r)
		l, _ := w.begin()
		w.expectApplied("motd[one]@d1=hi motd[two]@d1=ho")

		files["services/b.xml"] = "<services xmlns='http://clicon.org/controller'><motd"
		files["services/a.xml"] = instancesOf("one", "hey")
		r.set(files)
		settle()
		w.expectApplied("motd[one]@d1=hey") // a broken document removes nothing of what it held
		plan, err := l.Plan(t.Context())
		if err != nil || plan.Problems.Err() == nil || !strings.Contains(plan.Problems.Err().Error(), "services/b.xml:1:") {
			t.Errorf("problems: %v, %v", plan.Problems, err)
		}

		files["services/b.xml"] = instancesOf("two", "ho")
		files["services/motd.tmpl"] = "{{ .Instance.text }"
		r.set(files)
		settle()
		w.expectApplied() // a broken template stops its instances
		files["services/motd.tmpl"] = motdTemplate
		files["devices/lab.xml"] = strings.Replace(lab, "<addr>127.0.0.2</addr>", "<addr></addr>", 1)
		r.set(files)
		settle()
		if !slices.Equal(w.devices.names, []string{"d1", "d2"}) {
			t.Errorf("a device that broke left: %v", w.devices.names)
		}
		l.end()
	})
}

// What is wrong beside the resources is told with its place.
func TestServiceFilesWithFaults(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newServiceWorld(t, newRepo("r", map[string]string{
			"devices/lab.xml":      strings.Replace(lab, "<device-name>d1<", "<device-name>d9</device-name><device-name>d1<", 1),
			"services/motd.tmpl":   motdTemplate,
			"services/a.xml":       instancesOf("one", "hi", "two", "ho"),
			"services/broken.yang": "module broken {",
			"services/motd.yang": `module motd { namespace "http://example.com/motd"; prefix m; import clixon-controller { prefix ctrl; }
				augment "/ctrl:services" { list motd { key name; leaf name { type string; } leaf text { type string { pattern 'h[ae]?i?'; } } } } }`,
		}))
		l, _ := w.begin()
		w.expectApplied("motd[one]@d1=hi") // the other is against its model
		plan, _ := l.Plan(t.Context())
		all := plan.Problems.Error()
		for _, c := range plan.Changes {
			all += c.Name + ": " + c.Problems.Error() + "\n"
		}
		for _, want := range []string{"services/broken.yang:", "\"d9\"", "motd[two]: services/a.xml:3:"} {
			if !strings.Contains(all, want) {
				t.Errorf("nothing is said of %s:\n%s", want, all)
			}
		}
		l.end()
	})
}

func TestServiceOutcomes(t *testing.T) {
	refused := &device.RefusedError{Device: "d1", Step: "edit-config", Err: errors.New("bad value")}
	for name, tc := range map[string]struct {
		mode   device.Mode
		answer func(n int) device.Result
		after  time.Duration
		want   int // calls of Apply in all
		state  string
	}{
		"refused by all is not tried again": {device.All, func(int) device.Result { return device.Result{Err: refused} }, time.Hour, 1, "ready"},
		"refused per device has failed":     {device.PerDevice, func(int) device.Result { return device.Result{Err: refused} }, time.Hour, 1, "failed"},
		"unreachable is tried again":        {device.All, flaky(&device.UnreachableError{Device: "d1", Err: errors.New("away")}), time.Hour, 2, "ready"},
		"a conflict is looked at again":     {device.All, flaky(&device.ConflictError{}), time.Hour, 2, "ready"},
		"a device that is behind is awaited": {device.PerDevice, func(n int) device.Result {
			if n == 1 {
				return device.Result{Pending: []string{"d1"}}
			}
			return device.Result{}
		}, time.Hour, 2, "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				w := newServiceWorld(t, newRepo("r", map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "a.xml": instancesOf("one", "hi")}))
				w.mode = tc.mode
				n := 0
				w.devices.answer = func(device.Change) device.Result { n++; return tc.answer(n) }
				l, s := w.begin()
				time.Sleep(tc.after)
				if got := w.devices.take(); len(got) != tc.want {
					t.Errorf("applied %d times: %q", len(got), got)
				}
				list, err := s.ServiceStatus(t.Context())
				if err != nil || len(list) != 1 || list[0].State != tc.state {
					t.Errorf("status: %+v, %v", list, err)
				}
				l.end()
			})
		})
	}
}

func flaky(err error) func(int) device.Result {
	return func(n int) device.Result {
		if n == 1 {
			return device.Result{Err: err}
		}
		return device.Result{}
	}
}

// Two instances that want different values of one leaf are held back both, until
// they agree or one of them goes, whichever is tried when.
func TestServicesThatClash(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "services/a.xml": instancesOf("one", "hi"), "services/b.xml": instancesOf("two", "ho")}
		r := newRepo("r", files)
		w := newServiceWorld(t, r)
		w.devices.clash = true
		l, _ := w.begin()
		time.Sleep(time.Hour)
		w.devices.take()
		files["services/a.xml"] = instancesOf("one", "hey")
		r.set(files)
		time.Sleep(time.Hour)
		if got := strings.Join(w.devices.take(), ";"); got != "" {
			t.Errorf("one of two in conflict was applied: %s", got)
		}
		files["services/a.xml"] = instancesOf("one", "ho")
		r.set(files)
		time.Sleep(time.Hour)
		got := w.devices.take()
		slices.Sort(got)
		if strings.Join(slices.Compact(got), ";") != "motd[one]@d1=ho;motd[two]@d1=ho" {
			t.Errorf("they agree: %q", got)
		}
		l.end()
	})
}

func TestServiceHandlers(t *testing.T) {
	in(t, func(t *testing.T) {
		files := map[string]string{"devices/lab.xml": lab, "services/a.xml": instancesOf("one", "hi")}
		r := newRepo("r", files)
		w := newServiceWorld(t, r)
		w.handlers.away = true
		l, s := w.begin()
		w.expectApplied()
		if e := w.eventsOf(sse.TypeServiceFailed); len(e) != 1 || !strings.Contains(e[0].Message, "motd") {
			t.Errorf("without a handler: %+v", e)
		}
		w.handlers.mu.Lock()
		w.handlers.away = false
		w.handlers.mu.Unlock()
		l.Soon(ServiceKind)
		settle()
		w.expectApplied("motd[one]@d1=by handler@d2=by handler")

		res, err := s.Commit(t.Context(), service.CommitRequest{Actions: "FORCE", Instance: "motd[one]", Push: "NONE"})
		if err != nil || len(res.Diff) != 2 || !strings.Contains(res.Diff["d2"], "by handler") {
			t.Errorf("dry run: %+v, %v", res, err)
		}
		w.expectApplied()
		if _, err := s.Commit(t.Context(), service.CommitRequest{Actions: "FORCE", Instance: "motd[one]", Push: "COMMIT", User: "op"}); err != nil {
			t.Errorf("forced: %v", err)
		}
		w.expectApplied("motd[one]@d1=by handler@d2=by handler")
		if _, err := s.Commit(t.Context(), service.CommitRequest{Actions: "CHANGE", Instance: "motd[none]", Push: "COMMIT"}); err == nil {
			t.Error("an unknown instance was committed")
		}

		files["services/a.xml"] = instancesOf()
		files["services/b.xml"] = instancesOf("other", "x")
		r.set(files)
		settle()
		w.expectApplied("motd[one]- motd[other]@d1=by handler@d2=by handler")
		want := []string{
			"motd[one] deleted=false dry=false", "motd[one] deleted=false dry=true", "motd[one] deleted=false dry=false",
			"motd[one] deleted=true dry=false", "motd[other] deleted=false dry=false",
		}
		got := w.handlers.runs
		slices.Sort(got[3:])
		if !slices.Equal(got, want) {
			t.Errorf("runs: %q", got)
		}
		l.end()
	})
}

func TestPlanShowsDevices(t *testing.T) {
	in(t, func(t *testing.T) {
		r := newRepo("r", map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": strings.ReplaceAll(motdTemplate, "motd", "motd-password"), "services/a.xml": instancesOf("one", "hi", "two", "ho")})
		w := newServiceWorld(t, r)
		s, d := NewServices(ServiceConfig{Devices: w.devices, Mode: device.All, Publish: w.publish, Timeout: time.Minute, Wait: time.Second})
		l := w.wake(func(c *Config) { c.Kinds = []Kind{s, d} })
		plan, err := l.Plan(t.Context())
		if err != nil || len(plan.Devices) != 1 {
			t.Fatalf("%+v, %v", plan.Devices, err)
		}
		if p := plan.Devices[0]; p.Device != "d1" || strings.Contains(p.XML+p.Diff, "hi") || strings.Count(p.XML, "***") != 2 {
			t.Errorf("plan: %+v", p)
		}
		w.expectApplied()
	})
}

// A retry that is asked for while a batch is under way is one all the same.
func TestRetryWhileUnderWay(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newServiceWorld(t, newRepo("r", map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "services/a.xml": instancesOf("one", "hi")}))
		var l *life
		asked := false
		w.devices.answer = func(device.Change) device.Result {
			if !asked {
				asked = true
				if err := l.Retry(t.Context(), "service/motd[one]", "me"); err != nil {
					t.Error(err)
				}
			}
			return device.Result{}
		}
		s, d := NewServices(ServiceConfig{Devices: w.devices, Mode: device.All, Publish: w.publish, Timeout: time.Minute, Wait: time.Second})
		l = w.wake(func(c *Config) { c.Kinds = []Kind{s, d} })
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- l.Agent.Run(ctx) }()
		settle()
		w.expectApplied("motd[one]@d1=hi", "motd[one]@d1=hi")
		time.Sleep(time.Hour)
		w.expectApplied()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestHeldServices(t *testing.T) {
	in(t, func(t *testing.T) {
		w := newServiceWorld(t, newRepo("r", map[string]string{"devices/lab.xml": lab, "services/motd.tmpl": motdTemplate, "services/a.xml": instancesOf("one", "hi")}))
		l, s := w.begin()
		if s.Held("motd[one]") {
			t.Error("held by nobody")
		}
		if err := l.Suspend(t.Context(), "r", "hands on", "me"); err != nil {
			t.Fatal(err)
		}
		if !s.Held("motd[one]") {
			t.Error("not held with its source")
		}
		if err := l.Resume(t.Context(), "r", "me"); err != nil || s.Held("motd[one]") {
			t.Errorf("still held: %v", err)
		}
		l.end()
	})
}

func TestServicePolicies(t *testing.T) {
	in(t, func(t *testing.T) {
		own := newRepo("own", map[string]string{"services/motd.tmpl": `<motd xmlns="u">{{ .Instance.text }}</motd>`, "services/a.xml": instancesOf("one", "hi")})
		other := newRepo("other", map[string]string{"devices/lab.xml": lab})
		w := newServiceWorld(t, own, other)
		s, d := NewServices(ServiceConfig{Devices: w.devices, Mode: device.All, Publish: w.publish, Timeout: time.Minute, Wait: time.Second})
		l := w.start(func(c *Config) {
			c.Kinds = []Kind{s, d}
			c.Sources[0].Policy.Devices = []string{"d2"}
		})
		settle()
		got := w.devices.take()
		if len(got) == 0 || got[len(got)-1] != "motd[one]@d2=hi" {
			t.Errorf("granted one device of another source: %q", got)
		}
		l.end()

		w = newServiceWorld(t, own, other)
		s, d = NewServices(ServiceConfig{Devices: w.devices, Mode: device.All, Publish: w.publish, Timeout: time.Minute, Wait: time.Second})
		l = w.start(func(c *Config) { c.Kinds = []Kind{s, d} })
		settle()
		w.expectApplied("motd[one]@")
		l.end()

		w = newServiceWorld(t, own, other)
		s, d = NewServices(ServiceConfig{Devices: w.devices, Mode: device.All, Publish: w.publish, Timeout: time.Minute, Wait: time.Second})
		l = w.start(func(c *Config) {
			c.Kinds = []Kind{s, d}
			c.Sources[0].Policy.Kinds, c.Sources[1].Policy.Kinds = []string{"pipelines"}, []string{"pipelines"}
		})
		settle()
		w.expectApplied()
		if len(w.devices.names) != 0 {
			t.Errorf("devices of a source that may have none: %v", w.devices.names)
		}
		l.end()
	})
}
