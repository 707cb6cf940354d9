package store

import (
	"encoding/binary"
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

// slice gives the n bytes at pos behind the element at at.
func slice(data []byte, at int, pos, n uint32) ([]byte, bool) {
	from := uint64(at) + uint64(pos)
	if from+uint64(n) > uint64(len(data)) {
		return nil, false
	}
	return data[from : from+uint64(n)], true
}
