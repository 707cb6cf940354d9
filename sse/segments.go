package sse

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/abide-agent/abide/internal/atomicfile"
)

const segmentExt = ".ndjson"

// segment is one file of the log of transitions. Its name is the lowest id
// that it can hold: it ends where the next one's name begins.
type segment struct {
	first uint64
	size  int64 // of a finished segment
}

// segments is the log of transitions on disk: files of one JSON line per
// event, in the order of their ids. append and the life cycle belong to the
// log's lock; any reader may list and open.
type segments struct {
	dir    string
	max    int64 // bytes after which the next segment begins
	retain int64 // bytes of all segments, about

	mu     sync.RWMutex
	list   []segment
	active *lineFile // the last of the list, nil before the first event

	retired []*os.File // finished, not yet synced
	created bool       // a name is not yet synced
}

func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentExt) }

func (s *segments) path(first uint64) string { return filepath.Join(s.dir, segmentName(first)) }

// openSegments reads the directory and the end of the newest segment, and
// nothing else. It gives the id of the last event found.
func openSegments(dir string, size, retain int64) (*segments, uint64, error) {
	s := &segments{dir: dir, max: size, retain: retain}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, 0, err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), segmentExt)
		first, err := strconv.ParseUint(name, 10, 64)
		if !ok || err != nil || len(name) != 20 || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, 0, err
		}
		s.list = append(s.list, segment{first: first, size: info.Size()})
	}
	slices.SortFunc(s.list, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	if len(s.list) == 0 {
		return s, 0, nil
	}
	newest := s.list[len(s.list)-1].first
	active, t, err := openLines(s.path(newest))
	if err != nil {
		return nil, 0, err
	}
	s.active = active
	return s, max(t.last, newest-min(newest, 1)), nil
}

// append writes the line of event id, starting a new segment where the present
// one is full.
func (s *segments) append(id uint64, line []byte) error {
	if s.active == nil || s.active.size > 0 && s.active.size+int64(len(line)) > s.max {
		if err := s.rotate(id); err != nil {
			return err
		}
	}
	return s.active.append(line)
}

// rotate makes a new segment the active one, and drops the oldest ones.
func (s *segments) rotate(id uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := id
	if len(s.list) == 0 {
		first = 1 // nothing before it was ever dropped
	}
	f, err := os.OpenFile(s.path(first), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if s.active != nil {
		s.list[len(s.list)-1].size = s.active.size
		s.retired = append(s.retired, s.active.f)
	}
	s.active = &lineFile{f: f, path: f.Name()}
	s.list = append(s.list, segment{first: first})
	s.created = true
	s.drop()
	return nil
}

// drop deletes the oldest segments beyond what is to be kept. The active one
// always stays.
func (s *segments) drop() {
	total := s.max // the active one, once it is full
	for _, seg := range s.list[:len(s.list)-1] {
		total += seg.size
	}
	for len(s.list) > 1 && total > s.retain {
		if err := os.Remove(s.path(s.list[0].first)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // tried again at the next rotation
		}
		total -= s.list[0].size
		s.list = slices.Delete(s.list, 0, 1)
	}
}

// oldest is the lowest id that the segments can still hold.
func (s *segments) oldest() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.list) == 0 {
		return 1
	}
	return s.list[0].first
}

// find gives the segment that holds id, or where the ids after it begin. limit
// is the first id of the segment after it, 0 where it is the newest.
func (s *segments) find(id uint64) (path string, first, limit uint64, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.list) == 0 {
		return "", 0, 0, false
	}
	i, exact := slices.BinarySearchFunc(s.list, id, func(seg segment, id uint64) int { return cmp.Compare(seg.first, id) })
	if !exact {
		i = max(i-1, 0)
	}
	if i+1 < len(s.list) {
		limit = s.list[i+1].first
	}
	return s.path(s.list[i].first), s.list[i].first, limit, true
}

// sync makes all that was written durable, the names of new segments too. Only
// one goroutine syncs.
func (s *segments) sync() error {
	s.mu.Lock()
	retired, created, active := s.retired, s.created, s.active
	s.retired, s.created = nil, false
	s.mu.Unlock()

	var errs []error
	for _, f := range retired {
		errs = append(errs, f.Sync(), f.Close())
	}
	if active != nil {
		errs = append(errs, active.f.Sync())
	}
	if created {
		errs = append(errs, atomicfile.SyncDir(s.dir))
	}
	return errors.Join(errs...)
}

func (s *segments) close() error {
	err := s.sync()
	if s.active != nil {
		err = errors.Join(err, s.active.f.Close())
	}
	return err
}
