package api

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/abide-agent/abide/internal/atomicfile"
)

// Bounds on the value of a token: what is shorter can be guessed, what is
// longer is a mistake.
const (
	minToken = 16
	maxToken = 1024
)

// Token lets its bearer in (RFC 6750, section 2.1). The agent knows only the
// SHA-256 of its value, so that neither a dump of memory nor a debug print
// gives it away.
type Token struct {
	Name string
	Role Role
	Hash [sha256.Size]byte
}

// NewToken makes a Token from its value.
func NewToken(name string, role Role, value string) (Token, error) {
	if _, err := ParseRole(string(role)); err != nil {
		return Token{}, fmt.Errorf("token %q: %w", name, err)
	}
	switch {
	case len(value) < minToken:
		return Token{}, fmt.Errorf("token %q has fewer than %d characters and could be guessed; make one with `openssl rand -hex 32`", name, minToken)
	case len(value) > maxToken:
		return Token{}, fmt.Errorf("token %q has more than %d characters; make one with `openssl rand -hex 32`", name, maxToken)
	case strings.ContainsFunc(value, func(c rune) bool { return c <= ' ' || c > '~' }):
		return Token{}, fmt.Errorf("token %q has a blank or a character outside ASCII, which no header can carry; make one with `openssl rand -hex 32`", name)
	}
	return Token{Name: name, Role: role, Hash: sha256.Sum256([]byte(value))}, nil
}

// HashedToken makes a Token from the hexadecimal SHA-256 of its value, as
// `printf %s VALUE | sha256sum` prints it.
func HashedToken(name string, role Role, digest string) (Token, error) {
	if _, err := ParseRole(string(role)); err != nil {
		return Token{}, fmt.Errorf("token %q: %w", name, err)
	}
	t := Token{Name: name, Role: role}
	b, err := hex.DecodeString(digest)
	if err != nil || len(b) != sha256.Size {
		return Token{}, fmt.Errorf("token %q: its sha256 is not 64 hexadecimal digits; take the output of `printf %%s VALUE | sha256sum`", name)
	}
	copy(t.Hash[:], b)
	return t, nil
}

// EnsureToken gives the value that the file at path holds, for the role of an
// admin. When there is no such file it makes one, readable by its owner only,
// and says so with created. The caller tells the user where it is, never what
// it holds.
func EnsureToken(path string) (value string, created bool, err error) {
	value, err = ReadToken(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return value, false, err
	}
	value = rand.Text() // 130 bits
	if err := atomicfile.WriteFile(path, []byte(value+"\n"), 0o600); err != nil {
		return "", false, fmt.Errorf("the access token can't be kept: %w; give one with `tokens:` in the settings", err)
	}
	return value, true, nil
}

// ReadToken reads the value of a token from a file that nobody but its owner
// may read or write. White space around the value does not count.
func ReadToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("the token file %s is not a regular file; name another", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("the token file %s can be read by others (mode %04o); run `chmod 600 %s`, and replace the token if others were about", path, info.Mode().Perm(), path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxToken+64))
	if err != nil {
		return "", fmt.Errorf("the token file %s can't be read: %w", path, err)
	}
	value := strings.TrimSpace(string(b))
	if value == "" {
		return "", fmt.Errorf("the token file %s is empty; write a token into it, or remove it", path)
	}
	return value, nil
}

// findToken looks a value up. It compares digests, each in constant time, and
// always all of them, so that the time tells nothing about any.
func findToken(tokens []Token, value string) (found Token, ok bool) {
	hash := sha256.Sum256([]byte(value))
	for _, t := range tokens {
		if subtle.ConstantTimeCompare(hash[:], t.Hash[:]) == 1 {
			found, ok = t, true
		}
	}
	return found, ok
}

// bearer gives the token of a request. Credentials of another scheme are not
// ours: a proxy in front forwards the Basic ones that it has checked itself. A
// Bearer without a value, or two of them, is a token that matches nothing.
func bearer(authorization []string) (value string, given bool) {
	for _, a := range authorization {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(a), " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if given {
			return "", true
		}
		value, given = strings.TrimSpace(rest), true
	}
	return value, given
}
