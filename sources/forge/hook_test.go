package forge

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// githubSecret and the signatures below are those of the forges' manuals: GitHub
// signs "Hello, World!", Bitbucket "Hello World!". The others were made with
// `openssl dgst -sha256 -hmac`.
const githubSecret = "It's a Secret to Everybody"

const (
	signedComma   = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	signedNoComma = "a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"
)

// saved is a Seen in memory.
type saved struct {
	mu   sync.Mutex
	kept map[string][]byte
	err  error
}

func (s *saved) Load(_ context.Context, source string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.kept[source], s.err
}

func (s *saved) Save(_ context.Context, source string, memory []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string][]byte{}
	}
	s.kept[source] = memory
	return s.err
}

// secretFile makes a file that its owner alone may read.
func secretFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newReceiver(t testing.TB, h Hook, change ...func(*ReceiverOptions)) *Receiver {
	t.Helper()
	h.Source = "app"
	if h.SecretFile == "" {
		h.SecretFile = secretFile(t, githubSecret+"\n")
	}
	o := ReceiverOptions{Hooks: []Hook{h}, Look: func(string) {}, Seen: &saved{}}
	for _, f := range change {
		f(&o)
	}
	return NewReceiver(t.Context(), o)
}

// headers makes a header of "Name: value" lines.
func headers(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

const looked = "the source is looked at"

func TestDeliver(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		headers []string
		body    string
		says    string // empty: it is not believed
	}{
		{"GitHub", []string{"X-GitHub-Event: push", "X-GitHub-Delivery: 1", "X-Hub-Signature: sha1=0123456789012345678901234567890123456789", "X-Hub-Signature-256: sha256=" + signedComma}, "Hello, World!", looked},
		{"GitHub's ping", []string{"X-GitHub-Event: ping", "X-Hub-Signature-256: sha256=" + signedComma}, "Hello, World!", "pong"},
		{"GitHub's issue", []string{"X-GitHub-Event: issues", "X-Hub-Signature-256: sha256=" + signedComma}, "Hello, World!", "no ref moves by this"},
		{"GitHub's SHA-1 alone", []string{"X-GitHub-Event: push", "X-Hub-Signature: sha1=0123456789012345678901234567890123456789"}, "Hello, World!", ""},
		{"Gitea", []string{"X-Gitea-Event: push", "X-Gitea-Delivery: 1", "X-Gitea-Signature: " + signedComma}, "Hello, World!", looked},
		{"Forgejo", []string{"X-Forgejo-Event: push", "X-Forgejo-Signature: " + signedComma}, "Hello, World!", looked},
		{"Gogs", []string{"X-Gogs-Event: push", "X-Gogs-Signature: " + signedComma}, "Hello, World!", looked},
		{"Forgejo, all of its headers", []string{"X-GitHub-Event: push", "X-Gitea-Event: push", "X-Forgejo-Event: push", "X-Hub-Signature-256: sha256=" + signedComma, "X-Gitea-Signature: " + signedComma, "X-Forgejo-Signature: " + signedComma}, "Hello, World!", looked},
		{"Bitbucket", []string{"X-Event-Key: repo:push", "X-Request-UUID: 1", "X-Hub-Signature: sha256=" + signedNoComma}, "Hello World!", looked},
		{"Bitbucket's test", []string{"X-Event-Key: diagnostics:ping", "X-Hub-Signature: sha256=" + signedNoComma}, "Hello World!", "pong"},
		{"GitLab", []string{"X-Gitlab-Event: Push Hook", "X-Gitlab-Token: " + githubSecret}, `{"ref":"refs/heads/main"}`, looked},
		{"GitLab, a tag", []string{"X-Gitlab-Event: Tag Push Hook", "X-Gitlab-Token: " + githubSecret}, "", looked},
		{"any sender", []string{"X-Signature-256: sha256=" + signedComma}, "Hello, World!", looked},
		{"a sender with the secret", []string{"Authorization: Bearer " + githubSecret}, "", looked},

		{"nothing shown", nil, "Hello, World!", ""},
		{"another body", []string{"X-Hub-Signature-256: sha256=" + signedComma}, "Hello World!", ""},
		{"another signature", []string{"X-Hub-Signature-256: sha256=" + signedNoComma}, "Hello, World!", ""},
		{"an empty signature", []string{"X-Hub-Signature-256: sha256="}, "", ""},
		{"half a signature", []string{"X-Hub-Signature-256: sha256=" + signedComma[:32]}, "Hello, World!", ""},
		{"no digits", []string{"X-Hub-Signature-256: sha256=" + strings.Repeat("zz", 32)}, "Hello, World!", ""},
		{"two signatures in one header", []string{"X-Hub-Signature-256: sha256=" + signedComma, "X-Hub-Signature-256: sha256=" + signedComma}, "Hello, World!", ""},
		{"another token", []string{"X-Gitlab-Token: It's a Secret to Everybodx"}, "", ""},
		{"half a token", []string{"X-Gitlab-Token: It's a Secret"}, "", ""},
		{"an empty token", []string{"X-Gitlab-Token: "}, "", ""},
		{"Bearer nothing", []string{"Authorization: Bearer "}, "", ""},
		{"another scheme", []string{"Authorization: Basic " + githubSecret}, "", ""},
	} {
		r := newReceiver(t, Hook{})
		says, err := r.Deliver("app", headers(tt.headers...), strings.NewReader(tt.body))
		if says != tt.says || (tt.says == "") != errors.Is(err, ErrUnproven) {
			t.Errorf("%s: %q, %v; want %q", tt.name, says, err, tt.says)
		}
		if _, err := r.Deliver("nobody", headers(tt.headers...), strings.NewReader(tt.body)); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s, for nobody: %v", tt.name, err)
		}
	}
}

