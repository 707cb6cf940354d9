package netconf

import (
	"context"
	"time"
)

// yuma is the module by which netconfd is known.
const yuma = "http://netconfcentral.org/ns/yuma-ncx"

// nudge helps netconfd over a fault: a request that it reads together with our
// hello lies there until it reads more, which happens whenever it is slow. So it
// is asked for nothing, again and again, until the first answer has come; the
// answers to that are dropped as late ones are.
func (s *Session) nudge(heard <-chan struct{}) {
	for wait := 250 * time.Millisecond; ; wait *= 2 {
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-heard:
			timer.Stop()
			return
		}
		s.mu.Lock()
		waiting := len(s.pending) > 0
		if waiting {
			s.last++
		}
		id := s.last
		s.mu.Unlock()
		if !waiting {
			wait /= 2
			continue
		}
		if s.conn.WriteMessage(context.Background(), request(id, base("get", subtree(base("filter"))))) != nil {
			return
		}
	}
}
