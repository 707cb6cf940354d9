package fleetapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"github.com/abide-agent/abide/units"
)

// machines serves GET and PATCH /machines.
func (h *Handler) machines(w http.ResponseWriter, r *http.Request, _ string) {
	switch r.Method {
	case http.MethodGet:
		h.listMachines(w, r)
	case http.MethodPatch:
		h.patchMachines(w, r)
	default:
		fail(w, http.StatusMethodNotAllowed, "only GET and PATCH supported against this resource")
	}
}

func (h *Handler) listMachines(w http.ResponseWriter, r *http.Request) {
	from, err := pageOf(r.URL.Query())
	if err != nil {
		Fail(w, http.StatusBadRequest, err.Error())
		return
	}
	var page MachinePage
	if from.skip == 0 && from.after < h.Machine.ID {
		page.Machines = []Machine{{ID: h.Machine.ID, PrimaryIP: h.Machine.Address, Metadata: h.Registry.Metadata(h.Machine)}}
	}
	answer(w, http.StatusOK, page)
}

// machineMetadataOp is one operation of a PATCH.
type machineMetadataOp struct {
	Op    string        `json:"op"`
	Path  string        `json:"path"`
	Value metadataValue `json:"value"`
}

// metadataValue takes both forms of a value: "7", which fleet's documentation
// has, and {"value": "7"}, which its code wants.
type metadataValue string

// UnmarshalJSON implements json.Unmarshaler.
func (v *metadataValue) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '{' {
		var object struct{ Value string }
		err := json.Unmarshal(data, &object)
		*v = metadataValue(object.Value)
		return err
	}
	return json.Unmarshal(data, (*string)(v))
}

var metadataPath = regexp.MustCompile(`^/([^/]+)/metadata/([A-Za-z0-9_.-]+)$`)

// maxWord bounds a machine's id, a key and a value, in bytes.
const maxWord = 1024

func (h *Handler) patchMachines(w http.ResponseWriter, r *http.Request) {
	var body []machineMetadataOp
	if err := decode(w, r, &body); err != nil {
		if _, ok := errors.AsType[*refusal](err); !ok {
			err = refuse(http.StatusBadRequest, "%s", fleetTypes(err, "api"))
		}
		failWith(w, err)
		return
	}
	ops := make([]units.MetadataOp, len(body))
	for i, b := range body {
		op, err := b.check()
		if err != nil {
			failWith(w, err)
			return
		}
		ops[i] = op
	}
	if err := h.Registry.PatchMetadata(r.Context(), ops); err != nil {
		failWith(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json") // without a body, as fleet has it
	w.WriteHeader(http.StatusNoContent)
}

func (o machineMetadataOp) check() (units.MetadataOp, error) {
	if o.Op != "add" && o.Op != "remove" && o.Op != "replace" {
		return units.MetadataOp{}, refuse(http.StatusBadRequest, "invalid op: expect add, remove, or replace")
	}
	m := metadataPath.FindStringSubmatch(o.Path)
	if m == nil {
		return units.MetadataOp{}, refuse(http.StatusBadRequest, "machine metadata path invalid")
	}
	op := units.MetadataOp{Machine: m[1], Key: m[2]}
	if o.Op == "remove" {
		return op, nil
	}
	op.Value = string(o.Value)
	switch {
	case op.Value == "":
		return op, refuse(http.StatusBadRequest, "invalid value: add and replace require a value")
	case len(op.Machine) > maxWord || len(op.Key) > maxWord || len(op.Value) > maxWord:
		return op, refuse(http.StatusBadRequest, "invalid value: a machine, key or value has more than %d bytes", maxWord)
	}
	return op, nil
}
