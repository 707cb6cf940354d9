package settings

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// StateDir makes the state directory (0700) and gives its absolute path. Where
// none is named it takes the first of these that can be made: $STATE_DIRECTORY
// (set by systemd), /var/lib/abide for root, $XDG_STATE_HOME/abide,
// ~/.local/state/abide. When none can be, it makes a private temporary one and
// says so in warning: a service whose user has no home still has to start.
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
	return temporaryState(tried)
}

func temporaryState(tried []error) (dir, warning string, err error) {
	dir, err = os.MkdirTemp("", "abide-state-")
	if err != nil {
		return "", "", fmt.Errorf("there is no place for the state directory: %w; name one with --state", errors.Join(append(tried, err)...))
	}
	warning = "NO LASTING STATE: it is kept in " + dir + ", which a reboot may take away, and then everything runs again"
	if len(tried) > 0 {
		warning += " (" + strings.ReplaceAll(errors.Join(tried...).Error(), "\n", "; ") + ")"
	}
	return dir, warning + "; name a lasting place with --state", nil
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
