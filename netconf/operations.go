package netconf

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// Datastore names a configuration datastore (RFC 6241, section 5.1).
type Datastore string

// The datastores of RFC 6241.
const (
	Running   Datastore = "running"
	Candidate Datastore = "candidate"
	Startup   Datastore = "startup"
)

// in gives the datastore as the child of a source or target.
func (d Datastore) in(local string) *tree.Node { return base(local, base(string(d))) }

// do calls an operation whose answer is ok.
func (s *Session) do(ctx context.Context, op *tree.Node) error {
	_, err := s.Call(ctx, op)
	return err
}

// Lock locks a datastore for this session.
func (s *Session) Lock(ctx context.Context, d Datastore) error {
	return s.do(ctx, base("lock", d.in("target")))
}

// Unlock gives a lock back.
func (s *Session) Unlock(ctx context.Context, d Datastore) error {
	return s.do(ctx, base("unlock", d.in("target")))
}

// Discard makes the candidate what running is.
func (s *Session) Discard(ctx context.Context) error { return s.do(ctx, base("discard-changes")) }

// Validate lets the device check a datastore. Not every device is sound after
// it: netconfd commits nothing then.
func (s *Session) Validate(ctx context.Context, d Datastore) error {
	return s.do(ctx, base("validate", d.in("source")))
}

// CopyConfig replaces a datastore by another.
func (s *Session) CopyConfig(ctx context.Context, source, target Datastore) error {
	return s.do(ctx, base("copy-config", target.in("target"), source.in("source")))
}

// GetConfig reads a datastore: what is below the children of the filter's root
// (RFC 6241, section 6), everything for nil, nothing for a root alone. The root
// of the configuration is named {"", "config"}. The second result is the
// device's last-modified, as it writes it, or empty.
func (s *Session) GetConfig(ctx context.Context, d Datastore, filter *tree.Node) (config *tree.Node, lastModified string, err error) {
	op := base("get-config", d.in("source"))
	if filter != nil {
		op.Children = append(op.Children, subtree(filter))
	}
	return s.read(ctx, op)
}

// Get is [Session.GetConfig] of running and state together.
func (s *Session) Get(ctx context.Context, filter *tree.Node) (data *tree.Node, lastModified string, err error) {
	op := base("get")
	if filter != nil {
		op.Children = append(op.Children, subtree(filter))
	}
	return s.read(ctx, op)
}

func subtree(filter *tree.Node) *tree.Node {
	n := base("filter", filter.Children...)
	n.Attrs = []tree.Attr{{Name: tree.Name{Local: "type"}, Value: "subtree"}}
	return n
}

func (s *Session) read(ctx context.Context, op *tree.Node) (*tree.Node, string, error) {
	reply, err := s.Call(ctx, op)
	if err != nil {
		return nil, "", err
	}
	data := reply.Root.Child(tree.Name{Space: tree.BaseSpace, Local: "data"})
	if data == nil {
		return nil, "", fmt.Errorf("the device answered %s without data; its configuration cannot be read", op.Name.Local)
	}
	modified, _ := reply.Root.Attr(tree.Name{Local: "last-modified"})
	return &tree.Node{Name: tree.Name{Local: "config"}, Children: data.Children, Line: data.Line, Column: data.Column}, modified, nil
}

// EditOptions says how an edit is taken; what is empty is not sent, since some
// devices refuse even what they offer.
type EditOptions struct {
	Target      Datastore
	Default     string // merge, replace or none
	TestOption  string // test-then-set, set or test-only
	ErrorOption string // stop-on-error, continue-on-error or rollback-on-error
}

// EditConfig changes a datastore by the children of the edit's root (RFC 6241,
// section 7.2).
func (s *Session) EditConfig(ctx context.Context, o EditOptions, edit *tree.Node) error {
	op := base("edit-config", o.Target.in("target"))
	for _, f := range []struct{ local, value string }{
		{"default-operation", o.Default}, {"test-option", o.TestOption}, {"error-option", o.ErrorOption},
	} {
		if f.value != "" {
			op.Children = append(op.Children, leaf(tree.BaseSpace, f.local, f.value))
		}
	}
	config := *edit
	config.Name = tree.Name{Space: tree.BaseSpace, Local: "config"}
	op.Children = append(op.Children, &config)
	return s.do(ctx, op)
}

// CommitOptions are those of RFC 6241, section 8.4.
type CommitOptions struct {
	Confirmed bool          // undone unless another commit confirms it
	Timeout   time.Duration // until it is undone, in whole seconds, rounded up; 0 is the device's, 10 minutes
	Persist   string        // names a confirmed commit, so that it outlives its session
	PersistID string        // the name of the one that is confirmed, or goes on
}

// Commit makes running what the candidate is.
func (s *Session) Commit(ctx context.Context, o CommitOptions) error {
	if !o.Confirmed && (o.Timeout != 0 || o.Persist != "") {
		return errors.New("a commit with a timeout or a name must be a confirmed one")
	}
	op := base("commit")
	if o.Confirmed {
		op.Children = append(op.Children, base("confirmed"))
	}
	if o.Timeout > 0 {
		seconds := int64((o.Timeout + time.Second - 1) / time.Second)
		op.Children = append(op.Children, leaf(tree.BaseSpace, "confirm-timeout", strconv.FormatInt(seconds, 10)))
	}
	if o.Persist != "" {
		op.Children = append(op.Children, leaf(tree.BaseSpace, "persist", o.Persist))
	}
	if o.PersistID != "" {
		op.Children = append(op.Children, leaf(tree.BaseSpace, "persist-id", o.PersistID))
	}
	return s.do(ctx, op)
}

// CancelCommit undoes a confirmed commit that is not confirmed yet: that of this
// session, or the one of that name.
func (s *Session) CancelCommit(ctx context.Context, persistID string) error {
	op := base("cancel-commit")
	if persistID != "" {
		op.Children = append(op.Children, leaf(tree.BaseSpace, "persist-id", persistID))
	}
	return s.do(ctx, op)
}

// Kill ends another session of the device, which undoes what it left behind.
func (s *Session) Kill(ctx context.Context, id uint32) error {
	return s.do(ctx, base("kill-session", leaf(tree.BaseSpace, "session-id", strconv.FormatUint(uint64(id), 10))))
}
