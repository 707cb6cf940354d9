package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/units"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWait(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/late", func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	mux.Handle("/moved", http.RedirectHandler("/sick", http.StatusFound))
	mux.HandleFunc("/sick", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	const short = 200 * time.Millisecond
	for name, c := range map[string]struct {
		probe units.Probe
		want  string // part of the error
		never string
	}{
		"http that gets well":  {probe: units.Probe{HTTP: server.URL + "/late", Window: time.Minute}},
		"a redirection counts": {probe: units.Probe{HTTP: server.URL + "/moved", Window: time.Minute}},
		"http that stays sick": {probe: units.Probe{HTTP: strings.Replace(server.URL, "//", "//me:hush@", 1) + "/sick?token=hush", Window: short}, want: "/sick did not succeed within 200ms: it answers 500", never: "hush"},
		"http that is closed":  {probe: units.Probe{HTTP: "http://me:hush@" + closed.Addr().String(), Window: short}, want: "connection refused", never: "hush"},
		"tcp":                  {probe: units.Probe{TCP: server.Listener.Addr().String(), Window: time.Minute}},
		"tcp that is closed":   {probe: units.Probe{TCP: closed.Addr().String(), Window: short}, want: "connection refused"},
		"exec":                 {probe: units.Probe{Exec: []string{"/bin/true"}, Window: time.Minute}},
		"exec that fails":      {probe: units.Probe{Exec: []string{"/bin/sh", "-c", "echo not yet; exit 3"}, Window: short}, want: "exit status 3: not yet"},
		"exec that hangs":      {probe: units.Probe{Exec: []string{"/bin/sleep", "60"}, Window: short}, want: "signal: killed"},
		"exec that is not":     {probe: units.Probe{Exec: []string{"/no/such"}, Window: short}, want: "no such file"},
		"nothing":              {probe: units.Probe{Window: short}, want: "asks for nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Wait(t.Context(), c.probe, nil)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v, want %q in it", err, c.want)
			case c.never != "" && strings.Contains(err.Error(), c.never):
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

// TestEnvironment: the agent's environment may hold tokens.
func TestEnvironment(t *testing.T) {
	t.Setenv("ABIDE_TOKEN", "hush")
	if os.Getenv("ABIDE_TOKEN") == "" {
		t.Fatal("the test sets nothing")
	}
	p := units.Probe{Exec: []string{"/bin/sh", "-c", `test -z "$ABIDE_TOKEN"`}, Window: 100 * time.Millisecond}
	if err := Wait(t.Context(), p, nil); err != nil {
		t.Error(err)
	}
}

func TestEnds(t *testing.T) {
	t.Parallel()
	never := units.Probe{Exec: []string{"/bin/false"}, Window: time.Hour}
	dead := errors.New("it died")
	calls := 0
	if err := Wait(t.Context(), never, func() error {
		if calls++; calls > 2 {
			return dead
		}
		return nil
	}); !errors.Is(err, dead) {
		t.Errorf("a dead unit gives %v", err)
	}
	began := time.Now()
	half := never
	half.Window = 10 * time.Second
	if err := WaitSince(t.Context(), half, began.Add(-9900*time.Millisecond), nil); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("a window that is nearly over gives %v after %v", err, time.Since(began))
	}
	why := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, why)
	defer cancel()
	if err := Wait(ctx, never, nil); !errors.Is(err, why) {
		t.Errorf("the end of the context gives %v", err)
	}
}
