package forge

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// sign makes what a sender puts into its header.
func sign(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// TestFlood sends a thousand deliveries a second for ten seconds, of which one
// half is right: at most one look comes of each window, and memory stays flat.
func TestFlood(t *testing.T) {
	path := secretFile(t, githubSecret)
	synctest.Test(t, func(t *testing.T) {
		const every, seconds, rate = time.Second, 10, 1000
		var looks atomic.Int64
		seen := &saved{}
		r := newReceiver(t, Hook{SecretFile: path}, func(o *ReceiverOptions) {
			o.Every, o.Seen = every, seen
			o.Look = func(string) { looks.Add(1) }
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		synctest.Wait()
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		var before uint64
		for i := range seconds * rate {
			body := fmt.Sprintf(`{"ref":"refs/heads/main","after":"%d"}`, i)
			lines := []string{"X-GitHub-Event: push", fmt.Sprintf("X-GitHub-Delivery: %d", i), "X-Hub-Signature-256: " + sign(githubSecret, body)}
			if i%2 == 1 {
				lines[2] = "X-Hub-Signature-256: " + sign("somebody else's secret", body)
			}
			_, err := r.Deliver("app", headers(lines...), strings.NewReader(body))
			if (err != nil) != (i%2 == 1) {
				t.Fatalf("delivery %d: %v", i, err)
			}
			if i == 0 {
				synctest.Wait()
				if looks.Load() != 1 {
					t.Fatalf("the first delivery caused %d looks at once", looks.Load())
				}
			}
			if i == 2*rate { // the memory of deliveries is full by now
				before = heap()
			}
			time.Sleep(time.Second / rate)
		}
		if after := heap(); after > before+1<<20 {
			t.Errorf("memory grew from %d to %d bytes", before, after)
		}
		time.Sleep(10 * every)
		cancel()
		<-done
		if n := looks.Load(); n < seconds || n > seconds+1 {
			t.Errorf("%d looks in %d windows", n, seconds)
		}
		if n := len(seen.kept["app"]); n != maxKeys*keySize {
			t.Errorf("%d bytes are kept over a restart", n)
		}
	})
}

// TestSeenFails: a memory that can't be read or written costs no look.
func TestSeenFails(t *testing.T) {
	path := secretFile(t, githubSecret)
	synctest.Test(t, func(t *testing.T) {
		var looks int
		var notes []string
		r := newReceiver(t, Hook{SecretFile: path}, func(o *ReceiverOptions) {
			o.Every, o.Seen = time.Second, &saved{err: errors.New("the disk is full")}
			o.Look, o.Note = func(string) { looks++ }, func(s string) { notes = append(notes, s) }
		})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			r.Run(ctx)
		}()
		for range 3 {
			if _, err := r.Deliver("app", headers("Authorization: Bearer "+githubSecret), http.NoBody); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
		}
		cancel()
		<-done
		if looks != 3 || len(notes) != 2 || !strings.Contains(notes[1], "the disk is full") {
			t.Errorf("%d looks, notes %q", looks, notes)
		}
	})
}

// TestConstantTime reads the code that compares what a stranger sent with what
// only the sender can know: nothing of it may stop at the first difference.
func TestConstantTime(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "proof.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || f.Name.Name != "tokenRight" && f.Name.Name != "signatureRight" {
			continue
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if _, constant := n.Y.(*ast.BasicLit); (n.Op == token.EQL || n.Op == token.NEQ) && !constant {
					t.Errorf("%s compares with %s", f.Name.Name, n.Op)
				}
			case *ast.BranchStmt, *ast.IfStmt, *ast.SwitchStmt:
				t.Errorf("%s takes a short cut", f.Name.Name)
			case *ast.SelectorExpr:
				if n.Sel.Name == "ConstantTimeCompare" {
					compared++
				} else if n.Sel.Name == "Equal" || n.Sel.Name == "Compare" {
					t.Errorf("%s compares with %s", f.Name.Name, n.Sel.Name)
				}
			}
			return true
		})
	}
	if compared != 2 {
		t.Errorf("%d comparisons in constant time, want 2", compared)
	}
}

// FuzzDeliver sends what it likes: nothing but the secret is believed, and
// nothing panics.
func FuzzDeliver(f *testing.F) {
	for _, body := range []string{
		"", "{}", `{"ref":"refs/heads/main"}`, `{"ref":{"ref":[]}}`, `{"a":[[[[`, `{"ref"`, `{"ref":null}`, "null", "\x00", `{"push":{"changes":[{"new":{"name":"main"}}]}}`,
	} {
		f.Add([]byte(body), "X-Github-Event", "push", true)
		f.Add([]byte(body), "X-Hub-Signature-256", "sha256=00", false)
		f.Add([]byte(body), "Authorization", "Bearer", false)
	}
	path := secretFile(f, githubSecret)
	f.Fuzz(func(t *testing.T, body []byte, name, value string, signed bool) {
		r := newReceiver(t, Hook{SecretFile: path, Branch: "main"})
		h := http.Header{}
		if signed {
			h.Set("X-Signature-256", sign(githubSecret, string(body)))
		}
		if name = http.CanonicalHeaderKey(name); name != "X-Signature-256" {
			h.Set(name, value)
		}
		_, err := r.Deliver("app", h, bytes.NewReader(body))
		right := signed || strings.Contains(value, githubSecret) || strings.Contains(value, strings.TrimPrefix(sign(githubSecret, string(body)), "sha256="))
		if err == nil && !right {
			t.Errorf("%q is believed with %s: %q", body, name, value)
		}
		if err != nil && signed {
			t.Errorf("%q is not believed with %s: %q: %v", body, name, value, err)
		}
	})
}
