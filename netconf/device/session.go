package device

import (
	"context"
	"errors"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Session is one open session with a device: *[netconf.Session]. A device's no
// is [netconf.RPCErrors]; after any other error the session is given up.
type Session interface {
	ID() uint32
	Capabilities() netconf.Capabilities
	Lock(ctx context.Context, d netconf.Datastore) error
	Unlock(ctx context.Context, d netconf.Datastore) error
	Discard(ctx context.Context) error
	GetConfig(ctx context.Context, d netconf.Datastore, filter *tree.Node) (config *tree.Node, lastModified string, err error)
	EditConfig(ctx context.Context, o netconf.EditOptions, edit *tree.Node) error
	Validate(ctx context.Context, d netconf.Datastore) error
	Commit(ctx context.Context, o netconf.CommitOptions) error
	CancelCommit(ctx context.Context, persistID string) error
	CopyConfig(ctx context.Context, source, target netconf.Datastore) error
	Schemas(ctx context.Context) ([]netconf.Schema, error)
	GetSchema(ctx context.Context, name, version string) (string, error)
	Subscribe(ctx context.Context, stream string) error
	Notifications() <-chan *tree.Node
	Done() <-chan struct{}
	Close(ctx context.Context) error
}

// DialFunc opens a session with a device. The context bounds all of it.
type DialFunc func(ctx context.Context, d Device) (Session, error)

// Dial is the [DialFunc] of NETCONF over SSH.
func Dial(ctx context.Context, d Device) (Session, error) {
	s, err := netconf.Dial(ctx, d.Target)
	if err != nil {
		return nil, err // and not a nil session in an interface
	}
	return s, nil
}

// features is how a device wants to be treated.
type features struct {
	candidate bool // edits go there, else into running
	startup   bool // running has to be copied there to last
	confirmed bool // confirmed commits, which end with the session
	persist   bool // confirmed commits that outlive it
	validate  bool
	rollback  bool // rollback-on-error
	events    bool // notifications on the session that takes requests too
}

func featuresOf(c netconf.Capabilities, d Device) features {
	f := features{
		candidate: c.Has(":candidate"),
		confirmed: d.Confirmed && c.Has(":candidate") && c.Has(":confirmed-commit"),
		rollback:  c.Has(":rollback-on-error"),
		events:    c.Has(":notification") && c.Has(":interleave"),
	}
	f.persist = f.confirmed && c.Has(":confirmed-commit:1.1")
	f.validate = d.Validate && c.Has(":validate")
	f.startup = !f.candidate && c.Has(":startup")
	return f
}

// store is where edits go, and what is locked meanwhile. Running is left unlocked
// where there is a candidate: netconfd doesn't undo a confirmed commit, by its
// timer or when asked, while running is locked, by whomever.
func (f features) store() netconf.Datastore {
	if f.candidate {
		return netconf.Candidate
	}
	return netconf.Running
}

// answered says whether the device gave an answer, which was no.
func answered(err error) bool {
	_, ok := errors.AsType[netconf.RPCErrors](err)
	return ok
}

// refusal says whether the device answered, and said no for good: trying again
// gives the same answer.
func refusal(err error) bool {
	return answered(err) && !busy(err)
}

// busy says whether another session is in the way.
func busy(err error) bool { return netconf.HasTag(err, "lock-denied", "in-use", "resource-denied") }

// lockedBy gives the session that holds a lock, as the device tells it.
func lockedBy(err error) string {
	var list netconf.RPCErrors
	if !errors.As(err, &list) {
		return ""
	}
	for _, e := range list {
		if id := e.Info.Child(tree.Name{Space: tree.BaseSpace, Local: "session-id"}); e.Tag == "lock-denied" && id != nil {
			return id.Value
		}
	}
	return ""
}
