package fleetapi_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/abide-agent/abide/fleetapi"
	"github.com/abide-agent/abide/units"
)

// machineID is that of the machine that was recorded.
const machineID = "a264def39a8047819c2aee34f9e26b1d"

var start = time.Date(2026, 11, 21, 22, 0, 0, 0, time.UTC)

// memory is a keeper that is as durable as the test.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
	fail error
}

func (m *memory) Load(context.Context) (map[string][]byte, error) { return m.kept, nil }

func (m *memory) Save(_ context.Context, writes map[string][]byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	if m.kept == nil {
		m.kept = map[string][]byte{}
	}
	for k, v := range writes {
		if v == nil {
			delete(m.kept, k)
		} else {
			m.kept[k] = v
		}
	}
	return nil
}

// world is a machine with a simulated engine behind the API.
type world struct {
	t        testing.TB
	keeper   *memory
	registry *units.Registry
	board    *units.Board
	machine  units.Machine
	handler  *fleetapi.Handler
	eager    atomic.Bool // the engine works at once, not when settle is called
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{
		t: t, keeper: &memory{}, board: units.NewBoard(),
		machine: units.Machine{ID: machineID, Address: "172.17.0.4", Metadata: map[string]string{"disk": "ssd", "region": "eu-west"}},
	}
	var err error
	w.registry, _, err = units.OpenRegistry(t.Context(), units.RegistryOptions{
		Keeper: w.keeper, Now: func() time.Time { return start },
		Changed: func() {
			if w.eager.Load() {
				w.settle()
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.handler = fleetapi.New(fleetapi.Options{
		Registry: w.registry, Board: w.board, Machine: w.machine, Version: "1.2.3", Patience: time.Second,
	})
	return w
}

// settle lets the simulated engine make everything as it is wanted.
func (w *world) settle() {
	var all []units.Candidate
	list := w.registry.After("", units.MaxUnits)
	for _, s := range list {
		if s.Desired != units.Inactive {
			all = append(all, units.Candidate{Name: s.Name, Fleet: units.XFleetOf(s.Name, s.Options)})
		}
	}
	refused := units.Place(all, w.machine)
	known := map[string]bool{}
	for _, s := range list {
		if status, ok := simulate(s); ok && refused[s.Name] == "" {
			w.board.Set(s.Name, units.Live{Status: status})
			known[s.Name] = true
		}
	}
	for _, l := range w.board.Placed("", units.MaxUnits) {
		if !known[l.Status.Name] {
			w.board.Drop(l.Status.Name)
		}
	}
}

// simulate says what systemd would make of a unit.
func simulate(s *units.Stored) (units.Status, bool) {
	st := units.Status{Name: s.Name, Load: "loaded", Active: "inactive", Sub: "dead"}
	if s.Desired == units.Inactive {
		return st, false
	}
	if !strings.Contains(s.Text, "ExecStart=") {
		st.Load = "bad-setting"
		return st, true
	}
	if s.Desired == units.Launched {
		st.Active, st.Sub = "active", "running"
		if strings.Contains(s.Text, "/no/such/file") {
			st.Active, st.Sub, st.Result, st.Exit = "failed", "failed", "exit-code", 203
		}
	}
	return st, true
}

func (w *world) do(method, target, body string, contentTypes ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, target, strings.NewReader(body))
	r.Header["Content-Type"] = contentTypes
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	return rec
}

func (w *world) put(name, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodPut, "/fleet/v1/units/"+name, body, "application/json")
}

func (w *world) get(target string) *httptest.ResponseRecorder {
	w.t.Helper()
	return w.do(http.MethodGet, "/fleet/v1"+target, "")
}

func (w *world) unit(name string) (u fleetapi.Unit) {
	w.t.Helper()
	read(w.t, w.get("/units/"+name), http.StatusOK, &u)
	return u
}

func read(t testing.TB, rec *httptest.ResponseRecorder, status int, to any) {
	t.Helper()
	if rec.Code != status {
		t.Fatalf("status %d, want %d: %s", rec.Code, status, rec.Body)
	}
	if err := json.Unmarshal(rec.Body.Bytes(), to); err != nil {
		t.Fatalf("%v: %s", err, rec.Body)
	}
}

// wantError checks an error in fleet's shape.
func wantError(t testing.TB, rec *httptest.ResponseRecorder, status int, message string) {
	t.Helper()
	var body fleetapi.ErrorBody
	read(t, rec, status, &body)
	if body.Error.Code != status || body.Error.Message != message {
		t.Errorf("code %d, message %q\nwant %d, %q", body.Error.Code, body.Error.Message, status, message)
	}
	if got := rec.Header().Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

const sleeps = `{"section": "Service", "name": "ExecStart", "value": "/bin/sleep 1d"}`

func options(desired string, list ...string) string {
	body := `{"options": [` + strings.Join(list, ", ") + `]`
	if desired != "" {
		body += `, "desiredState": "` + desired + `"`
	}
	return body + "}"
}
