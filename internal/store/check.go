package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// The layout of a bbolt file, version 2, in the byte order of the machine.
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16 // id u64, flags u16, count u16, overflow u32
	elementSize = 16 // of a branch or leaf page
	bucketSize  = 16 // root u64, sequence u64
	metaSize    = 64 // with its checksum

	branchPage   = 0x01
	leafPage     = 0x02
	freelistPage = 0x10

	bucketLeaf = 0x01 // the flag of an element that holds a bucket
)

// The bounds of a check: bbolt's trees are a few levels deep, and reading more
// leaves than this would delay the start. Leaves beyond are not read, only
// their headers: what is wrong in them is met, and reported, when they are
// used. At 4 KiB a page this is 64 MiB, some fifty times what an agent keeps.
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
	leaves   int    // how many leaves have been read
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

type metaPage struct{ pageSize, root, freelist, high, txid uint64 }

// readMetaPages gives the newer of the two meta pages that are valid, as bbolt
// does: after a crash one of them may be torn.
func readMetaPages(f io.ReaderAt) (metaPage, error) {
	first, ok0, err := readMetaPage(f, 0)
	if err != nil {
		return metaPage{}, err
	}
	offset := uint64(os.Getpagesize())
	if ok0 {
		offset = first.pageSize
	}
	second, ok1, err := readMetaPage(f, offset)
	switch {
	case err != nil:
		return metaPage{}, err
	case !ok0 && !ok1:
		return metaPage{}, damaged("it has no valid header")
	case !ok0 || ok1 && second.txid > first.txid:
		return second, nil
	}
	return first, nil
}

func readMetaPage(f io.ReaderAt, offset uint64) (metaPage, bool, error) {
	buf := make([]byte, pageHeader+metaSize)
	if _, err := f.ReadAt(buf, int64(offset)); err == io.EOF {
		return metaPage{}, false, nil
	} else if err != nil {
		return metaPage{}, false, err
	}
	buf = buf[pageHeader:]
	sum := fnv.New64a()
	_, _ = sum.Write(buf[:56])
	m := metaPage{
		pageSize: uint64(u32(buf, 8)), root: u64(buf, 16),
		freelist: u64(buf, 32), high: u64(buf, 40), txid: u64(buf, 48),
	}
	sound := u32(buf, 0) == boltMagic && u32(buf, 4) == boltVersion && u64(buf, 56) == sum.Sum64() &&
		m.pageSize >= 512 && m.pageSize <= 1<<24 && m.pageSize&(m.pageSize-1) == 0
	return m, sound, nil
}

func u16(b []byte, at int) uint16 { return binary.NativeEndian.Uint16(b[at:]) }
func u32(b []byte, at int) uint32 { return binary.NativeEndian.Uint32(b[at:]) }
func u64(b []byte, at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }

// page is one page with those that overflow from it.
type page struct {
	id    uint64
	flags uint16
	count int
	data  []byte // with the header; nil for a leaf that is not read
}

// page reads the page id, which nothing may have referred to before: that
// excludes circles, and pages that two owners would write to.
func (c *checker) page(id uint64) (page, error) {
	if id < 2 || id >= c.high {
		return page{}, damaged("something refers to page %d, which does not exist", id)
	}
	head := make([]byte, pageHeader)
	if err := c.read(head, id); err != nil {
		return page{}, err
	}
	p := page{id: u64(head, 0), flags: u16(head, 8), count: int(u16(head, 10))}
	overflow := uint64(u32(head, 12))
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
		if c.leaves++; c.leaves > maxLeaves {
			return p, nil
		}
	}
	p.data = make([]byte, (overflow+1)*c.pageSize)
	return p, c.read(p.data, id)
}

func (c *checker) read(buf []byte, id uint64) error {
	_, err := c.f.ReadAt(buf, int64(id*c.pageSize))
	if err == io.EOF {
		return damaged("page %d is cut off", id)
	}
	return err
}

// tree checks the page id and all below it; bucket is the name of the bucket
// that they belong to, nil for the root.
func (c *checker) tree(id uint64, bucket []byte, depth int) error {
	if depth > maxDepth {
		return damaged("the pages are nested too deeply at page %d", id)
	}
	p, err := c.page(id)
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

// slice gives the n bytes at pos behind the element at at.
func slice(data []byte, at int, pos, n uint32) ([]byte, bool) {
	from := uint64(at) + uint64(pos)
	if from+uint64(n) > uint64(len(data)) {
		return nil, false
	}
	return data[from : from+uint64(n)], true
}

// freelist checks the list of free pages: one that is in use would be
// overwritten by the next commit.
func (c *checker) freelist(id uint64) error {
	p, err := c.page(id)
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
