package api

import (
	"fmt"
	"net/http"
	"testing"
)

// TestMountAs checks that what the server itself refuses on a mounted route is
// told as that route's clients know it: the guard's word, and a panic.
func TestMountAs(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{}, withTokens)
	fail := func(w http.ResponseWriter, status int, message string) {
		w.WriteHeader(status)
		fmt.Fprint(w, "theirs ", status, message != "")
	}
	s.MountAs(fail, "/theirs/", RoleRead, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	s.Mount("/ours/", RoleRead, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") }))
	for _, tt := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/theirs/x", "", 401, "theirs 401 true"},
		{"/theirs/x", "nobody's", 401, "theirs 401 true"},
		{"/ours/x", "nobody's", 401, ""},
	} {
		r := call(s, peer{}, "GET", tt.path, tt.token)
		if r.Code != tt.status || tt.body != "" && r.Body.String() != tt.body {
			t.Errorf("%s with %q: %d %s", tt.path, tt.token, r.Code, r.Body)
		}
		if r.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s: no WWW-Authenticate", tt.path)
		}
	}
	if r := askRoot(s, "GET", "/theirs/x", nil); r.body != "theirs 500 true" {
		t.Errorf("a panic is told as %d %s", r.status, r.body)
	}
	if r := askRoot(s, "GET", "/ours/x", nil); r.status != 500 {
		t.Errorf("a panic is told as %d %s", r.status, r.body)
	}
}
