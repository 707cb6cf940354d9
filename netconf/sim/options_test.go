package sim_test

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
	"github.com/abide-agent/abide/netconf/tree"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]sim.Options{
		"hostname: \"no good\"":         {Startup: parse(t, hostname("no good"))},
		"no model has the namespace":    {Startup: parse(t, strings.Repeat(`<x xmlns="urn:x"/>`, 9))},
		"and 4 more":                    {Startup: parse(t, strings.Repeat(`<x xmlns="urn:x"/>`, 9))},
		"host key can't be read":        {HostKey: []byte("x")},
		"authorized keys can't be read": {AuthorizedKeys: []byte("x")},
		"must is missing":               {Models: models(t, "m", rules), Startup: parse(t, `<c xmlns="urn:m"><any/></c>`)},
	} {
		if _, err := sim.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	if err := device(t, sim.Options{}).Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), "nobody could log in") {
		t.Errorf("a device without a way in gave %v", err)
	}
}

// TestSave saves what is final, and nothing else.
func TestSave(t *testing.T) {
	t.Parallel()
	var saved []string
	var full error
	o := sim.Options{Save: func(config *tree.Node) error {
		saved = append(saved, config.Pretty())
		return full
	}}
	last := func(n int, want string) {
		t.Helper()
		if len(saved) != n || saved[n-1] != parse(t, want).Pretty() {
			t.Errorf("saved %d times, now %v", len(saved), saved)
		}
	}
	d := device(t, o)
	s := open(t, d)
	ctx := t.Context()
	must(t, s.EditConfig(ctx, merge, parse(t, hostname("a"))), s.Commit(ctx, netconf.CommitOptions{Confirmed: true}))
	if len(saved) > 0 {
		t.Error("saved what isn't confirmed")
	}
	must(t, s.Commit(ctx, netconf.CommitOptions{}))
	last(1, hostname("a"))
	full = errors.New("disk full")
	must(t, s.EditConfig(ctx, merge, parse(t, hostname("b"))))
	if err := s.Commit(ctx, netconf.CommitOptions{}); !netconf.HasTag(err, "operation-failed") || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("a full disk gave %v", err)
	}
	has(t, d.Config(), hostname("a"))

	saved, full = nil, nil
	o.Mode = sim.WithStartup
	d = device(t, o)
	s = open(t, d)
	must(t, s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Running}, parse(t, hostname("a"))))
	must(t, s.CopyConfig(ctx, netconf.Running, netconf.Startup), s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Running}, parse(t, hostname("b"))))
	last(1, hostname("a"))
	d.Restart()
	<-s.Done()
	has(t, d.Config(), hostname("a"))
}

// TestByHand changes running past the sessions.
func TestByHand(t *testing.T) {
	t.Parallel()
	d := device(t, sim.Options{})
	s := open(t, d)
	candidate := func(want string) {
		t.Helper()
		config, _, err := s.GetConfig(t.Context(), netconf.Candidate, nil)
		must(t, err)
		has(t, config, want)
	}
	must(t, s.Lock(t.Context(), netconf.Running), d.SetConfig(parse(t, hostname("a"))))
	candidate(hostname("a"))
	must(t, s.EditConfig(t.Context(), merge, parse(t, hostname("mine"))), d.SetConfig(parse(t, hostname("b"))))
	candidate(hostname("mine"))
	if err := d.SetConfig(parse(t, hostname("no good"))); err == nil {
		t.Error("by hand anything goes")
	}
	has(t, d.Config(), hostname("b"))
}

func TestLoadModels(t *testing.T) {
	t.Parallel()
	m, warnings, err := sim.LoadModels(fstest.MapFS{
		"a.yang":    {Data: []byte("module a { namespace urn:a; prefix a; include sub; revision 2026-01-01; feature f; leaf x { type string; } }")},
		"sub.yang":  {Data: []byte("submodule sub { belongs-to a { prefix a; } leaf y { type string; } }")},
		"bad.yang":  {Data: []byte("module bad {")},
		"notes.txt": {Data: []byte("not a model")},
	})
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].String(), "bad.yang") {
		t.Fatalf("%v %v", err, warnings)
	}
	s := open(t, device(t, sim.Options{Models: m}))
	modules := s.Capabilities().Modules()
	if a := modules[len(modules)-1]; a.Name != "a" || a.Revision != "2026-01-01" || len(a.Features) != 1 {
		t.Errorf("%+v", modules)
	}
	text, err := s.GetSchema(t.Context(), "sub", "")
	if err != nil || !strings.HasPrefix(text, "submodule sub {") {
		t.Errorf("%s %v", text, err)
	}
	must(t, s.EditConfig(t.Context(), merge, parse(t, `<x xmlns="urn:a">1</x><y xmlns="urn:a">2</y>`)))
	if _, _, err := sim.LoadModels(fstest.MapFS{}); err == nil {
		t.Error("an empty folder was taken")
	}
}

// TestMemory bounds what fifty devices take with a session each, clients and all.
func TestMemory(t *testing.T) {
	used := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc+m.StackInuse) / (1 << 20)
	}
	before := used()
	var all sync.WaitGroup
	for range 50 {
		b := start(t, sim.Options{Startup: users(t, user("a"))})
		s, err := netconf.Dial(t.Context(), b.target)
		must(t, err)
		t.Cleanup(func() { s.Close(context.Background()) })
		all.Go(func() { _, _, _ = s.GetConfig(t.Context(), netconf.Running, nil) })
	}
	all.Wait()
	if mb := used() - before; mb > 40 {
		t.Errorf("50 devices take %.0f MB", mb)
	} else {
		t.Logf("50 devices take %.1f MB", mb)
	}
}
