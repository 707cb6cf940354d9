package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/abide-agent/abide/netconf/service"
)

// asked is a handler's work on an instance that is under way, or whose result
// nobody has taken yet. A handler is another process, which may take its time:
// what is made by others doesn't wait for it.
type asked struct {
	service, digest string
	cancel          context.CancelFunc
	done            chan struct{}
	output          service.Output
	err             error
}

// ask has a handler make an instance, and waits for it as long as others may be
// kept waiting. With a *[Waiting] error the handler goes on: who asks for the same
// again gets what comes of it.
func (k *Services) ask(ctx context.Context, digest string, r service.Request) (service.Output, error) {
	q, err := k.asking(ctx, digest, r)
	if err != nil {
		return nil, err
	}
	name := r.Instance.Name()
	wait := cmp.Or(k.Wait, k.Timeout)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-q.done:
	case <-timer.C:
		k.setSlow(name, true)
		return nil, &Waiting{For: "its handler, which is at work on it", Period: wait}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.asked[name] == q {
		delete(k.asked, name)
	}
	return q.output, q.err
}

// lastWord is for a server of handlers to say by itself, and better, that one is
// late, once the time of service code is over.
const lastWord = 2 * time.Second

// asking gives what a handler is at work on, or has it begin.
func (k *Services) asking(ctx context.Context, digest string, r service.Request) (*asked, error) {
	name := r.Instance.Name()
	k.mu.Lock()
	q := k.asked[name]
	if q != nil && q.digest == digest {
		k.mu.Unlock()
		return q, nil
	}
	if q != nil {
		q.cancel() // something else is wanted now
		delete(k.asked, name)
	}
	if k.busyWith(r.Instance.Service) >= k.Parallel && !r.Deleted {
		k.mu.Unlock()
		k.setSlow(name, true)
		return nil, &Waiting{For: "the handler of " + r.Instance.Service + ", which is at work on others", Period: cmp.Or(k.Wait, k.Timeout)}
	}
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), k.Timeout+lastWord)
	q = &asked{service: r.Instance.Service, digest: digest, cancel: cancel, done: make(chan struct{})}
	k.asked[name] = q
	k.mu.Unlock()
	if !k.agent.Go(func(life context.Context) { k.work(life, work, q, r) }) {
		cancel()
		return nil, fmt.Errorf("the agent is stopping: %w", ErrUnavailable)
	}
	return q, nil
}

// work is the time of a handler with an instance.
func (k *Services) work(life, ctx context.Context, q *asked, r service.Request) {
	defer q.cancel()
	defer context.AfterFunc(life, q.cancel)()
	q.output, q.err = safely(ctx, k.Handlers, r)
	close(q.done)
	k.mu.Lock()
	late := k.slow[r.Instance.Name()]
	if r.Deleted && k.asked[r.Instance.Name()] == q {
		delete(k.asked, r.Instance.Name()) // nobody asks again
	}
	k.mu.Unlock()
	if late {
		k.agent.Soon(ServiceKind)
	}
}

// busyWith counts the instances of a service that handlers are at work on. The
// caller holds mu.
func (k *Services) busyWith(service string) (n int) {
	for _, q := range k.asked {
		if q.service == service {
			n++
		}
	}
	return n
}

// isAsked says whether a handler is at work on an instance.
func (k *Services) isAsked(name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.asked[name] != nil
}

// safely keeps a panic of code from ending anything else.
func safely(ctx context.Context, code service.Code, r service.Request) (out service.Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error in the code of %s: %v; please report it", r.Instance.Name(), p)
		}
	}()
	return code.Run(ctx, r)
}
