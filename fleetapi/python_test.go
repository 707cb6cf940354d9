package fleetapi_test

import (
	"fmt"
	"testing"

	"github.com/abide-agent/abide/units"
)

// TestPython replays what fleet answered to python-fleet, call by call.
func TestPython(t *testing.T) {
	t.Parallel()
	now := func(current, machine string) difference {
		return difference{status: 200, change: func(b map[string]any) {
			b["currentState"] = current
			delete(b, "machineID")
			if machine != "" {
				b["machineID"] = machine
			}
		}}
	}
	replay(t, newWorld(t), recorded(t, "python.json"), before{
		"16-set-desired-inactive-by-object/1": func(_ *testing.T, w *world) { w.eager.Store(true) },
		"17-get-unit-inactive":                func(_ *testing.T, w *world) { w.eager.Store(false) },
		"37-list-units-paged/1": func(t *testing.T, w *world) {
			option := []units.Option{{Section: "Service", Name: "ExecStart", Value: "/bin/true"}}
			for i := range 250 {
				if _, err := w.registry.Put(t.Context(), fmt.Sprintf("page%04d.service", i), option, units.Inactive); err != nil {
					t.Fatal(err)
				}
			}
		},
	}, map[string]difference{
		"03-client-not-fleet-404": {status: 404, message: "there is nothing at /wrong/fleet/v1/discovery" + nowhere},
		// What is asked to be less is so before the answer.
		"16-set-desired-inactive-by-object/2": now("inactive", ""),
		// The reference's documentation has this one; fleet has answered otherwise since 0.8.1.
		"23-set-invalid-service": {status: 409, message: "unit does not exist and options field empty"},
	})
}
