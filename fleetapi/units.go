package fleetapi

import (
	"net/http"

	"github.com/abide-agent/abide/units"
)

// units serves GET /units.
func (h *Handler) units(w http.ResponseWriter, r *http.Request, _ string) {
	if r.Method != http.MethodGet {
		fail(w, http.StatusMethodNotAllowed, "only GET supported against this resource")
		return
	}
	from, err := pageOf(r.URL.Query())
	if err != nil {
		Fail(w, http.StatusBadRequest, err.Error())
		return
	}
	list, next := cut(from, h.merged(from.after, from.want()), func(e entry) string { return e.name })
	page := UnitPage{Next: next, Units: make([]Unit, len(list))}
	down := h.Board.Down()
	for i, e := range list {
		page.Units[i] = h.shown(e, down)
	}
	answer(w, http.StatusOK, page)
}

// unit serves /units/NAME.
func (h *Handler) unit(w http.ResponseWriter, r *http.Request, name string) {
	switch r.Method {
	case http.MethodGet:
		e, ok := h.find(name)
		if !ok {
			failWith(w, units.ErrNoUnit)
			return
		}
		answer(w, http.StatusOK, h.shown(e, h.Board.Down()))
	case http.MethodPut:
		h.put(w, r, name)
	case http.MethodDelete:
		h.delete(w, r, name)
	default:
		fail(w, http.StatusMethodNotAllowed, "only GET, PUT and DELETE supported against this resource")
	}
}

func (h *Handler) delete(w http.ResponseWriter, r *http.Request, name string) {
	err := h.readOnly(name)
	if err == nil {
		err = h.Registry.Delete(r.Context(), name)
	}
	if err != nil {
		failWith(w, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// readOnly refuses to change what another source declares.
func (h *Handler) readOnly(name string) error {
	d, ok := h.Board.Declared(name)
	if !ok {
		return nil
	}
	return refuse(http.StatusConflict, "unit %s is declared by the source %s in %s and can't be changed here; change it there", name, d.Source, d.File)
}

// entry is a unit, whoever declares it.
type entry struct {
	name    string
	options []units.Option
	desired units.State
	source  string
}

func ofRegistry(s *units.Stored) entry {
	return entry{s.Name, s.Options, s.Desired, units.RegistrySource}
}

func ofSource(d units.Declared) entry { return entry{d.Name, d.Options, d.Desired, d.Source} }

// find gives one unit. Where a source declares a name that is in the registry
// too, the source's is in force.
func (h *Handler) find(name string) (entry, bool) {
	if d, ok := h.Board.Declared(name); ok {
		return ofSource(d), true
	}
	if s, ok := h.Registry.Get(name); ok {
		return ofRegistry(s), true
	}
	return entry{}, false
}

// merged gives at most limit units whose names follow after, of the registry and
// of other sources in one order.
func (h *Handler) merged(after string, limit int) []entry {
	ours, theirs := h.Registry.After(after, limit), h.Board.DeclaredAfter(after, limit)
	out := make([]entry, 0, min(limit, len(ours)+len(theirs)))
	for len(out) < limit && (len(ours) > 0 || len(theirs) > 0) {
		switch {
		case len(theirs) == 0 || len(ours) > 0 && ours[0].Name < theirs[0].Name:
			out, ours = append(out, ofRegistry(ours[0])), ours[1:]
		default:
			if len(ours) > 0 && ours[0].Name == theirs[0].Name {
				ours = ours[1:]
			}
			out, theirs = append(out, ofSource(theirs[0])), theirs[1:]
		}
	}
	return out
}

// shown is a unit as clients see it: what is wanted beside what is. down says why
// the engine can't be asked; what it last said is shown then, and marked so.
func (h *Handler) shown(e entry, down error) Unit {
	live := h.Board.Live(e.name)
	live.Status.Name = e.name
	state := live.Status.State()
	u := Unit{
		Name: e.name, Options: toWire(e.options), DesiredState: string(e.desired), CurrentState: string(state),
		Source: e.source, Drift: live.Drift, Ignored: live.Ignored, Health: live.Health, Reason: live.Reason, Since: stamp(live.Since),
	}
	if state != units.Inactive && !units.XFleetOf(e.name, e.options).Global {
		u.MachineID = h.Machine.ID // fleet gives none for what is on every machine
	}
	if u.Health == "" {
		u.Health, u.Reason = live.Status.Health(e.desired)
		if live.Busy && u.Health == units.HealthOK { // with what it was, not with what is shown
			u.Health = units.HealthChanging
		}
	}
	if u.Since == "" {
		u.Since = stamp(live.Status.Since)
	}
	if down != nil {
		u.Health, u.Reason = units.HealthUnknown, down.Error()
	}
	return u
}
