package forge

import (
	"context"
	"crypto/sha256"
	"sync"
)

// Seen keeps the memory of deliveries over a restart. Both methods are called
// from one goroutine for each source.
type Seen interface {
	// Load gives what was saved last, nil where there is nothing.
	Load(ctx context.Context, source string) ([]byte, error)
	// Save is durable when it returns.
	Save(ctx context.Context, source string, memory []byte) error
}

const (
	// keySize is how much of a digest is remembered, in bytes: too much for two
	// deliveries to meet by chance.
	keySize = 16
	// maxKeys bounds the memory of one source: some five hundred deliveries.
	maxKeys = 1024
)

type key [keySize]byte

// keyOf makes what is remembered of a text; what keeps its sorts apart.
func keyOf(what string, text []byte) key {
	sum := sha256.Sum256(append([]byte(what+"\x00"), text...))
	return key(sum[:keySize])
}

// memory holds the deliveries of one source that were believed. It forgets the
// oldest when it is full. It is safe for concurrent use.
type memory struct {
	mu    sync.Mutex
	known map[key]bool
	ring  []key // of maxKeys at most
	next  int   // where the oldest stands in a full ring
}

// fresh remembers keys, and says whether none of them was known.
func (m *memory) fresh(keys ...key) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if m.known[k] {
			return false
		}
	}
	for _, k := range keys {
		m.add(k)
	}
	return true
}

func (m *memory) add(k key) {
	if m.known == nil {
		m.known = map[key]bool{}
	}
	if len(m.ring) < maxKeys {
		m.ring = append(m.ring, k)
	} else {
		delete(m.known, m.ring[m.next])
		m.ring[m.next] = k
		m.next = (m.next + 1) % maxKeys
	}
	m.known[k] = true
}

// encode gives the memory as bytes, the oldest first.
func (m *memory) encode() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]byte, 0, len(m.ring)*keySize)
	for i := range m.ring {
		k := m.ring[(m.next+i)%len(m.ring)]
		out = append(out, k[:]...)
	}
	return out
}

// decode takes what encode gave, as far as it is whole.
func (m *memory) decode(b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; len(b) >= keySize; b = b[keySize:] {
		if k := key(b[:keySize]); !m.known[k] {
			m.add(k)
		}
	}
}
