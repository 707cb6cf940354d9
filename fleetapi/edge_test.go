package fleetapi_test

import (
	"maps"
	"testing"

	"github.com/abide-agent/abide/units"
)

// TestEdge replays what fleet was made to answer at its edges, in order.
func TestEdge(t *testing.T) {
	t.Parallel()
	settled := func(_ *testing.T, w *world) { w.settle() }
	expected := edgeDifferences()
	maps.Copy(expected, edgeHeld())
	replay(t, newWorld(t), recorded(t, "edge.json"), before{
		"105-badexec-get": settled, "108-garbage-get": settled,
		"174-poison-healthy-before-get": settled, "180-poison-healthy-after-get": settled,
		"166-final-empty": func(t *testing.T, w *world) {
			for _, s := range w.registry.After("", units.MaxUnits) {
				if err := w.registry.Delete(t.Context(), s.Name); err != nil {
					t.Fatal(err)
				}
			}
			w.settle()
		},
	}, expected)
}

const nowhere = "; GET /fleet/v1/discovery tells what there is"

// edgeDifferences is where abide is decided to answer something else than fleet.
func edgeDifferences() map[string]difference {
	empty := func(status int, where string) difference {
		return difference{status: status, message: "there is nothing at " + where + nowhere}
	}
	return map[string]difference{
		"020-new-bogus-desired": {status: 400, message: `invalid value "bogus" for JobState`},
		// With options alone, the present desired state stays; here it is the same.
		"029-replace-options-invalid": {status: 400, message: "MachineID cannot be used with Global"},
		"058-opt-newline-in-value":    {status: 400, message: `option 1 ("Service/ExecStart"): its value has a line break; a value goes on in the next line only after a \`},
		"059-opt-newline-get":         {status: 404, message: "unit does not exist"},
		"061-opt-empty-name":          {status: 400, message: `option 1 ("Service/"): it has no name`},
		"064-opt-missing-keys":        {status: 400, message: `option 1 ("/"): its section has no name`},
		"065-opt-null":                {status: 400, message: "option 1 is null; give it section, name and value"},
		"095-inst-no-options":         {status: 201},
		"097-global-get": {status: 200, change: func(b map[string]any) {
			b["currentState"] = "launched"
		}},
		"098-global-list":        {status: 200, change: func(b map[string]any) { b["units"] = edgeList(b["units"].([]any)) }},
		"101-state-item-missing": {status: 404, message: "unit state does not exist"},
		"128-path-units-slash":   empty(404, "/fleet/v1/units/"),
		"130-path-v1":            empty(405, "/fleet/v1 itself"),
		"131-path-v1-slash":      empty(404, "/fleet/v1/"),
		"133-path-unknown":       empty(404, "/nope"),
		"136-path-machines-item": empty(404, "/fleet/v1/machines/abc"),
		"137-path-state-slash":   empty(404, "/fleet/v1/state/"),
		"139-path-metrics":       empty(404, "/metrics"),
		"151-md-doc-form":        {status: 204},

		// A state that there is not was refused, so the unit is as well as ever.
		"169-update-bogus-get":    {status: 200, body: asUnit("e7.service", "inactive", "inactive", "")},
		"170-update-bogus-list":   {status: 200, body: `{"units":[` + asUnit("e7.service", "inactive", "inactive", "") + `]}`},
		"172-update-bogus-repair": {status: 409, message: "unit does not exist and options field empty"},

		// A launched template was refused, so nothing is wedged.
		"175-tmpl-create-launched": {status: 400, message: `cannot activate template "tm@.service"`},
		"176-tmpl-create-get":      {status: 404, message: "unit does not exist"},
		"178-tmpl-after-delete":    {status: 404, message: "unit does not exist"},
		"181-poison-states": {status: 200, change: func(b map[string]any) {
			healthy := maps.Clone(b["states"].([]any)[0].(map[string]any))
			healthy["name"] = "healthy2.service"
			b["states"] = append(b["states"].([]any), healthy)
		}},
	}
}

// edgeList is fleet's list without what was refused, and with what is true.
func edgeList(recorded []any) []any {
	var out []any
	for _, u := range recorded {
		u := u.(map[string]any)
		switch u["name"] {
		case "o4.service", "o5.service", "o6.service", "o8.service":
			continue
		case "e6.service":
			u["options"] = u["options"].([]any)[:1]
		case "gl.service":
			u["currentState"] = "launched"
		case "o7.service":
			u["options"].([]any)[0].(map[string]any)["value"] = ""
		}
		out = append(out, u)
		if u["name"] == "tmi@.service" {
			out = append(out, map[string]any{
				"name": "tmi@1.service", "currentState": "launched", "desiredState": "launched", "machineID": machineID,
				"options": u["options"],
			})
		}
	}
	return out
}

// asUnit is the usual unit of the recording.
func asUnit(name, current, desired, machine string) string {
	if machine != "" {
		machine = `"machineID":"` + machine + `",`
	}
	return `{"currentState":"` + current + `","desiredState":"` + desired + `",` + machine +
		`"name":"` + name + `","options":[{"name":"ExecStart","section":"Service","value":"/bin/sleep 1d"}]}`
}

// edgeHeld is what fleet answers where the recording has no answer, by its code
// and documentation, and where abide is decided to differ, abide's.
func edgeHeld() map[string]difference {
	created, done := difference{status: 201}, difference{status: 204}
	bad := func(message string) difference { return difference{status: 400, message: message} }
	onlyGet := difference{status: 405, message: "only GET supported against this resource"}
	m := map[string]difference{
		"003-ct-charset-ok": created, "012-body-unknown-field": created, "018-new-no-desired": created, "027-replace-options": created,
		"039-name-colon": created, "045-name-len256": created, "048-name-slice": created, "051-name-busname": created,
		"069-opt-interleaved": created, "075-opt-comment-name": created, "087-xf-global-false-peers": created,
		"090-xf-metadata-malformed": created, "096-global-create": created, "102-unsched-create": created,
		"024-update-ok": done, "159-md-empty": done, "162-md-remove-static": done, "171-update-bogus-delete": done,
		"111-units-PUT": onlyGet, "114-units-OPTIONS": onlyGet, "120-state-POST": onlyGet,
		"117-unit-PATCH":    {status: 405, message: "only GET, PUT and DELETE supported against this resource"},
		"123-machines-POST": {status: 405, message: "only GET and PATCH supported against this resource"},

		"006-body-empty":           bad("unable to decode body: EOF"),
		"009-body-array":           bad("unable to decode body: json: cannot unmarshal array into Go value of type schema.Unit"),
		"033-name-badtype":         bad(`invalid unit type: "txt"`),
		"036-name-space":           bad("invalid character ' ' in unit name"),
		"054-name-uppertype":       bad(`invalid unit type: "Service"`),
		"057-opt-line-5000":        bad("line too long (max 2048 bytes)"),
		"060-opt-empty-section":    bad(`option 1 ("/ExecStart"): its section has no name`),
		"066-opt-name-newline":     bad("unexpected newline encountered while parsing option name"),
		"078-xf-mid-conflicts":     bad("MachineID cannot be used with Conflicts"),
		"081-xf-global-peers":      bad("Global cannot be used with Peers"),
		"084-xf-peer-in-conflict":  bad(`unresolvable requirements: peer "web@1.service" matches conflict "web@*.service"`),
		"093-tmpl-update-loaded":   bad(`cannot activate template "tmi@.service"`),
		"126-discovery-POST":       bad("only HTTP GET supported against this resource"),
		"141-page-empty":           bad("EOF"),
		"144-page-limit":           bad("token limit must be 100"),
		"156-md-bad-op":            bad("invalid op: expect add, remove, or replace"),
		"168-update-bogus-desired": bad(`invalid value "bogus" for JobState`),

		"021-new-bogus-desired-get": {status: 404, message: "unit does not exist"},
		"042-name-slash":            {status: 404},
		"129-path-units-deep":       {status: 404},
		"132-path-root":             {status: 405},
		"135-path-alpha-discovery":  {status: 200},
		"138-path-double-slash":     {status: 301},
		"147-page-overflow":         {status: 200, body: "{}"},
		"165-final-list":            {status: 200},
		"177-tmpl-after-inactive":   {status: 409, message: "unit does not exist and options field empty"},
	}
	bodies := map[string]string{
		"015-readonly-ignored-get":        asUnit("e5.service", "inactive", "inactive", ""),
		"030-replace-options-invalid-get": asUnit("e6.service", "inactive", "inactive", ""),
		"063-opt-empty-value-get":         `{"currentState":"inactive","desiredState":"inactive","name":"o7.service","options":[{"name":"ExecStart","section":"Service","value":""}]}`,
		"072-opt-value-spaces-get":        `{"currentState":"inactive","desiredState":"inactive","name":"o13.service","options":[{"name":"A","section":"Service","value":"x"}]}`,
		"099-global-state":                `{"states":[{"hash":"612415e8d8a7b0bda99623bc009764693bd2b0bc","machineID":"` + machineID + `","name":"gl.service","systemdActiveState":"active","systemdLoadState":"loaded","systemdSubState":"running"}]}`,
		"105-badexec-get":                 `{"currentState":"loaded","desiredState":"launched","machineID":"` + machineID + `","name":"bad.service","options":[{"name":"ExecStart","section":"Service","value":"/no/such/file"}]}`,
		"108-garbage-get":                 `{"currentState":"loaded","desiredState":"launched","machineID":"` + machineID + `","name":"gar.service","options":[{"name":"Nonsense","section":"Service","value":"1"}]}`,
		"150-machines-get2":               `{"machines":[{"id":"` + machineID + `","metadata":{"disk":"ssd","region":"eu-west"},"primaryIP":"172.17.0.4"}]}`,
		"153-md-get":                      `{"machines":[{"id":"` + machineID + `","metadata":{"disk":"ssd","rack":"7","region":"eu-west"},"primaryIP":"172.17.0.4"}]}`,
		"174-poison-healthy-before-get":   asUnit("healthy1.service", "launched", "launched", machineID),
		"180-poison-healthy-after-get":    asUnit("healthy2.service", "launched", "launched", machineID),
	}
	for name, body := range bodies {
		m[name] = difference{status: 200, body: body}
	}
	return m
}
