package main

import (
	"context"
	"os"
	"runtime/debug"
	"sync"
	"time"
)

// garbagePercent is how much garbage may come together, in percent of what is in
// use, before it is collected. A daemon waits most of the time: half of what Go
// would take makes no work that can be measured, and keeps its memory small
// after a burst. The variable GOGC says otherwise.
const garbagePercent = 50

// tidyEvery is how often the daemon looks whether a burst is over.
const tidyEvery = time.Second

// saveMemory makes the process of a daemon small and keeps it so: once runs have
// ended and none is left, what they needed goes back to the system at once,
// which Go by itself would do over minutes. The function that it gives ends it.
func (a *parts) saveMemory(ctx context.Context) (stop func()) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(tidyEvery)
		defer tick.Stop()
		tidied := 0 // the runs there had been when it was done last
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if h := a.pipelines.Count(); h.Running+h.Queued == 0 && h.Runs != tidied {
				debug.FreeOSMemory()
				tidied = h.Runs
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}
