package api

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEnsureToken(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	value, created, err := EnsureToken(path)
	if err != nil || !created || len(value) < 20 {
		t.Fatalf("%q %t %v", value, created, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	again, created, err := EnsureToken(path)
	if err != nil || created || again != value {
		t.Errorf("the second time: %q %t %v", again, created, err)
	}
	if _, err := NewToken("made", RoleAdmin, value); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := EnsureToken(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a file that others can read: %v", err)
	}
	if err := os.WriteFile(path, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o600)
	if _, _, err := EnsureToken(path); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, _, err := EnsureToken(t.TempDir()); err == nil {
		t.Error("a directory")
	}
	if _, _, err := EnsureToken(filepath.Join(path, "x")); err == nil {
		t.Error("a place that can't be")
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	plain, err := NewToken("a", RoleRead, readToken)
	if err != nil {
		t.Fatal(err)
	}
	// printf %s read-token-0123456789 | sha256sum
	hashed, err := HashedToken("b", RoleAdmin, "fe63d80b1a6ff2bd8d9ff79a2a1eb4bd76a80ed1ad6e5a0c7ba9dfd3f7a1f3b4")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := findToken([]Token{hashed, plain}, readToken); !ok || got.Name != "a" {
		t.Errorf("%v %t", got.Name, ok)
	}
	for _, value := range []string{"", "x", readToken + "x", readToken[:len(readToken)-1]} {
		if _, ok := findToken([]Token{hashed, plain, {}}, value); ok {
			t.Errorf("%q matches", value)
		}
	}
	for name, f := range map[string]func() (Token, error){
		"short":     func() (Token, error) { return NewToken("n", RoleRead, "short-secret") },
		"blank":     func() (Token, error) { return NewToken("n", RoleRead, "a secret with blanks") },
		"long":      func() (Token, error) { return NewToken("n", RoleRead, strings.Repeat("secret", 1000)) },
		"role":      func() (Token, error) { return NewToken("n", "root", readToken) },
		"none":      func() (Token, error) { return HashedToken("n", RoleNone, strings.Repeat("00", 32)) },
		"no digest": func() (Token, error) { return HashedToken("n", RoleRead, "secret") },
	} {
		if _, err := f(); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in    []string
		value string
		given bool
	}{
		{nil, "", false},
		{[]string{"Basic dXNlcjpwdw=="}, "", false},
		{[]string{"Bearer abc"}, "abc", true},
		{[]string{"bearer  abc "}, "abc", true},
		{[]string{"Bearer"}, "", true},
		{[]string{"Bearer "}, "", true},
		{[]string{"Basic x", "Bearer abc"}, "abc", true},
		{[]string{"Bearer abc", "Bearer def"}, "", true},
		{[]string{"Bearerabc"}, "", false},
	} {
		if value, given := bearer(c.in); value != c.value || given != c.given {
			t.Errorf("%q: %q %t", c.in, value, given)
		}
	}
}
