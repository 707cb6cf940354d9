package device

import (
	"sync"
	"time"
)

// hint remembers a device's stamp of its last change, which tells for the price
// of an empty answer that nothing has changed since everything was looked at.
// Stamps have a resolution of a second, so one that is younger than that when
// it was read may hide a later change.
type hint struct {
	mu      sync.Mutex
	stamp   string
	since   time.Time // when the stamp was first read
	checked string    // the stamp that a look at everything has seen, and can be trusted
}

// young is how old a stamp must be to be trusted.
const young = 2 * time.Second

// read notes a stamp.
func (h *hint) read(stamp string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if stamp != h.stamp {
		h.stamp, h.since = stamp, now
	}
}

// seen notes that everything was looked at, when the device had this stamp.
func (h *hint) seen(stamp string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if stamp != h.stamp {
		h.stamp, h.since = stamp, now
	}
	if h.checked = ""; stamp != "" && now.Sub(h.since) >= young {
		h.checked = stamp
	}
}

// unchanged says that nothing can have changed since everything was looked at.
func (h *hint) unchanged(stamp string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return stamp != "" && stamp == h.checked
}

// useful says whether the device gives stamps at all.
func (h *hint) useful() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stamp != ""
}
