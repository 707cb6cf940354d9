// Package sources knows where desired state comes from: Git repositories,
// watched directories and single files. Each yields Snapshots, and hints that
// a newer one may be there. It never knows what the files mean.
package sources

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Commit describes the commit that a snapshot of a Git source shows.
type Commit struct {
	Hash    string    `json:"hash"`
	Author  string    `json:"author,omitempty"` // "Name <mail>"
	Subject string    `json:"subject,omitempty"`
	When    time.Time `json:"when"`
}

// Snapshot is the content of a source at one revision.
type Snapshot struct {
	Source   string
	Revision string  // commit hash, or "sha256:…" of the content
	Content  string  // identity of what lies below the source's path (a tree hash for Git): equal content means no work at all
	Commit   *Commit // nil for a directory
	// Tree is a read-only view below the source's path. It implements
	// fs.ReadDirFS, fs.StatFS and fs.ReadLinkFS, and Hasher. It stays readable
	// as long as the source is open, also after newer snapshots were taken.
	Tree fs.FS
	// Exact says that absence is intent even where nothing at all is left: a
	// registry knows what was deleted, an empty directory may be an unmounted disk.
	Exact bool
	// Only is the one file of Tree that holds desired state, when the source was
	// pointed at a file; Tree is then the directory it stands in. Else empty.
	Only string
}

// Hasher is implemented by the trees of snapshots.
type Hasher interface {
	// Hash identifies the content of one file, link or directory (recursively,
	// with names, modes and link targets) without streaming it where the source
	// can: Git answers with object hashes, a directory with a digest cached by
	// size, times and inode. Equal hashes mean equal content.
	Hash(name string) (string, error)
}

// Source is one place that desired state comes from. Run may be called once;
// the other methods are safe for concurrent use.
type Source interface {
	Name() string
	// Snapshot looks at the source and gives its newest content. An error leaves
	// the last good desired state in force; its type says what the loop does.
	Snapshot(ctx context.Context) (*Snapshot, error)
	// At gives the content at an earlier revision, for a run that goes on after
	// a restart. A source that keeps no history gives its present content when
	// revision is the present one, else ErrGone.
	At(ctx context.Context, revision string) (*Snapshot, error)
	// Run calls hint whenever a newer snapshot may be there (a changed file, a
	// moved ref, the poll interval), until ctx ends. A hint carries no truth.
	// It returns early only with an error that no waiting can mend.
	Run(ctx context.Context, hint func()) error
	// Location names the source for people, without any secret.
	Location() string
	Close() error
}

// ErrGone means that the wanted revision cannot be had any more.
var ErrGone = errors.New("the source no longer has that revision")

// ErrEmpty means that the source is readable and holds no file at all: its last
// good desired state stays in force (nothing is pruned on the word of an empty
// directory or an unmounted disk).
var ErrEmpty = errors.New("the source holds no file at all")
