package reconcile

import (
	"context"
	"time"
)

// lateLooks are the pauses before the engine is asked again after a life that
// was cut off: a container whose creation that life had asked for may appear
// after the first look, and belong to a run that has made another since.
var lateLooks = []time.Duration{2 * time.Second, 8 * time.Second, 50 * time.Second}

// reapStranded removes what appears late, with a last look when the agent stops.
func (k *Pipelines) reapStranded(hosts map[string]bool) {
	for _, wait := range lateLooks {
		limit := 10 * time.Second
		select {
		case <-time.After(wait):
		case <-k.agent.halted.Done():
			limit = 500 * time.Millisecond // a shutdown waits for it
		}
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		for host := range hosts {
			k.reapStrandedOn(ctx, host)
		}
		cancel()
		if k.agent.halted.Err() != nil {
			return
		}
	}
}

func (k *Pipelines) reapStrandedOn(ctx context.Context, host string) {
	exec, err := k.Executor(host)
	if err != nil {
		return
	}
	list, _ := exec.List(ctx, k.AgentID) // an engine that is down has made nothing; the next look asks again
	for _, w := range list {
		if w.Stranded {
			k.reapOne(ctx, exec, w)
		}
	}
}
