package fleetapi

import (
	_ "embed"
	"net/http"
	"strconv"
)

// document tells clients of Google's discovery format what there is. They put
// their own endpoint in the place of $ENDPOINT. Units.Set and Units.Delete have
// no response on purpose: clients would try to read a body where there is none.
//
//go:embed discovery.json
var document []byte

// discovery serves GET /discovery.
func (h *Handler) discovery(w http.ResponseWriter, r *http.Request, _ string) {
	if r.Method != http.MethodGet {
		fail(w, http.StatusBadRequest, "only HTTP GET supported against this resource")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(document)))
	w.Write(document)
}
