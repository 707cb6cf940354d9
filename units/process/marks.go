package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
)

// mark says that the files of a unit are the engine's own. It is durable before
// the files are there and goes after them, so that a crash never leaves a file
// that nobody owns.
type mark struct {
	Name    string      `json:"name"`
	Digest  string      `json:"digest"`
	DropIns []string    `json:"drop_ins,omitempty"`
	Source  string      `json:"source,omitempty"`
	Want    units.State `json:"want,omitempty"`
	Install bool        `json:"install,omitempty"` // it has an [Install] section
}

// marks holds one file for each unit. It is safe for concurrent use.
type marks struct {
	dir string

	mu    sync.Mutex
	marks map[string]mark
}

func openMarks(dir string) (*marks, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := atomicfile.RemoveTemps(dir); err != nil {
		return nil, err
	}
	m := &marks{dir: dir, marks: map[string]mark{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		var k mark
		if err := json.Unmarshal(text, &k); err != nil || k.Name != e.Name() {
			return nil, fmt.Errorf("%s is damaged; it says that the unit %s was placed here: remove it, and the unit's file as well", path, e.Name())
		}
		m.marks[k.Name] = k
	}
	return m, nil
}

func (m *marks) get(name string) (mark, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.marks[name]
	return k, ok
}

// all gives the marks as they are now.
func (m *marks) all() map[string]mark {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.marks)
}

// put makes a mark durable.
func (m *marks) put(k mark) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(filepath.Join(m.dir, k.Name), text, 0o600); err != nil {
		return fmt.Errorf("it can't be recorded that %s is abide's: %w; make room in %s", k.Name, err, m.dir)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.marks[k.Name] = k
	return nil
}

// remove makes it durable that a unit is no longer ours.
func (m *marks) remove(name string) error {
	err := os.Remove(filepath.Join(m.dir, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	m.mu.Lock()
	delete(m.marks, name)
	m.mu.Unlock()
	return atomicfile.SyncDir(m.dir)
}
