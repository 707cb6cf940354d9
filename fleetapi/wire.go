package fleetapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/units"
)

// Unit is a unit on the wire. The fields that fleet has come first in what they
// mean; drift, health, ignored, reason, since and source are abide's.
type Unit struct {
	CurrentState string        `json:"currentState,omitempty"`
	DesiredState string        `json:"desiredState,omitempty"`
	Drift        string        `json:"drift,omitempty"`
	Health       string        `json:"health,omitempty"`
	Ignored      []string      `json:"ignored,omitempty"`
	MachineID    string        `json:"machineID,omitempty"`
	Name         string        `json:"name,omitempty"`
	Options      []*UnitOption `json:"options"`
	Reason       string        `json:"reason,omitempty"`
	Since        string        `json:"since,omitempty"` // RFC 3339
	Source       string        `json:"source,omitempty"`
}

// UnitOption is one option of a unit. All three are always there: clients break
// without.
type UnitOption struct {
	Name    string `json:"name"`
	Section string `json:"section"`
	Value   string `json:"value"`
}

// UnitState is what systemd says of a unit on one machine.
type UnitState struct {
	Hash        string `json:"hash,omitempty"`
	MachineID   string `json:"machineID,omitempty"`
	Name        string `json:"name,omitempty"`
	ActiveState string `json:"systemdActiveState,omitempty"`
	LoadState   string `json:"systemdLoadState,omitempty"`
	SubState    string `json:"systemdSubState,omitempty"`
}

// Machine is one machine.
type Machine struct {
	ID        string            `json:"id,omitempty"`
	Metadata  map[string]string `json:"metadata,omitempty"`
	PrimaryIP string            `json:"primaryIP,omitempty"`
}

// UnitPage, StatePage and MachinePage are pages of lists. Without a token there
// is no further page.
type UnitPage struct {
	Next  string `json:"nextPageToken,omitempty"`
	Units []Unit `json:"units,omitempty"`
}

// StatePage is a page of states.
type StatePage struct {
	Next   string      `json:"nextPageToken,omitempty"`
	States []UnitState `json:"states,omitempty"`
}

// MachinePage is a page of machines.
type MachinePage struct {
	Machines []Machine `json:"machines,omitempty"`
	Next     string    `json:"nextPageToken,omitempty"`
}

// ErrorBody is the JSON of every error.
type ErrorBody struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

func toWire(options []units.Option) []*UnitOption {
	all := make([]UnitOption, len(options))
	out := make([]*UnitOption, len(options))
	for i, o := range options {
		all[i] = UnitOption{Name: o.Name, Section: o.Section, Value: o.Value}
		out[i] = &all[i]
	}
	return out
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// answer writes a document.
func answer(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // not with these types
		status, b = http.StatusInternalServerError, []byte(`{"error":{"code":500,"message":"the answer can't be written as JSON"}}`)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b)
}

// refusal is an error with the status that tells it.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func refuse(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

func fail(w http.ResponseWriter, status int, format string, args ...any) {
	Fail(w, status, fmt.Sprintf(format, args...))
}

// Fail answers with an error in fleet's shape, for whoever guards the routes. An
// empty message becomes the status in words: clients show it.
func Fail(w http.ResponseWriter, status int, message string) {
	if message == "" {
		message = http.StatusText(status)
	}
	var body ErrorBody
	body.Error.Code, body.Error.Message = status, message
	answer(w, status, body)
}

// failWith answers with an error of whatever kind.
func failWith(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	switch r, ok := errors.AsType[*refusal](err); {
	case ok:
		status = r.status
	case errors.Is(err, units.ErrNoUnit):
		status = http.StatusNotFound
	case errors.Is(err, units.ErrFull), errors.Is(err, units.ErrTooMuchMetadata):
		status = http.StatusInsufficientStorage
	case errors.Is(err, units.ErrNotKept):
		status = http.StatusServiceUnavailable
	}
	Fail(w, status, err.Error())
}

// fleetTypes gives the errors of decoding the names that fleet's have: clients
// show them, and some compare.
func fleetTypes(err error, pkg string) string {
	return strings.ReplaceAll(err.Error(), "fleetapi.", pkg+".")
}
