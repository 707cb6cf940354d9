package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// StateDir makes the state directory (0700) and gives its absolute path. Where
// none is named it takes the first of these that can be made: $STATE_DIRECTORY
// (set by systemd), /var/lib/abide for root, $XDG_STATE_HOME/abide,
// ~/.local/state/abide. A service whose user has no home still has to start, and
// to know after a restart what it did: then it takes a directory of that user in
// /var/tmp, and where even that fails a temporary one. Either it says in warning.
func (s Settings) StateDir() (dir, warning string, err error) {
	if s.State != "" {
		dir, err = filepath.Abs(s.State)
		if err == nil {
			err = usable(dir)
		}
		if err != nil {
			return "", "", fmt.Errorf("the state directory can't be used: %w; name another with --state", err)
		}
		return dir, "", nil
	}
	var tried []error
	for _, dir := range stateCandidates(os.Getuid(), os.Getenv) {
		err := usable(dir)
		if err == nil {
			return dir, "", nil
		}
		tried = append(tried, err)
	}
	dir, err = ownBelow("/var/tmp", os.Getuid())
	if err != nil {
		return temporaryState(append(tried, err))
	}
	return dir, "the state is kept in " + dir + ", since this user has neither a home nor STATE_DIRECTORY" + because(tried) +
		"; name a better place with --state, or put StateDirectory=abide into the systemd unit", nil
}

// ownBelow makes the user's directory in one where everybody may make some. One
// that is there already is taken only when nobody else can have a hand in it.
func ownBelow(base string, uid int) (dir string, err error) {
	dir = filepath.Join(base, fmt.Sprintf("abide-%d", uid))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(st.Uid) != uid || info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s is not a directory that only this user can use", dir)
	}
	return dir, usable(dir)
}

// because puts what was tried in vain into brackets.
func because(tried []error) string {
	if len(tried) == 0 {
		return ""
	}
	return " (" + strings.ReplaceAll(errors.Join(tried...).Error(), "\n", "; ") + ")"
}

func temporaryState(tried []error) (dir, warning string, err error) {
	dir, err = os.MkdirTemp("", "abide-state-")
	if err != nil {
		return "", "", fmt.Errorf("there is no place for the state directory: %w; name one with --state", errors.Join(append(tried, err)...))
	}
	return dir, "NO LASTING STATE: it is kept in " + dir + ", which the next start doesn't know, and then everything runs again" +
		because(tried) + "; name a lasting place with --state", nil
}

func stateCandidates(uid int, env func(string) string) []string {
	var out []string
	add := func(base string, below ...string) {
		// XDG asks to ignore a path that isn't absolute, and so does good sense.
		if filepath.IsAbs(base) {
			out = append(out, filepath.Join(append([]string{base}, below...)...))
		}
	}
	first, _, _ := strings.Cut(env("STATE_DIRECTORY"), ":")
	add(first)
	if uid == 0 {
		add("/var/lib/abide")
	}
	add(env("XDG_STATE_HOME"), "abide")
	add(env("HOME"), ".local", "state", "abide")
	return out
}

// usable makes dir when it is missing and tries to write there.
func usable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	probe, err := os.CreateTemp(dir, ".probe-")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
