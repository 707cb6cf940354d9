package store

import (
	"bytes"
	"context"

	bolt "go.etcd.io/bbolt"
)

// Get is [Store.Get].
func (b *Bolt) Get(ctx context.Context, key string) (Entry, error) {
	var e Entry
	err := b.view(ctx, func(tx *bolt.Tx) error {
		stored := tx.Bucket(kvBucket).Get([]byte(key))
		if stored == nil {
			return ErrNotFound
		}
		var err error
		e, err = b.decode([]byte(key), stored)
		return err
	})
	return e, err
}

// List is [Store.List]. It reads one consistent state.
func (b *Bolt) List(ctx context.Context, prefix, after string, limit int) ([]Entry, Revision, error) {
	var out []Entry
	var rev Revision
	err := b.view(ctx, func(tx *bolt.Tx) error {
		rev = revisionOf(tx)
		var err error
		out, err = b.list(tx, prefix, after, limit)
		return err
	})
	if err != nil {
		return nil, 0, err
	}
	return out, rev, nil
}

func (b *Bolt) list(tx *bolt.Tx, prefix, after string, limit int) ([]Entry, error) {
	var out []Entry
	c := tx.Bucket(kvBucket).Cursor()
	for k, v := c.Seek(firstKey(prefix, after)); k != nil && bytes.HasPrefix(k, []byte(prefix)); k, v = c.Next() {
		if limit > 0 && len(out) == limit {
			break
		}
		e, err := b.decode(k, v)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// firstKey is the smallest key that a listing may begin with.
func firstKey(prefix, after string) []byte {
	if after < prefix {
		return []byte(prefix)
	}
	return []byte(after + "\x00")
}

// Watch is [Store.Watch]. Changes are kept for a while, so that a reader that
// calls List and then Watch from the listed revision misses nothing. When they
// are kept no longer the channel is closed at once. Values are shared between
// watches: do not change them.
func (b *Bolt) Watch(ctx context.Context, prefix string, from Revision) (<-chan Change, error) {
	return b.hub.watch(ctx, prefix, from)
}

func (b *Bolt) decode(key, stored []byte) (Entry, error) {
	e, err := decodeEntry(key, stored)
	if err != nil {
		return Entry{}, &CorruptError{Path: b.path, Err: err}
	}
	return e, nil
}

// view runs fn in a transaction that reads.
func (b *Bolt) view(ctx context.Context, fn func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.db == nil {
		return b.down
	}
	err := guard(func() error { return b.db.View(fn) })
	if panicked(err) {
		return &CorruptError{Path: b.path, Err: err}
	}
	return err
}