func TestRefsOfOthers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		branch, tag, body string
		looks             bool
	}{
		{"main", "", `{"ref":"refs/heads/main"}`, true},
		{"main", "", `{"ref":"refs/heads/other"}`, false},
		{"main", "", `{"ref":"refs/tags/main"}`, false},
		{"main", "", `{"commits":[{"ref":"refs/heads/other"}],"ref":"refs/heads/main"}`, true},
		{"main", "", `{"object_kind":"push","before":"1","after":"2","ref":"refs/heads/other"}`, false},
		{"main", "", `{"ref":"other"}`, true},
		{"main", "", `{"ref":7}`, true},
		{"main", "", `["ref","refs/heads/other"]`, true},
		{"main", "", `{"commits":"` + strings.Repeat("x", headSize) + `","ref":"refs/heads/other"}`, true},
		{"main", "", `payload=%7B%22ref%22`, true},
		{"refs/heads/main", "", `{"ref":"refs/heads/other"}`, true},
		{"", "v1", `{"ref":"refs/tags/v1"}`, true},
		{"", "v1", `{"ref":"refs/tags/v2"}`, false},
		{"", "v1", `{"ref":"refs/heads/v1"}`, false},
		{"", "", `{"ref":"refs/heads/other"}`, true},
	} {
		r := newReceiver(t, Hook{Branch: tt.branch, Tag: tt.tag})
		says, err := r.Deliver("app", headers("X-Gitlab-Token: "+githubSecret), strings.NewReader(tt.body))
		if err != nil || (says == looked) != tt.looks {
			t.Errorf("branch %q, tag %q, %.60s: %q %v", tt.branch, tt.tag, tt.body, says, err)
		}
	}
}

