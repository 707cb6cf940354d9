package systemd

import "sync"

// shared lets many who need the same work done share it. What is under way when
// somebody asks may have begun too early for him: he gets the next, and all who
// ask until that begins get the same.
type shared struct {
	turn chan struct{} // capacity 1, full while the work is done
	mu   sync.Mutex
	next *round
}

// round is one time that the work is done.
type round struct {
	done chan struct{}
	err  error
}

func newShared() *shared { return &shared{turn: make(chan struct{}, 1)} }

// do gives the result of work that began after do was called.
func (s *shared) do(work func() error) error {
	s.mu.Lock()
	r, first := s.next, s.next == nil
	if first {
		r = &round{done: make(chan struct{})}
		s.next = r
	}
	s.mu.Unlock()
	if !first {
		<-r.done
		return r.err
	}
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.mu.Lock()
	s.next = nil
	s.mu.Unlock()
	defer close(r.done)
	r.err = work()
	return r.err
}
