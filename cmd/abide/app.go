package main

import (
	"context"
	"io"

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

// app is the wired agent as the commands see it. Every method returns soon after
// ctx ended: that is how SIGTERM arrives.
type app interface {
	// Apply reconciles once, or with Daemon until ctx ends. exit is what the
	// process ends with when err is nil: exitDone, or exitFailed when something
	// that was applied failed, which the events have told.
	Apply(ctx context.Context, o applyOptions) (exit int, err error)
	// Plan says what Apply would do. When another process holds the state
	// directory, it asks that one.
	Plan(ctx context.Context, o planOptions) (reconcile.Plan, error)
	// Compare says what two revisions of a source differ in, as Plan does.
	Compare(ctx context.Context, o compareOptions) (reconcile.Comparison, error)
	// Check reads a directory or file as a source is read, and gives what it holds.
	Check(ctx context.Context, path string) (reconcile.Desired, error)
	// Edit changes the durable state without a daemon, or through the one that
	// holds the state directory.
	Edit(ctx context.Context, o editOptions) error
	// Purge stops and removes every unit that abide placed, and gives their
	// number; without Yes it only shows them. No other process may hold the state.
	Purge(ctx context.Context, o purgeOptions) (int, error)
}

// applyOptions is what `apply` was asked to do.
type applyOptions struct {
	// Settings holds the sources to follow, and in Files what runs in any case.
	Settings settings.Settings
	Daemon   bool
	Plan     *reconcile.Plan // what alone is applied, and only as it stands there; nil: whatever there is to do
	Stdin    io.Reader       // what "-" among Settings.Files stands for
	// Show is given every event in the order of the log. It may be called from
	// any goroutine, but not from two at once.
	Show func(sse.Event)
	// Warn is for what stops nothing: no lasting state, a token that was made.
	Warn func(text string)
	Log  io.Writer // of the daemon, zerolog's lines
}

// planOptions is what `plan` was asked to do.
type planOptions struct {
	Settings settings.Settings
	Stdin    io.Reader
	Warn     func(text string)
	Source   string // which Revision is of; "" for the only one with a history
	Revision string // plan as if the source stood there; "" for what it follows
}

// compareOptions is what `diff` was asked to do. Empty revisions are what the
// source follows.
type compareOptions struct {
	planOptions
	From, To string
}

// edit is a change of the durable state.
type edit string

const (
	editRetry    edit = "retry"
	editSuspend  edit = "suspend"
	editResume   edit = "resume"
	editRollback edit = "rollback"
)

// editOptions is one change: Name is a resource (retry) or a source, "" being
// the whole agent.
type editOptions struct {
	Settings settings.Settings
	Edit     edit
	Name     string
	Reason   string
	Revision string // to roll back to
}
