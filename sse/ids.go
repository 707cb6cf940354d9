package sse

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/abide-agent/abide/internal/atomicfile"
)

const (
	idsFile = "ids"
	// idBlock is how many ids are reserved at once: what a crash leaves out at
	// most, against an fsync each time. The next block is reserved when half of
	// the present one is used, beside the publishers.
	idBlock = 10_000
)

// idState is the content of the file of ids.
type idState struct {
	Reserved uint64 `json:"reserved"` // no id above it was ever given out
	Clean    bool   `json:"clean"`    // and this is the last one that was
}

// reservation makes sure that no id is given out twice, whatever of the log
// itself a power cut swallows.
type reservation struct {
	path string
	mu   sync.Mutex
	end  uint64
}

// readIDs gives the state that the last process left. A file that is missing
// or broken is no error: found is false and the log's own tail must do.
func readIDs(dir string) (state idState, found bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, idsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return idState{}, false, nil
	}
	if err != nil {
		return idState{}, false, err
	}
	if json.Unmarshal(data, &state) != nil {
		return idState{}, false, nil
	}
	return state, true, nil
}

// atLeast makes sure that the ids up to and with id are reserved, durably.
func (r *reservation) atLeast(id uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if id <= r.end {
		return nil
	}
	end := id + idBlock
	if err := r.write(idState{Reserved: end}); err != nil {
		return fmt.Errorf("the next event ids could not be reserved: %w", err)
	}
	r.end = end
	return nil
}

// low says that it is time to reserve beyond id.
func (r *reservation) low(id uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return id+idBlock/2 > r.end
}

// finish records that last was the last id, so that the next process goes on
// without a gap.
func (r *reservation) finish(last uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(idState{Reserved: last, Clean: true})
}

func (r *reservation) write(s idState) error {
	data, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(r.path, append(data, '\n'), 0o600)
}
