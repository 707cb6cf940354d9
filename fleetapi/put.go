package fleetapi

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/abide-agent/abide/units"
)

// maxBody bounds what a caller sends, in bytes.
const maxBody = 1 << 20

// put serves PUT /units/NAME. The checks stand in fleet's order.
func (h *Handler) put(w http.ResponseWriter, r *http.Request, name string) {
	body, err := readUnit(w, r, name)
	if err != nil {
		failWith(w, err)
		return
	}
	var p putting
	_, err = h.Registry.Change(r.Context(), name, func(present *units.Stored) (*units.Wish, error) {
		p = putting{h: h, name: name, body: body, present: present}
		return p.decide()
	})
	if err != nil {
		failWith(w, err)
		return
	}
	h.await(r.Context(), &p)
	w.WriteHeader(p.status)
}

// readUnit reads a request up to the check that its names agree.
func readUnit(w http.ResponseWriter, r *http.Request, name string) (*Unit, error) {
	if types := r.Header["Content-Type"]; len(types) != 1 {
		return nil, refuse(http.StatusUnsupportedMediaType, "expected 1 Content-Type, got %d", len(types))
	} else if media, _, _ := strings.Cut(types[0], ";"); strings.TrimSpace(media) != "application/json" {
		return nil, refuse(http.StatusUnsupportedMediaType, "only acceptable Content-Type is application/json")
	}
	var u Unit
	if err := decode(w, r, &u); err != nil {
		if _, ok := errors.AsType[*refusal](err); ok {
			return nil, err
		}
		return nil, refuse(http.StatusBadRequest, "unable to decode body: %s", fleetTypes(err, "schema"))
	}
	if u.Name != "" && u.Name != name {
		return nil, refuse(http.StatusBadRequest, "name in URL %q differs from unit name in request body %q", name, u.Name)
	}
	return &u, nil
}

// decode reads the first JSON value of a body, and leaves the rest.
func decode(w http.ResponseWriter, r *http.Request, to any) error {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(to)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return refuse(http.StatusRequestEntityTooLarge, "the body has more than %d bytes", maxBody)
	}
	return err
}

// putting is one PUT at the moment of its decision.
type putting struct {
	h       *Handler
	name    string
	body    *Unit
	present *units.Stored
	status  int
	desired units.State
}

// decide says what becomes of the unit.
func (p *putting) decide() (*units.Wish, error) {
	if err := p.h.readOnly(p.name); err != nil {
		return nil, err
	}
	options, err := p.options()
	if err != nil {
		return nil, err
	}
	if p.present == nil && len(options) == 0 {
		if options = p.template(); options == nil {
			return nil, refuse(http.StatusConflict, "unit does not exist and options field empty")
		}
	}
	if err := units.ValidateName(p.name); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	if p.present != nil && (len(options) == 0 || units.Hash(options) == p.present.Hash) {
		return p.onlyState()
	}
	if _, err := units.ValidateOptions(p.name, options); err != nil {
		return nil, refuse(http.StatusBadRequest, "%v", err)
	}
	p.status = http.StatusCreated
	p.desired = units.Inactive
	if p.present != nil {
		p.desired = p.present.Desired
	}
	if p.body.DesiredState != "" {
		if err := p.setDesired(); err != nil {
			return nil, err
		}
	}
	return &units.Wish{Options: options, Desired: p.desired}, nil
}

func (p *putting) options() ([]units.Option, error) {
	out := make([]units.Option, len(p.body.Options))
	for i, o := range p.body.Options {
		if o == nil {
			return nil, refuse(http.StatusBadRequest, "option %d is null; give it section, name and value", i+1)
		}
		out[i] = units.Option{Section: o.Section, Name: o.Name, Value: o.Value}
	}
	return out, nil
}

// template gives the options of the template that the unit is an instance of, in
// the registry or declared by a source; nil when there is none.
func (p *putting) template() []units.Option {
	name := units.TemplateOf(p.name)
	if name == "" {
		return nil
	}
	e, _ := p.h.find(name)
	return e.options
}

// onlyState decides on a PUT that leaves the options as they are.
func (p *putting) onlyState() (*units.Wish, error) {
	if p.body.DesiredState == "" {
		return nil, refuse(http.StatusConflict, "must provide DesiredState to update existing unit")
	}
	p.status = http.StatusNoContent
	if err := p.setDesired(); err != nil {
		return nil, err
	}
	return &units.Wish{Desired: p.desired}, nil
}

func (p *putting) setDesired() error {
	if units.IsTemplate(p.name) && p.body.DesiredState != string(units.Inactive) {
		return refuse(http.StatusBadRequest, "cannot activate template %q", p.name)
	}
	desired, err := units.ParseState(p.body.DesiredState)
	if err != nil {
		return refuse(http.StatusBadRequest, "%v", err)
	}
	p.desired = desired
	return nil
}

// await holds the answer of a PUT that asks for less than there is until less is
// there, or until patience ends. Anything else is answered at once.
func (h *Handler) await(ctx context.Context, p *putting) {
	if p.present == nil || h.Board.Down() != nil {
		return
	}
	now := h.Board.Live(p.name).Status.State()
	if p.desired.Rank() >= p.present.Desired.Rank() && p.desired.Rank() >= now.Rank() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, h.Patience)
	defer cancel()
	h.Board.Await(ctx, p.name, func(l units.Live) bool {
		return !l.Busy && l.Status.Job == "" && l.Status.State().Rank() <= p.desired.Rank()
	})
}
