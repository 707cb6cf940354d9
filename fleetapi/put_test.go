package fleetapi_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/units"
)

func TestPutReplaces(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const other = `{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 2d"}`
	for _, step := range []struct {
		body   string
		status int
		want   units.State
	}{
		{options("launched", sleeps), 201, units.Launched},
		{options("", other), 201, units.Launched}, // options alone keep the desired state
		{options("loaded", sleeps), 201, units.Loaded},
		{options("launched", sleeps), 204, units.Launched},
		{`{"desiredState": "inactive"}`, 204, units.Inactive},
		{options("bogus", other), 400, units.Inactive},
		{options("launched", `{"section": "X-Fleet", "name": "Global", "value": "1"}`, `{"section": "X-Fleet", "name": "MachineID", "value": "1"}`), 400, units.Inactive},
	} {
		w.board.Drop("a.service") // nothing to wait for
		if rec := w.put("a.service", step.body); rec.Code != step.status {
			t.Errorf("%s: %d %s", step.body, rec.Code, rec.Body)
		}
		if s, ok := w.registry.Get("a.service"); !ok || s.Desired != step.want {
			t.Errorf("%s: desired %v, want %s", step.body, s, step.want)
		}
	}
}

func TestPutInstance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.board.Declare([]units.Declared{{
		Name: "git@.service", Source: "app", File: "units/git@.service",
		Options: []units.Option{{Section: "Service", Name: "ExecStart", Value: "/bin/git %i"}, {Section: "X-Fleet", Name: "MachineOf", Value: "%i"}},
	}})
	w.put("api@.service", options("", sleeps))
	for name, want := range map[string]string{"git@1.service": "/bin/git %i", "api@1.service": "/bin/sleep 1d"} {
		if rec := w.put(name, `{"desiredState": "loaded"}`); rec.Code != 201 {
			t.Fatal(rec.Code, rec.Body)
		}
		if u := w.unit(name); u.Options[0].Value != want || u.DesiredState != "loaded" {
			t.Errorf("%+v", u)
		}
	}
	if rec := w.put("api@2.service", `{}`); rec.Code != 201 || w.unit("api@2.service").DesiredState != "inactive" {
		t.Error(rec.Code, rec.Body)
	}
	wantError(t, w.put("none@1.service", `{"desiredState": "loaded"}`), 409, "unit does not exist and options field empty")
	wantError(t, w.put("api@a%20b.service", `{}`), 400, "invalid character ' ' in unit name")
	wantError(t, w.put("api@3.service", `{"desiredState": "up"}`), 400, `invalid value "up" for JobState`)
	wantError(t, w.put("new@.service", options("loaded", sleeps)), 400, `cannot activate template "new@.service"`)
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("both.service", options("loaded", sleeps))
	w.put("z.service", options("", sleeps))
	w.board.Declare([]units.Declared{
		{Name: "both.service", Source: "app", File: "units/both.service", Desired: units.Launched},
		{Name: "git.service", Source: "app", File: "units/git.service", Desired: units.Launched, Options: []units.Option{{Section: "Service", Name: "A", Value: "b"}}},
	})
	const message = "unit git.service is declared by the source app in units/git.service and can't be changed here; change it there"
	wantError(t, w.put("git.service", `{"desiredState": "inactive"}`), 409, message)
	wantError(t, w.put("git.service", options("launched", sleeps)), 409, message)
	wantError(t, w.do(http.MethodDelete, "/fleet/v1/units/git.service", ""), 409, message)
	if u := w.unit("git.service"); u.Source != "app" || u.DesiredState != "launched" || u.CurrentState != "inactive" || u.Health != "absent" {
		t.Errorf("%+v", u)
	}
	var page struct {
		Units []struct{ Name, Source string }
	}
	read(t, w.get("/units"), 200, &page)
	list := ""
	for _, u := range page.Units {
		list += u.Name + " " + u.Source + ", "
	}
	if list != "both.service app, git.service app, z.service fleet-api, " {
		t.Error(list)
	}
}

func TestPutFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("a.service", options("launched", sleeps))
	w.keeper.fail = errors.New("no space left on device")
	for _, rec := range []interface{ Result() *http.Response }{
		w.put("a.service", options("loaded", sleeps)), w.put("b.service", options("", sleeps)),
		w.do(http.MethodDelete, "/fleet/v1/units/a.service", ""),
		w.do(http.MethodPatch, "/fleet/v1/machines", `[{"op":"add","path":"/m/metadata/a","value":"b"}]`),
	} {
		if code := rec.Result().StatusCode; code != 503 {
			t.Error(code)
		}
	}
	wantError(t, w.put("b.service", options("", sleeps)), 503, "the registry of units can't be written: no space left on device")
	if u := w.unit("a.service"); u.DesiredState != "launched" {
		t.Errorf("%+v", u)
	}
	w.keeper.fail = nil
	big := options("", `{"section": "A", "name": "b", "value": "`+strings.Repeat("x", 1<<20)+`"}`)
	wantError(t, w.put("b.service", big), 413, "the body has more than 1048576 bytes")
	wantError(t, w.put("b.service", `{"options":[{"name":5}]}`), 400,
		"unable to decode body: json: cannot unmarshal number into Go struct field UnitOption.options.name of type string")
	for op, message := range map[string]string{
		`{"op":"add","path":"/m/metadata/a","value":5}`:                    "json: cannot unmarshal number into Go struct field machineMetadataOp.value of type string",
		`{"op":"add","path":"/m/metadata/a b","value":"x"}`:                "machine metadata path invalid",
		`{"op":"replace","path":"/m/metadata/a","value":{"value":""}}`:     "invalid value: add and replace require a value",
		`{"op":"add","path":"/m/metadata/a","value":"` + long(2000) + `"}`: "invalid value: a machine, key or value has more than 1024 bytes",
	} {
		wantError(t, w.do(http.MethodPatch, "/fleet/v1/machines", "["+op+"]"), 400, message)
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// TestPutWaits checks that a PUT which asks for less answers once less is there,
// or after a second, and that no other waits.
func TestPutWaits(t *testing.T) {
	t.Parallel()
	up := units.Live{Status: units.Status{Load: "loaded", Active: "active"}}
	for name, tt := range map[string]struct {
		body  string
		begin func(*world)
		then  func(*world) // after 300 ms
		took  time.Duration
	}{
		"lower, seen":  {`{"desiredState":"inactive"}`, nil, func(w *world) { w.board.Drop("a.service") }, 300 * time.Millisecond},
		"lower, never": {`{"desiredState":"inactive"}`, nil, func(*world) {}, time.Second},
		"lower, loaded seen": {`{"desiredState":"loaded"}`, nil, func(w *world) {
			w.board.Set("a.service", units.Live{Status: units.Status{Load: "loaded", Active: "inactive"}})
		}, 300 * time.Millisecond},
		"replaced and lower": {options("loaded", `{"section":"A","name":"b","value":"c"}`), nil, func(w *world) { w.board.Drop("a.service") }, 300 * time.Millisecond},
		"still busy":         {`{"desiredState":"inactive"}`, nil, func(w *world) { w.board.Set("a.service", units.Live{Busy: true}) }, time.Second},
		"its job goes on": {`{"desiredState":"loaded"}`, nil, func(w *world) {
			w.board.Set("a.service", units.Live{Status: units.Status{Load: "loaded", Active: "inactive", Job: "stop"}})
		}, time.Second},
		"the same":     {`{"desiredState":"launched"}`, nil, func(*world) {}, 0},
		"gone already": {`{"desiredState":"inactive"}`, func(w *world) { w.board.Drop("a.service") }, func(*world) {}, 0},
		"engine down":  {`{"desiredState":"inactive"}`, func(w *world) { w.board.SetDown(errors.New("no bus")) }, func(*world) {}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				began := time.Now()
				w.put("a.service", options("launched", sleeps))
				if took := time.Since(began); took != 0 {
					t.Errorf("a create waited %s", took)
				}
				w.board.Set("a.service", up)
				if tt.begin != nil {
					tt.begin(w)
				}
				go func() {
					time.Sleep(300 * time.Millisecond)
					tt.then(w)
				}()
				began = time.Now()
				if rec := w.put("a.service", tt.body); rec.Code/100 != 2 {
					t.Error(rec.Code, rec.Body)
				}
				if took := time.Since(began); took != tt.took {
					t.Errorf("took %s, want %s", took, tt.took)
				}
				synctest.Wait()
				time.Sleep(time.Second)
			})
		})
	}
}
