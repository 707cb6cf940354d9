package store

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
)

// The bounds of a check: bbolt's trees are a few levels deep, and looking into
// more leaf pages than this would delay the start. Of the leaves beyond only
// the headers are looked at: what is wrong in them is met, and reported, when
// they are used. At 4 KiB a page this is 64 MiB, far more than an agent keeps.
const (
	maxDepth  = 32
	maxLeaves = 16 << 10
)

// checker walks all pages that a bbolt file refers to, without trusting any of
// them. bbolt has a check of its own, but that one runs in a goroutine where a
// memory fault ends the process, needs the file opened first, which can panic
// too, and does not know our checksums.
type checker struct {
	f        io.ReaderAt
	pageSize uint64
	high     uint64 // the first page number that is not in use
	seen     []bool // per page: something refers to it
	leaves   int    // how many pages of leaves have been looked into
	bufs     [maxDepth + 1][]byte
}

// checkFile gives an error that wraps errDamaged when bbolt would stumble over
// the file, and a plain one when the file cannot be read.
func checkFile(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	m, err := readMetaPages(f)
	if err != nil {
		return err
	}
	if m.high > uint64(info.Size())/m.pageSize {
		return damaged("it is cut off: %d pages of %d bytes are in use and the file has %d bytes", m.high, m.pageSize, info.Size())
	}
	c := &checker{f: f, pageSize: m.pageSize, high: m.high, seen: make([]bool, m.high)}
	if err := c.tree(m.root, nil, 0); err != nil {
		return err
	}
	return c.freelist(m.freelist)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errDamaged, fmt.Sprintf(format, args...))
}

// page is one page with those that overflow from it.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // with the header; nil for a leaf that is not looked into
}

// page reads the page id, which nothing may have referred to before: that
// excludes circles, and pages that two owners would write to. What it gives is
// valid until the next page of the same depth.
func (c *checker) page(id uint64, depth int) (page, error) {
	if id < 2 || id >= c.high {
		return page{}, damaged("something refers to page %d, which does not exist", id)
	}
	buf, err := c.read(id, 1, depth)
	if err != nil {
		return page{}, err
	}
	p := page{id: u64(buf, 0), flags: u16(buf, 8), count: int(u16(buf, 10)), data: buf}
	overflow := uint64(u32(buf, 12))
	if p.id != id {
		return page{}, damaged("page %d says that it is page %d", id, p.id)
	}
	if overflow >= c.high-id {
		return page{}, damaged("page %d goes on beyond the end", id)
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i] {
			return page{}, damaged("page %d is referred to twice", i)
		}
		c.seen[i] = true
	}
	if p.flags == leafPage {
		if c.leaves += int(overflow) + 1; c.leaves > maxLeaves {
			p.data = nil
			return p, nil
		}
	}
	if overflow > 0 {
		p.data, err = c.read(id, overflow+1, depth)
	}
	return p, err
}

// read reads n pages into the buffer of that depth: the pages above are still
// in use while those below them are read.
func (c *checker) read(id, n uint64, depth int) ([]byte, error) {
	buf := slices.Grow(c.bufs[depth][:0], int(n*c.pageSize))[:n*c.pageSize]
	c.bufs[depth] = buf
	_, err := c.f.ReadAt(buf, int64(id*c.pageSize))
	if err == io.EOF {
		return nil, damaged("page %d is cut off", id)
	}
	return buf, err
}

// tree checks the page id and all below it; bucket is the name of the bucket
// that they belong to, nil for the root.
func (c *checker) tree(id uint64, bucket []byte, depth int) error {
	if depth > maxDepth {
		return damaged("the pages are nested too deeply at page %d", id)
	}
	p, err := c.page(id, depth)
	if err != nil {
		return err
	}
	switch p.flags {
	case branchPage:
		return c.branch(p, bucket, depth)
	case leafPage:
		return c.leaf(p, bucket, depth)
	}
	return damaged("page %d is of the kind %#x where a branch or a leaf belongs", id, p.flags)
}

func (c *checker) branch(p page, bucket []byte, depth int) error {
	if p.count == 0 {
		return damaged("the branch page %d is empty", p.id)
	}
	var last []byte
	for i := range p.count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p.data) {
			return damaged("page %d has more elements than fit", p.id)
		}
		key, ok := slice(p.data, at, u32(p.data, at), u32(p.data, at+4))
		if !ok || i > 0 && bytes.Compare(last, key) >= 0 {
			return damaged("the key %d of page %d is out of place", i, p.id)
		}
		last = key
		if err := c.tree(u64(p.data, at+8), bucket, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(p page, bucket []byte, depth int) error {
	if p.data == nil {
		return nil
	}
	var last []byte
	for i := range p.count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p.data) {
			return damaged("page %d has more elements than fit", p.id)
		}
		pos, ksize, vsize := u32(p.data, at+4), u32(p.data, at+8), u32(p.data, at+12)
		key, ok := slice(p.data, at, pos, ksize)
		value, ok2 := slice(p.data, at+int(ksize), pos, vsize)
		if !ok || !ok2 || len(key) == 0 || i > 0 && bytes.Compare(last, key) >= 0 {
			return damaged("the entry %d of page %d is out of place", i, p.id)
		}
		last = key
		if err := c.element(u32(p.data, at), bucket, key, value, depth); err != nil {
			return err
		}
	}
	return nil
}

// element checks what one entry of a leaf holds.
func (c *checker) element(flags uint32, bucket, key, value []byte, depth int) error {
	if flags&bucketLeaf == 0 {
		if bytes.Equal(bucket, kvBucket) {
			if err := checkStored(key, value); err != nil {
				return damaged("%v", err)
			}
		}
		return nil
	}
	if len(value) < bucketSize {
		return damaged("the bucket %q is cut off", key)
	}
	if root := u64(value, 0); root != 0 {
		return c.tree(root, key, depth+1)
	}
	inline := value[bucketSize:] // a small bucket is a leaf page inside its value
	if len(inline) < pageHeader || u16(inline, 8) != leafPage || depth > maxDepth {
		return damaged("the small bucket %q is not a leaf", key)
	}
	return c.leaf(page{count: int(u16(inline, 10)), data: inline}, key, depth+1)
}

// freelist checks the list of free pages: one that is in use would be
// overwritten by the next commit.
func (c *checker) freelist(id uint64) error {
	p, err := c.page(id, 0)
	if err != nil {
		return err
	}
	if p.flags != freelistPage {
		return damaged("page %d is of the kind %#x where the list of free pages belongs", id, p.flags)
	}
	at, n := pageHeader, uint64(p.count)
	if n == 0xFFFF { // too many for the header: the first number is the count
		n, at = u64(p.data, at), at+8
	}
	if n > uint64(len(p.data)-at)/8 {
		return damaged("the list of free pages has more of them than fit")
	}
	for i := range int(n) {
		free := u64(p.data, at+8*i)
		if free < 2 || free >= c.high || c.seen[free] {
			return damaged("page %d is listed as free and is not", free)
		}
		c.seen[free] = true
	}
	return nil
}
