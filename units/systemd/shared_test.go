package systemd

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// TestShared: however many ask while the work is under way, it is done once more.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShared()
		var group sync.WaitGroup
		begun, end, times := make(chan struct{}), make(chan struct{}), 0
		group.Go(func() {
			_ = s.do(func() error { close(begun); <-end; return nil })
		})
		<-begun
		failure := errors.New("it failed")
		for range 1000 {
			group.Go(func() {
				if err := s.do(func() error { times++; return failure }); !errors.Is(err, failure) {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		close(end)
		group.Wait()
		if times != 1 {
			t.Errorf("done %d times more", times)
		}
		if err := s.do(func() error { times++; return nil }); err != nil || times != 2 {
			t.Errorf("afterwards: %v, %d times", err, times)
		}
	})
}
