package forge

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

const (
	// maxSecretFile bounds a file of secrets, in bytes.
	maxSecretFile = 4096
	// minSecret is how long the secret of a webhook must be, in bytes: who has
	// caught one delivery can try out short ones at leisure.
	minSecret = 16
	// maxSecrets may be valid at the same time: the new one and the old.
	maxSecrets = 2
)

// readLines gives the lines of a file that nobody but its owner may read,
// without white space around them and without empty ones. Its errors repeat
// nothing of what the file holds.
func readLines(what, path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		if cause, ok := errors.AsType[*fs.PathError](err); ok {
			err = cause.Err
		}
		return nil, fmt.Errorf("%s %s can't be read: %w; check that it is there and that abide may read it", what, path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %s is not a regular file; name another", what, path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s %s can be read by others (mode %04o); run `chmod 600 %s`, and replace what it holds if others were about", what, path, info.Mode().Perm(), path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil || len(text) > maxSecretFile {
		return nil, fmt.Errorf("%s %s can't be read, or has more than %d bytes; check that it is the right file", what, path, maxSecretFile)
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s %s is empty; write a secret into it", what, path)
	}
	return out, nil
}

// hookSecrets reads the secrets of a webhook.
func hookSecrets(path string) ([]string, error) {
	lines, err := readLines("the file of the webhook's secret", path)
	if err != nil {
		return nil, err
	}
	if len(lines) > maxSecrets {
		return nil, fmt.Errorf("the file of the webhook's secret %s has %d lines; keep one secret, or the new and the old one, each on its line", path, len(lines))
	}
	for _, line := range lines {
		if len(line) < minSecret {
			return nil, fmt.Errorf("a secret in %s is shorter than %d bytes; make one with `openssl rand -hex 32`", path, minSecret)
		}
	}
	return lines, nil
}

// statusToken reads the token that statuses are sent with.
func statusToken(path string) (string, error) {
	lines, err := readLines("the file of the status token", path)
	if err != nil {
		return "", err
	}
	if len(lines) > 1 || strings.ContainsFunc(lines[0], func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		return "", fmt.Errorf("the file of the status token %s does not hold one token alone; correct it", path)
	}
	return lines[0], nil
}
