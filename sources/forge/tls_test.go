package forge

import (
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestOwnAuthority sends a status to a forge with a certificate that only an
// authority of one's own has signed.
func TestOwnAuthority(t *testing.T) {
	t.Parallel()
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
	}))
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // who trusts nobody says so
	web.StartTLS()
	defer web.Close()
	ca := secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: web.Certificate().Raw})))
	token := secretFile(t, statusSecret)
	for _, tt := range []struct{ ca, says string }{{ca, ""}, {"", "certificate"}, {token, "no certificate in PEM"}, {token + ".gone", "auth.ca_file"}} {
		r, err := NewReporter(ReporterOptions{API: web.URL + "/api/v1", Repository: "team/app", TokenFile: token, CAFile: tt.ca})
		if err == nil {
			err = r.post(t.Context(), Status{Commit: "aaaa", State: Success})
			r.client.CloseIdleConnections()
		}
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v, want %q", tt.ca, err, tt.says)
		}
	}
}
