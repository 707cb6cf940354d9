package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestStateCandidates(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		uid  int
		env  map[string]string
		want []string
	}{
		{"root", 0, map[string]string{"HOME": "/root"}, []string{"/var/lib/abide", "/root/.local/state/abide"}},
		{"a user", 1, map[string]string{"HOME": "/home/u", "XDG_STATE_HOME": "/s"}, []string{"/s/abide", "/home/u/.local/state/abide"}},
		{"systemd", 1, map[string]string{"STATE_DIRECTORY": "/var/lib/x:/var/lib/y"}, []string{"/var/lib/x"}},
		{"no home", 1, map[string]string{"HOME": "", "XDG_STATE_HOME": "relative"}, nil},
	} {
		if got := stateCandidates(tc.uid, func(k string) string { return tc.env[k] }); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	named := filepath.Join(t.TempDir(), "a", "b")
	dir, warning, err := Settings{State: named}.StateDir()
	if dir != named || warning != "" || err != nil {
		t.Errorf("a named one: %q %q %v", dir, warning, err)
	}
	if info, err := os.Stat(named); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its mode: %v %v", info, err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := (Settings{State: filepath.Join(file, "x")}).StateDir(); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("one that can't be: %v", err)
	}
}

// Without a home the state goes to a private temporary directory, loudly.
func TestStateWithoutAHome(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	dir, warning, err := temporaryState([]error{os.ErrPermission})
	if err != nil || filepath.Dir(dir) != tmp || !strings.Contains(warning, "NO LASTING STATE") || !strings.Contains(warning, "permission denied") {
		t.Errorf("got %q %q %v", dir, warning, err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its mode: %v %v", info, err)
	}
}

// A directory in a place of everybody is found again by its user, and never
// taken from somebody else's hands.
func TestStateInAPlaceOfEverybody(t *testing.T) {
	t.Parallel()
	base, uid := t.TempDir(), os.Getuid()
	first, err := ownBelow(base, uid)
	if again, err2 := ownBelow(base, uid); err != nil || err2 != nil || first != again {
		t.Errorf("%q %v, then %q %v", first, err, again, err2)
	}
	if info, err := os.Stat(first); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its mode: %v %v", info, err)
	}
	if err := os.Chmod(first, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := ownBelow(base, uid); err == nil {
		t.Error("one that others may write to was taken")
	}
	if err := os.Rename(first, first+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(first+"-moved", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(first+"-moved", first); err != nil {
		t.Fatal(err)
	}
	if _, err := ownBelow(base, uid); err == nil {
		t.Error("a link was followed")
	}
	if _, err := ownBelow(base, uid+1); err == nil {
		t.Error("a directory of another user was taken")
	}
}
