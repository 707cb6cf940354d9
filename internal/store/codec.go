package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// A stored value is the revision (8 bytes, big endian), the CRC-32C of revision,
// key and value (4 bytes, big endian), and the value. bbolt keeps no checksums
// of its pages, so without one a flipped bit would be read as the truth.
const valueHeader = 12

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeValue(key string, value []byte, rev Revision) []byte {
	out := make([]byte, valueHeader, valueHeader+len(value))
	binary.BigEndian.PutUint64(out, uint64(rev))
	out = append(out, value...)
	binary.BigEndian.PutUint32(out[8:], checksum(out[:8], []byte(key), value))
	return out
}

// decodeEntry takes a stored pair apart. The entry shares no memory with it.
func decodeEntry(key, stored []byte) (Entry, error) {
	if err := checkStored(key, stored); err != nil {
		return Entry{}, err
	}
	return Entry{
		Key:      string(key),
		Value:    bytes.Clone(stored[valueHeader:]),
		Revision: storedRevision(stored),
	}, nil
}

func checkStored(key, stored []byte) error {
	if len(stored) < valueHeader {
		return fmt.Errorf("the value of the key %q has only %d bytes", key, len(stored))
	}
	if binary.BigEndian.Uint32(stored[8:]) != checksum(stored[:8], key, stored[valueHeader:]) {
		return fmt.Errorf("the value of the key %q does not match its checksum", key)
	}
	return nil
}

// storedRevision gives the revision of a stored value, 0 when there is none.
func storedRevision(stored []byte) Revision {
	if len(stored) < valueHeader {
		return 0
	}
	return Revision(binary.BigEndian.Uint64(stored))
}

func checksum(parts ...[]byte) uint32 {
	var sum uint32
	for _, p := range parts {
		sum = crc32.Update(sum, castagnoli, p)
	}
	return sum
}

// The limits of one op. A value that does not fit belongs into a file of its own.
const (
	MaxKey   = 8 << 10  // bytes
	MaxValue = 16 << 20 // bytes
)

// checkOps refuses what no store can hold, before anything is written.
func checkOps(ops []Op) error {
	for _, op := range ops {
		switch {
		case op.Key == "":
			return errors.New("a key must not be empty; nothing was stored")
		case len(op.Key) > MaxKey:
			return fmt.Errorf("the key %.40q… has %d bytes, more than the %d that are allowed; nothing was stored, use a shorter name", op.Key, len(op.Key), MaxKey)
		case len(op.Value) > MaxValue:
			return fmt.Errorf("the value of the key %q has %d bytes, more than the %d that are allowed; nothing was stored, keep it in a file", op.Key, len(op.Value), MaxValue)
		}
	}
	return nil
}

// size is about what the ops occupy in memory, in bytes.
func size(ops []Op) int {
	n := 0
	for _, op := range ops {
		n += len(op.Key) + len(op.Value)
	}
	return n
}
