package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/abide-agent/abide/reconcile"
)

func TestApplyASavedPlan(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := reconcile.Plan{Created: time.Unix(1, 0).UTC(), Changes: []reconcile.Change{{Kind: "unit", Name: "a", Operation: reconcile.OpRun, Digest: "d", Found: "f"}}}
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "plan.json")
	for name, content := range map[string]string{"plan.json": string(text), "none.json": `{"changes": []}`, "bad.json": "{", "twice.json": string(text) + "{}"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var got *reconcile.Plan
	app := &fakeApp{apply: func(_ context.Context, o applyOptions) (int, error) {
		got = o.Plan
		if o.Plan != nil && o.Plan.Changes[0].Digest != "d" {
			return exitFailed, nil
		}
		return exitDone, nil
	}}
	c := command{app: app, stdin: string(text)}
	for _, from := range []string{file, "-"} {
		got = nil
		c.expect(t, 0, "Nothing to do.", "apply", "--git", dir, "--plan", from)
		if got == nil || got.Changes[0].Found != "f" || !got.Created.Equal(want.Created) {
			t.Errorf("from %s: %+v", from, got)
		}
	}
	c.expect(t, 0, "", "apply", "--git", dir)
	if got != nil {
		t.Errorf("without a plan: %+v", got)
	}
	for from, words := range map[string]string{
		"none.json": "it does not say when it was created", "bad.json": "is not a plan that `plan --json` wrote", "twice.json": "is not a plan", "away.json": "the plan can't be read",
	} {
		c.expect(t, 2, words, "apply", "--git", dir, "--plan", filepath.Join(dir, from))
	}
	c.expect(t, 2, "a daemon makes its own plans", "apply", "--daemon", "--plan", file)
	c.expect(t, 2, "standard input can't be both", "apply", "-f", "-", "--plan", "-")
	refused := command{app: &fakeApp{apply: func(context.Context, applyOptions) (int, error) {
		return exitFailed, fmt.Errorf("%w: source r moved", reconcile.ErrMoved)
	}}}
	refused.expect(t, 1, "not up to date any more: source r moved", "apply", "--git", dir, "--plan", file)
}