// TestReplays: what was believed once is not acted upon again, whatever name it
// is given, over restarts, too.
func TestReplays(t *testing.T) {
	t.Parallel()
	const again = "this delivery was here before"
	seen := &saved{}
	hook := Hook{SecretFile: secretFile(t, githubSecret)}
	keep := func(o *ReceiverOptions) { o.Seen = seen }
	r := newReceiver(t, hook, keep)
	deliver := func(want, body string, lines ...string) {
		t.Helper()
		says, err := r.Deliver("app", headers(lines...), strings.NewReader(body))
		if says != want || err != nil {
			t.Errorf("%q with %v: %q %v, want %q", body, lines, says, err, want)
		}
	}
	comma, token := "X-Hub-Signature-256: sha256="+signedComma, "X-Gitlab-Token: "+githubSecret
	deliver("pong", "Hello, World!", comma, "X-GitHub-Event: ping")
	deliver(looked, "Hello, World!", comma, "X-GitHub-Delivery: 1")
	deliver(again, "Hello, World!", comma, "X-GitHub-Delivery: 1")
	deliver(again, "Hello, World!", comma, "X-GitHub-Delivery: 2")
	deliver(again, "Hello, World!", comma)
	deliver(looked, "one", token, "Idempotency-Key: 3")
	deliver(again, "two", token, "Idempotency-Key: 3")
	deliver(looked, "two", token)
	deliver(looked, "two", token)
	if err := seen.Save(t.Context(), "app", r.hooks["app"].memory.encode()); err != nil {
		t.Fatal(err)
	}
	r = newReceiver(t, hook, keep)
	deliver(again, "Hello, World!", comma, "X-GitHub-Delivery: 4")
	deliver(again, "one", token, "Idempotency-Key: 3")
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var m memory
	number := func(i int) key { return keyOf("n", []byte{byte(i), byte(i >> 8), byte(i >> 16)}) }
	const many = 10 * maxKeys
	for i := range many {
		if !m.fresh(number(i)) {
			t.Fatalf("%d is known before it came", i)
		}
	}
	if len(m.ring) != maxKeys || len(m.known) != maxKeys {
		t.Errorf("it holds %d and %d keys", len(m.ring), len(m.known))
	}
	var n memory
	n.decode(m.encode())
	n.decode([]byte("not whole"))
	for i := many - maxKeys; i < many; i++ {
		if m.fresh(number(i)) || n.fresh(number(i)) {
			t.Fatalf("%d was forgotten before older ones", i)
		}
	}
	if !m.fresh(number(0)) || !n.fresh(number(0)) || !n.known[number(many-1)] || n.known[number(many-maxKeys)] {
		t.Error("the oldest isn't forgotten first, after a restart")
	}
}

// TestSecrets has the secret changed under a running receiver, by way of a file
// that holds both, and by mistakes.
func TestSecrets(t *testing.T) {
	t.Parallel()
	const old, young = "the old secret, long enough", "the new secret, long enough"
	path := secretFile(t, old)
	var notes []string
	r := newReceiver(t, Hook{SecretFile: path}, func(o *ReceiverOptions) { o.Note = func(s string) { notes = append(notes, s) } })
	for _, tt := range []struct {
		file       string
		mode       os.FileMode
		old, young bool
	}{
		{old + "\n", 0o600, true, false},
		{young + "\r\n\n" + old + "\n", 0o600, true, true},
		{young + "\n", 0o400, false, true},
		{"", 0o600, false, false},
		{"short\n", 0o600, false, false},
		{old + "\n" + young + "\n" + "a third secret, long enough\n", 0o600, false, false},
		{young, 0o644, false, false},
		{strings.Repeat(young+"\n", 1000), 0o600, false, false},
		{old, 0o600, true, false},
	} {
		if err := errors.Join(os.WriteFile(path+".new", []byte(tt.file), 0o600), os.Chmod(path+".new", tt.mode), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		for secret, right := range map[string]bool{old: tt.old, young: tt.young} {
			_, err := r.Deliver("app", headers("X-Gitlab-Token: "+secret), strings.NewReader(""))
			if (err == nil) != right {
				t.Errorf("file %.40q, mode %o: %q gives %v", tt.file, tt.mode, secret, err)
			}
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Deliver("app", headers("X-Gitlab-Token: "+old), strings.NewReader("")); !errors.Is(err, ErrUnproven) {
		t.Errorf("without a file: %v", err)
	}
	told := strings.Join(notes, "\n")
	if len(notes) != 1 || strings.Contains(told, old) || strings.Contains(told, young) {
		t.Errorf("the operator was told, within a minute: %q", notes)
	}
}

// brokenBody fails a test that reads it.
type brokenBody struct{ t *testing.T }

func (b brokenBody) Read([]byte) (int, error) {
	b.t.Error("a body was read of somebody who proved nothing")
	return 0, errors.New("broken")
}

func TestNobodysBodyIsRead(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, Hook{})
	for _, lines := range [][]string{nil, {"X-Gitlab-Token: wrong"}, {"Authorization: Bearer wrong"}, {"X-Hub-Signature-256: sha256=zz"}} {
		if _, err := r.Deliver("app", headers(lines...), brokenBody{t}); !errors.Is(err, ErrUnproven) {
			t.Errorf("%v: %v", lines, err)
		}
	}
	broken := errors.New("it broke off")
	if _, err := r.Deliver("app", headers("X-Hub-Signature-256: sha256="+signedComma), errorReader{broken}); !errors.Is(err, broken) {
		t.Errorf("a body that breaks off: %v", err)
	}
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }
