package fleetapi_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
	"github.com/abide-agent/abide/units"
)

var option = []units.Option{{Section: "Service", Name: "ExecStart", Value: "/bin/true"}}

func fill(t testing.TB, w *world, n int) {
	t.Helper()
	for i := range n {
		if _, err := w.registry.Put(t.Context(), fmt.Sprintf("u%05d.service", i), option, units.Launched); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPages checks the number of pages, and that none is empty.
func TestPages(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]int{0: 1, 1: 1, 99: 1, 100: 1, 101: 2, 200: 2, 1000: 10} {
		w := newWorld(t)
		fill(t, w, n)
		w.settle()
		for _, list := range []string{"units", "state"} {
			pages, names := walk(t, w, list, func(int) {})
			if pages != want || len(names) != n {
				t.Errorf("%d of %s: %d pages with %d", n, list, pages, len(names))
			}
		}
	}
}

// walk follows a list to its end and gives what it saw.
func walk(t testing.TB, w *world, list string, between func(page int)) (pages int, names []string) {
	t.Helper()
	next := ""
	for {
		var page struct {
			Next          *string `json:"nextPageToken"`
			Units, States []struct{ Name string }
		}
		read(t, w.get("/"+list+next), http.StatusOK, &page)
		pages++
		for _, u := range append(page.Units, page.States...) {
			names = append(names, u.Name)
		}
		if page.Next == nil {
			return pages, names
		}
		if *page.Next == "" || len(*page.Next) > 400 {
			t.Fatalf("token %q", *page.Next)
		}
		next = "?nextPageToken=" + url.QueryEscape(*page.Next)
		between(pages)
	}
}

// TestPagesStable deletes and creates between the pages: whatever was there all
// the time is seen just once.
func TestPagesStable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fill(t, w, 300)
	_, names := walk(t, w, "units", func(page int) {
		for i := range 50 {
			if err := w.registry.Delete(t.Context(), fmt.Sprintf("u%05d.service", (page-1)*100+i+50)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.registry.Put(t.Context(), fmt.Sprintf("a%d-%d.service", page, i), option, units.Inactive); err != nil {
				t.Fatal(err)
			}
		}
	})
	if len(names) != 300 || !slices.IsSorted(names) || len(slices.Compact(names)) != 300 {
		t.Errorf("%d names, %d of them different", len(names), len(slices.Compact(names)))
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fill(t, w, 250)
	for _, list := range []string{"units", "state", "machines"} {
		for tokens, message := range map[string]string{
			"!!": "illegal base64 data at input byte 0", "": "EOF", "ZAA=": "unexpected EOF", "MgABAA==": "token limit must be 100",
			"ZAAAAA==": "token page must be greater than zero", "ZAABAA==&nextPageToken=ZAACAA==": "too many values for page token",
			"////": "illegal base64 data at input byte 0", "AQIDBAUG": "", "ZAABAAAAAAA=": "",
		} {
			rec := w.get("/" + list + "?nextPageToken=" + tokens)
			if message == "" {
				if rec.Code != 200 {
					t.Errorf("%s %s: %s", list, tokens, rec.Body)
				}
				continue
			}
			wantError(t, rec, 400, message)
		}
	}
	var page fleetapi.UnitPage
	read(t, w.get("/units?nextPageToken=ZAADAA=="), 200, &page) // fleet's third page
	if len(page.Units) != 50 || page.Units[0].Name != "u00200.service" || page.Next != "" {
		t.Errorf("%d units, next %q", len(page.Units), page.Next)
	}
	if rec := w.get("/machines?nextPageToken=ZAACAA=="); rec.Body.String() != "{}" {
		t.Error(rec.Body)
	}
}

func TestStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("a.service", options("launched", sleeps))
	w.put("b.service", options("inactive", sleeps))
	w.settle()
	w.board.Set("left.service", units.Live{Status: units.Status{Load: "loaded", Active: "deactivating", Sub: "stop"}, Hash: "of what is placed"})
	for target, want := range map[string]string{
		"/state": "a.service left.service", "/state?unitName=a.service": "a.service", "/state?unitName=a.service&unitName=b.service": "a.service",
		"/state?unitName=b.service": "", "/state?machineID=" + machineID: "a.service left.service", "/state?machineID=x": "",
		"/state?machineID=x&unitName=a.service": "", "/state?unitName=left.service&alt=json": "left.service",
	} {
		var page fleetapi.StatePage
		read(t, w.get(target), 200, &page)
		var names []string
		for _, s := range page.States {
			names = append(names, s.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	var state fleetapi.UnitState
	read(t, w.get("/state/left.service"), 200, &state)
	if state.Hash != "of what is placed" || state.MachineID != machineID {
		t.Errorf("%+v", state)
	}
	wantError(t, w.get("/state/b.service"), 404, "unit state does not exist")

	w.board.SetDown(errors.New("systemd can't be reached over D-Bus; is dbus running?"))
	const down = "systemd can't be reached over D-Bus; is dbus running?"
	wantError(t, w.get("/state"), 503, down)
	wantError(t, w.get("/state/a.service"), 503, down)
	if u := w.unit("a.service"); u.CurrentState != "launched" || u.Health != "unknown" || u.Reason != down {
		t.Errorf("%+v", u)
	}
	if rec := w.put("c.service", options("launched", sleeps)); rec.Code != 201 {
		t.Error("nothing can be created while the engine is down", rec.Body)
	}
}

func TestExtraFields(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.put("a.service", options("launched", sleeps))
	w.board.Set("a.service", units.Live{
		Status: units.Status{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", Exit: 3, Since: start}, Drift: "its file was edited",
	})
	u := w.unit("a.service")
	if u.CurrentState != "loaded" || u.Health != "failed" || u.Reason != "it failed: exit-code, status 3" || u.Since != "2026-11-21T22:00:00Z" ||
		u.Drift != "its file was edited" || u.Source != units.RegistrySource || u.MachineID != machineID {
		t.Errorf("%+v", u)
	}
	w.board.Set("a.service", units.Live{Status: units.Status{Load: "loaded", Active: "active"}, Busy: true})
	if u := w.unit("a.service"); u.CurrentState != "launched" || u.Health != "changing" {
		t.Errorf("it runs with what it was before: %+v", u)
	}
	w.board.Set("a.service", units.Live{Health: "rejected", Reason: "why", Since: start.AddDate(1, 0, 0)})
	if u := w.unit("a.service"); u.Health != "rejected" || u.Reason != "why" || u.Since != "2027-11-21T22:00:00Z" || u.MachineID != "" {
		t.Errorf("%+v", u)
	}
}

// TestRoutes checks that every path and method is let through to somebody.
func TestRoutes(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	roles := map[string]string{}
	for _, r := range fleetapi.Routes() {
		mux.Handle(r.Pattern, http.NotFoundHandler())
		roles[r.Pattern] = r.Role
	}
	for request, want := range map[string]string{
		"GET /fleet/v1/units": "read", "HEAD /fleet/v1/units": "read", "POST /fleet/v1/units": "read", "OPTIONS /v1-alpha/units": "read",
		"PUT /fleet/v1/units/a.service": "trigger", "DELETE /v1-alpha/units/a": "trigger", "PATCH /fleet/v1/machines": "admin", "GET /v1-alpha": "read",
	} {
		method, path, _ := strings.Cut(request, " ")
		r, err := http.NewRequestWithContext(t.Context(), method, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, pattern := mux.Handler(r); roles[pattern] != want {
			t.Errorf("%s: %s asks for %q, want %q", request, pattern, roles[pattern], want)
		}
	}
}

// TestTogether lets many callers work on few units at a time.
func TestTogether(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.eager.Store(true)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			name := fmt.Sprintf("u%d.service", i%3)
			for range 20 {
				for _, rec := range []interface{ Result() *http.Response }{
					w.put(name, options("launched", sleeps)), w.get("/units"), w.get("/state"), w.put(name, `{"desiredState":"loaded"}`),
					w.do(http.MethodDelete, "/fleet/v1/units/"+name, ""), w.get("/units/" + name),
				} {
					if code := rec.Result().StatusCode; code >= 500 {
						t.Error(code)
					}
				}
			}
		})
	}
	group.Wait()
}
