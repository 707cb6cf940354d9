package settings

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLocationHidesSecrets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://u:hunter2@example.org/x.git":       "https://***@example.org/x.git",
		"https://hunter2@example.org/x.git":         "https://***@example.org/x.git",
		"https://u:hun/ter2@example.org/x.git":      "https://***@example.org/x.git",
		"https://u:hun%zzter2@example.org/x":        "https://***@example.org/x",
		"https://u:hun@ter2@example.org/x":          "https://***@example.org/x",
		"https://example.org/x?access_token=hunter": "https://example.org/x?***",
		"https://example.org":                       "https://example.org",
		"ssh://git@example.org/x":                   "ssh://git@example.org/x",
		"ssh://git:hunter2@example.org/x":           "ssh://***@example.org/x",
		"git@example.org:team/x.git":                "git@example.org:team/x.git",
		"/srv/x.git":                                "/srv/x.git",
		"file:///srv/x.git":                         "file:///srv/x.git",
	} {
		l := Location(in)
		if got := l.String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		if l.Secret() != in {
			t.Errorf("Secret of %s: %s", in, l.Secret())
		}
	}
	s := Settings{Sources: []Source{{Git: "https://u:hunter2@example.org/x"}}}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(b), s.String(), fmt.Sprintf("%v", s.Sources), fmt.Sprintf("%+v", s.Sources), fmt.Sprintf("%#v", s.Sources)} {
		if strings.Contains(shown, "hunter2") {
			t.Errorf("the password is shown: %s", shown)
		}
	}
}

func TestSourceNames(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		src  Source
		want string
	}{
		{Source{Git: "https://example.org/team/app.git"}, "app"},
		{Source{Git: "https://example.org/team/app.git/"}, "app"},
		{Source{Git: "https://example.org"}, "example.org"},
		{Source{Git: "git@example.org:app.git"}, "app"},
		{Source{Git: "file:///srv/with space.git"}, "with-space"},
		{Source{Git: "."}, filepath.Base(here)},
		{Source{Dir: "/etc/jobs/"}, "jobs"},
		{Source{Dir: "/"}, "source"},
		{Source{File: "x/hello.yaml"}, "hello"},
		{Source{Git: Location("/" + strings.Repeat("a", 99))}, strings.Repeat("a", 64)},
		{Source{Git: "/srv/.git"}, "git"},
	} {
		if got := tc.src.baseName(); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.src.where(), got, tc.want)
		}
	}
}

func TestGivenNamesWin(t *testing.T) {
	t.Parallel()
	list := []Source{{Dir: "/a/x"}, {Dir: "/b/x"}, {Dir: "/c", Name: "x"}}
	if faults := nameSources(list); len(faults) > 0 {
		t.Fatal(faults)
	}
	if got := list[0].Name + " " + list[1].Name + " " + list[2].Name; got != "x-2 x-3 x" {
		t.Errorf("names: %s", got)
	}
}
