package fleetapi

import (
	"net/http"

	"github.com/abide-agent/abide/units"
)

// states serves GET /state. What systemd says can't be told while it can't be
// asked, so that is an error there, not an old answer.
func (h *Handler) states(w http.ResponseWriter, r *http.Request, _ string) {
	if r.Method != http.MethodGet {
		fail(w, http.StatusMethodNotAllowed, "only GET supported against this resource")
		return
	}
	query := r.URL.Query()
	from, err := pageOf(query)
	if err != nil {
		Fail(w, http.StatusBadRequest, err.Error())
		return
	}
	if err := h.Board.Down(); err != nil {
		Fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	if machine := query.Get("machineID"); machine != "" && machine != h.Machine.ID {
		answer(w, http.StatusOK, StatePage{})
		return
	}
	if name := query.Get("unitName"); name != "" {
		var page StatePage
		if l := h.Board.Live(name); l.Status.State() != units.Inactive && from == (position{}) {
			l.Status.Name = name
			page.States = []UnitState{h.stateOf(l)}
		}
		answer(w, http.StatusOK, page)
		return
	}
	list, next := cut(from, h.Board.Placed(from.after, from.want()), func(l units.Live) string { return l.Status.Name })
	page := StatePage{Next: next}
	for _, l := range list {
		page.States = append(page.States, h.stateOf(l))
	}
	answer(w, http.StatusOK, page)
}

// state serves GET /state/NAME.
func (h *Handler) state(w http.ResponseWriter, r *http.Request, name string) {
	l := h.Board.Live(name)
	down := h.Board.Down()
	switch {
	case r.Method != http.MethodGet:
		fail(w, http.StatusMethodNotAllowed, "only GET supported against this resource")
	case down != nil:
		Fail(w, http.StatusServiceUnavailable, down.Error())
	case l.Status.State() == units.Inactive:
		fail(w, http.StatusNotFound, "unit state does not exist")
	default:
		l.Status.Name = name
		answer(w, http.StatusOK, h.stateOf(l))
	}
}

func (h *Handler) stateOf(l units.Live) UnitState {
	s := UnitState{
		Hash: l.Hash, MachineID: h.Machine.ID, Name: l.Status.Name,
		ActiveState: l.Status.Active, LoadState: l.Status.Load, SubState: l.Status.Sub,
	}
	if s.Hash != "" {
		return s
	}
	if d, ok := h.Board.Declared(s.Name); ok {
		s.Hash = units.Hash(d.Options)
	} else if stored, ok := h.Registry.Get(s.Name); ok {
		s.Hash = stored.Hash
	}
	return s
}
