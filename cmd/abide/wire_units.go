package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/fleetapi"
	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/units"
	unitprocess "github.com/abide-agent/abide/units/process"
	"github.com/abide-agent/abide/units/systemd"
)

// unitParts is what the family of units adds to an agent.
type unitParts struct {
	kind     *reconcile.Units
	engine   units.Engine
	board    *units.Board
	registry *units.Registry
	machine  units.Machine
	changed  chan struct{} // capacity 1: the registry has changed
}

// openUnits makes the kind of units, its engine and the registry of the units
// that were created over the fleet API. It gives nil where units are off.
func (a *parts) openUnits(ctx context.Context) (*unitParts, error) {
	engine, err := a.unitEngine()
	if engine == nil || err != nil {
		return nil, err
	}
	a.onClose(engine.Close)
	u := &unitParts{engine: engine, board: units.NewBoard(), machine: a.machine(), changed: make(chan struct{}, 1)}
	registry, faults, err := units.OpenRegistry(ctx, units.RegistryOptions{Keeper: keeper{a.store}, Changed: func() {
		select {
		case u.changed <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		return nil, err
	}
	for _, f := range faults {
		a.warn(f.String())
	}
	u.registry = registry
	host, _ := os.Hostname()
	u.kind = reconcile.NewUnits(reconcile.UnitConfig{
		Engine: engine, Publish: a.publish, Board: u.board, Machine: u.present, Host: host, Labels: a.settings.Labels,
	})
	return u, nil
}

// unitEngine gives the engine of the settings. "auto" is systemd where systemd
// is the machine's own, as sd_booted(3) tells, else the embedded one.
func (a *parts) unitEngine() (units.Engine, error) {
	s := a.settings.Units
	name := s.Engine
	if name == "auto" {
		name = "process"
		if info, err := os.Lstat("/run/systemd/system"); err == nil && info.IsDir() {
			name = "systemd"
		}
	}
	switch name {
	case "systemd":
		return systemd.New(systemd.Options{Dir: s.Dir, StateDir: filepath.Join(a.dir, "units"), Sweep: s.Drift})
	case "process":
		return unitprocess.New(unitprocess.Options{Dir: filepath.Join(a.dir, "units", "files"), StateDir: filepath.Join(a.dir, "units"), Sweep: s.Drift})
	}
	return nil, nil
}

// machine is this machine as fleet's API shows it: its id is systemd's, or the
// agent's own where there is none.
func (a *parts) machine() units.Machine {
	m := units.Machine{ID: strings.Repeat("0", 32-len(a.id)) + a.id, Metadata: a.settings.Labels}
	if text, err := os.ReadFile("/etc/machine-id"); err == nil && len(bytes.TrimSpace(text)) == 32 {
		m.ID = string(bytes.TrimSpace(text))
	}
	m.Address = primaryAddress()
	return m
}

// present is this machine with its metadata as it is now, set over the API or not.
func (u *unitParts) present() units.Machine {
	m := u.machine
	m.Metadata = u.registry.Metadata(m)
	return m
}

// keyRegistry is where the registry keeps its units. They are in no repository,
// so the store backs them up.
const keyRegistry = "registry/"

// keeper lets the registry write to the agent's store.
type keeper struct{ store store.Store }

// Load implements [units.Keeper].
func (k keeper) Load(ctx context.Context) (map[string][]byte, error) {
	entries, _, err := k.store.List(ctx, keyRegistry, "", 0)
	out := make(map[string][]byte, len(entries))
	for _, e := range entries {
		out[strings.TrimPrefix(e.Key, keyRegistry)] = e.Value
	}
	return out, err
}

// Save implements [units.Keeper].
func (k keeper) Save(ctx context.Context, writes map[string][]byte) error {
	ops := make([]store.Op, 0, len(writes))
	for key, value := range writes {
		if value == nil {
			ops = append(ops, store.Delete(keyRegistry+key))
		} else {
			ops = append(ops, store.Put(keyRegistry+key, value))
		}
	}
	_, err := k.store.Commit(ctx, ops...)
	return err
}

// registrySource shows the registry to the loop: a source like any other.
type registrySource struct{ *unitParts }

var _ sources.Source = registrySource{}

func (registrySource) Name() string     { return units.RegistrySource }
func (registrySource) Location() string { return "units created over the fleet API" }
func (registrySource) Close() error     { return nil }

func (r registrySource) Snapshot(context.Context) (*sources.Snapshot, error) {
	tree := r.registry.Tree()
	metadata, err := json.Marshal(r.present().Metadata) // units are chosen by it: a change is a reason to choose anew
	return &sources.Snapshot{Source: units.RegistrySource, Revision: tree.Revision(), Content: tree.Revision() + string(metadata), Tree: tree, Exact: true}, err
}

func (r registrySource) At(ctx context.Context, revision string) (*sources.Snapshot, error) {
	snap, err := r.Snapshot(ctx)
	if err == nil && snap.Revision != revision {
		return nil, fmt.Errorf("the registry of units: %w", sources.ErrGone)
	}
	return snap, err
}

func (r registrySource) Run(ctx context.Context, hint func()) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.changed:
			hint()
		}
	}
}

// primaryAddress is the address that this machine would speak from, found by
// asking the kernel for a route; nothing is sent.
func primaryAddress() string {
	conn, err := net.Dial("udp", "192.0.2.1:9") // TEST-NET-1, RFC 5737
	if err != nil {
		return ""
	}
	defer conn.Close()
	if addr, ok := conn.LocalAddr().(*net.UDPAddr); ok {
		return addr.IP.String()
	}
	return ""
}

// mountFleet serves the fleet API beside our own.
func (a *parts) mountFleet(s *api.Server) {
	if a.units == nil {
		return
	}
	h := fleetapi.New(fleetapi.Options{Registry: a.units.registry, Board: a.units.board, Machine: a.units.machine, Version: versionText()})
	for _, r := range fleetapi.Routes() {
		s.MountAs(fleetapi.Fail, r.Pattern, api.Role(r.Role), h)
	}
	s.Mount("GET /v1/units/{name}/journal", api.RoleRead, http.HandlerFunc(a.journal))
}

// unitLines gives the last lines of a unit of ours: what the machine's other
// services print is not for everybody who may read here.
func (a *parts) unitLines(ctx context.Context, name string, n int) ([]string, error) {
	_, stored := a.units.registry.Get(name)
	_, declared := a.units.board.Declared(name)
	if !stored && !declared && a.units.board.Live(name).Status.Name == "" {
		return nil, fmt.Errorf("%w here; `abide units` lists those that there are", units.ErrNoUnit)
	}
	return a.units.engine.Journal(ctx, name, n)
}

// maxJournal bounds the lines of one answer.
const maxJournal = 10_000

// journal answers with the last lines that a unit printed.
func (a *parts) journal(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(r.URL.Query().Get("lines"))
	if err != nil || n < 1 || n > maxJournal {
		n = 100
	}
	name := r.PathValue("name")
	lines, err := a.unitLines(r.Context(), name, n)
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "not_found", "message": "the journal of " + name + " can't be read: " + err.Error()})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"unit": name, "lines": lines})
}
