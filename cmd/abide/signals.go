package main

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// signals remembers the signal that ended the context.
type signals struct{ got atomic.Int32 }

// code is 128 + the signal, as shells count, or 0.
func (s *signals) code() int {
	if n := s.got.Load(); n != 0 {
		return 128 + int(n)
	}
	return 0
}

// handleSignals ends the context at the first SIGINT or SIGTERM, and the
// process at the second: whoever asks twice doesn't want to wait.
func handleSignals(ctx context.Context) (context.Context, *signals) {
	ctx, cancel := context.WithCancel(ctx)
	s := &signals{}
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM)
	go func() { // lives as long as the process
		s.remember(<-ch)
		cancel()
		s.remember(<-ch)
		os.Exit(s.code())
	}()
	return ctx, s
}

func (s *signals) remember(sig os.Signal) {
	if n, ok := sig.(syscall.Signal); ok {
		s.got.Store(int32(n))
	}
}
