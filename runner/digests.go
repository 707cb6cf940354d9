package runner

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"iter"
	"sync"
)

// maxDigests bounds what a Digests remembers: a few hundred bytes each.
const maxDigests = 4096

// Digests gives input digests and remembers their parts by the hashes of the
// directories that they were read from, so that pipelines which copy the same
// files, and trees which did not change, cost one walk together. The zero value
// is ready; it is safe for concurrent use.
type Digests struct {
	mu    sync.Mutex
	parts map[string]string
}

// Of gives p.InputDigest(tree).
func (c *Digests) Of(p *Pipeline, tree fs.FS) (string, error) {
	d := digester{sum: sha256.New(), tree: tree, cache: c}
	d.hasher, _ = tree.(hasher)
	d.write("pipeline 1", string(p.Text))
	if err := d.contexts(p); err != nil {
		return "", err
	}
	if err := d.copied(p); err != nil {
		return "", p.unreadable(err)
	}
	return "sha256:" + hex.EncodeToString(d.sum.Sum(nil)), nil
}

func (c *Digests) get(key string) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	part, ok := c.parts[key]
	return part, ok
}

func (c *Digests) put(key, part string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parts == nil || len(c.parts) >= maxDigests {
		c.parts = map[string]string{}
	}
	c.parts[key] = part
}

// part adds the digest of what a walk below a directory gives, from the cache
// if the directory is as it was.
func (d *digester) part(dir, key string, walk iter.Seq2[Entry, error]) error {
	if d.hasher != nil {
		h, err := d.hasher.Hash(dir)
		if err != nil {
			return err
		}
		key += "\x00" + h
		if part, ok := d.cache.get(key); ok {
			d.write("part", part)
			return nil
		}
	}
	own := digester{sum: sha256.New(), tree: d.tree, hasher: d.hasher}
	if err := own.entries(dir, walk); err != nil {
		return err
	}
	part := string(own.sum.Sum(nil))
	if d.hasher != nil {
		d.cache.put(key, part)
	}
	d.write("part", part)
	return nil
}
