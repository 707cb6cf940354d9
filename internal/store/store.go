// Package store keeps the durable state of one agent behind a small key-value
// interface with revisions and watches, shaped like etcd's so that a cluster
// can stand behind it later. It knows keys, bytes and revisions; it never knows
// what it keeps.
package store

import (
	"context"
	"errors"
)

// Revision counts commits: every [Store.Commit] that changes something gets the
// next one. It starts at 1 and never goes back, also over a restart.
type Revision uint64

// Entry is one key with its value and the revision that last wrote it.
type Entry struct {
	Key      string
	Value    []byte
	Revision Revision
}

// Op is one write of a commit: a put, or a delete when Delete is set.
type Op struct {
	Key    string
	Value  []byte
	Delete bool

	// If, when not nil, makes the whole commit conditional: the key's present
	// revision must equal *If, 0 meaning that the key must not exist.
	If *Revision
}

// Put and Delete make unconditional ops.
func Put(key string, value []byte) Op { return Op{Key: key, Value: value} }

// Delete removes key; it is no error when the key does not exist.
func Delete(key string) Op { return Op{Key: key, Delete: true} }

// Change is what a watch delivers: one op of one commit, in order.
type Change struct {
	Entry
	Deleted bool
}

// The errors that a caller can act on.
var (
	ErrNotFound = errors.New("no such key")
	ErrConflict = errors.New("the key was changed by somebody else; read it again")
	ErrClosed   = errors.New("the store is closed")
)

// Store is durable when Commit returns. All methods are safe for concurrent
// use. Values are the caller's to keep and must not be changed after a Commit.
type Store interface {
	// Get gives the entry of one key, or ErrNotFound.
	Get(ctx context.Context, key string) (Entry, error)
	// List gives the entries whose keys begin with prefix, ordered by key, and
	// the revision that the listing shows. At most limit entries with a key
	// greater than after, when limit is > 0.
	List(ctx context.Context, prefix, after string, limit int) ([]Entry, Revision, error)
	// Commit applies all ops in one step or none of them, and returns when the
	// result is durable. Commits that wait at the same time share one fsync.
	Commit(ctx context.Context, ops ...Op) (Revision, error)
	// Watch delivers the changes below prefix with a revision greater than
	// from. The channel is closed when ctx ends, when the store is closed, and
	// when the reader falls too far behind: then read again with List.
	Watch(ctx context.Context, prefix string, from Revision) (<-chan Change, error)
	Close() error
}
