package fleetapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"github.com/abide-agent/abide/fleetapi"
)

// FuzzRequest checks that nothing a caller sends makes the server fail or answer
// an error that clients can't read, and that what was taken can be shown.
func FuzzRequest(f *testing.F) {
	for _, body := range []string{
		options("launched", sleeps), `{"desiredState":"x"}`, `null`, `[]`, `{"options":[null]}`, `{"options":[{}]}`, ``, `{"name":"b"}`, `"`,
		options("", `{"section":"X-Fleet","name":"Conflicts","value":"[a \\\n b"}`, `{"section":"X-Abide","name":"Probe","value":"tcp::1"}`),
		`[{"op":"add","path":"/m/metadata/a","value":{"value":"7"}}]`, `[{"op":"remove","path":"/m/metadata/a","value":null}]`,
	} {
		f.Add("a.service", body, "AWEuc2VydmljZQ==")
		f.Add("web@1.service", body, "ZAACAA==")
	}
	w := newWorld(f)
	w.put("web@.service", options("", sleeps))
	f.Fuzz(func(t *testing.T, name, body, token string) {
		w.t = t
		target := "/fleet/v1/units/" + url.PathEscape(name)
		query := "?nextPageToken=" + url.QueryEscape(token)
		for _, call := range []struct{ method, target, body string }{
			{http.MethodPut, target, body},
			{http.MethodGet, target, ""},
			{http.MethodPatch, "/fleet/v1/machines", body},
			{http.MethodGet, "/fleet/v1/units" + query, ""},
			{http.MethodGet, "/fleet/v1/state" + query, ""},
			{http.MethodDelete, target, ""},
		} {
			rec := w.do(call.method, call.target, call.body, "application/json")
			if rec.Code == http.StatusMovedPermanently || rec.Body.Len() == 0 {
				continue
			}
			full := rec.Code == http.StatusInsufficientStorage // of metadata, which nothing here takes away
			if rec.Code >= 500 && !full || !json.Valid(rec.Body.Bytes()) {
				t.Fatalf("%s %s: %d %s", call.method, call.target, rec.Code, rec.Body)
			}
			var e fleetapi.ErrorBody
			if err := json.Unmarshal(rec.Body.Bytes(), &e); rec.Code >= 400 && (err != nil || e.Error.Code != rec.Code || e.Error.Message == "") {
				t.Fatalf("%s %s: %s", call.method, call.target, rec.Body)
			}
		}
	})
}
