package systemd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
)

// mark says that the files of a unit are abide's own. It is durable before the
// files are there and goes after them, so that a crash never leaves a file that
// nobody owns.
type mark struct {
	Name    string      `json:"name"`
	Gone    bool        `json:"gone,omitempty"` // the unit is no longer ours
	Digest  string      `json:"digest,omitempty"`
	DropIns []string    `json:"drop_ins,omitempty"`
	Source  string      `json:"source,omitempty"`
	Want    units.State `json:"want,omitempty"`
	// Boot and Placed say when content came that a running unit has to be
	// restarted for: microseconds of the monotonic clock of that boot. What has
	// been running for longer runs old content, whoever crashed in between.
	Boot   string `json:"boot,omitempty"`
	Placed uint64 `json:"placed,omitempty"`
	// Done is the boot in which this content, a one-shot, ended well, and DoneAt
	// when: systemd forgets a unit that has ended.
	Done   string    `json:"done,omitempty"`
	DoneAt time.Time `json:"done_at,omitzero"`
}

const (
	marksFile = "units.marks"
	// marksSlack is how many lines the file may hold beyond those that count.
	marksSlack = 512
	maxMarks   = 64 << 20 // bytes
)

// marks is an append-only file of marks, one a line; the last line of a name
// counts. So a batch costs one write and one fsync, however many units it has.
type marks struct {
	path string

	mu    sync.Mutex
	file  *os.File
	last  map[string]mark
	lines int
	err   error // of a repair that failed: nothing more can be appended safely
}

// openMarks reads the marks, and writes them anew where that makes them shorter.
func openMarks(path string) (*marks, []mark, error) {
	m := &marks{path: path, last: map[string]mark{}}
	if err := m.read(); err != nil {
		return nil, nil, err
	}
	if err := m.compact(); err != nil {
		return nil, nil, err
	}
	return m, slices.Collect(maps.Values(m.last)), nil
}

func (m *marks) read() error {
	info, err := os.Stat(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > maxMarks {
		err = fmt.Errorf("%s has %d bytes, which can't be right; move it away", m.path, info.Size())
	}
	if err != nil {
		return err
	}
	text, err := os.ReadFile(m.path)
	if err != nil {
		return err
	}
	for n := 1; len(text) > 0; n++ {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		text = rest
		if !whole {
			return nil // written when the power went: its unit's files were not there yet
		}
		var k mark
		if err := json.Unmarshal(line, &k); err != nil || k.Name == "" {
			return fmt.Errorf("%s:%d is no mark; it says which unit files abide placed: repair that line, or take it out and remove that unit's file by hand", m.path, n)
		}
		m.note(k)
	}
	return nil
}

func (m *marks) note(k mark) {
	m.lines++
	if k.Gone {
		delete(m.last, k.Name)
		return
	}
	m.last[k.Name] = k
}

// append makes marks durable. On an error none of them counts.
func (m *marks) append(batch ...mark) error {
	if len(batch) == 0 {
		return nil
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for _, k := range batch {
		if err := enc.Encode(k); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		// The last write left half a line: start the file anew.
		if m.err = m.compact(); m.err != nil {
			return m.failed(m.err)
		}
	}
	_, err := m.file.Write(text.Bytes())
	if err == nil {
		err = m.file.Sync()
	}
	if err != nil {
		m.err = err
		return m.failed(err)
	}
	for _, k := range batch {
		m.note(k)
	}
	if m.lines > 2*len(m.last)+marksSlack {
		m.err = m.compact()
	}
	return nil
}

func (m *marks) failed(err error) error {
	return fmt.Errorf("what abide places can't be recorded in %s, so nothing was placed: %w; make room there", m.path, err)
}

// compact writes the file anew with the lines that count and keeps it open.
func (m *marks) compact() error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	for _, name := range slices.Sorted(maps.Keys(m.last)) {
		if err := enc.Encode(m.last[name]); err != nil {
			return err
		}
	}
	if err := atomicfile.WriteFile(m.path, text.Bytes(), 0o600); err != nil {
		return err
	}
	file, err := os.OpenFile(m.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if m.file != nil {
		_ = m.file.Close()
	}
	m.file, m.lines = file, len(m.last)
	return nil
}

func (m *marks) close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.file.Close()
}
