package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// NoHandlerError tells that no handler is connected that makes a service.
type NoHandlerError struct {
	Service, Instance string
	// Asked says that handlers are connected that name no services, and that none of
	// them has made anything of this one, which has been made before: taking that
	// for the handler's wish would remove everything when it is the wrong handler.
	Asked bool
}

// Error gives a sentence.
func (e *NoHandlerError) Error() string {
	if e.Asked {
		return fmt.Sprintf("no handler that is connected makes anything of %s, of which something was made before; start the handler of %s, or have it name the service (SERVICE_XPATH) if nothing is what it wants", e.Instance, e.Service)
	}
	return fmt.Sprintf("no handler is connected for the service %s, so that %s can't be made; start its handler, or put a template for %s beside the instances", e.Service, e.Instance, e.Service)
}

// HandlerError tells that a handler could not make an instance.
type HandlerError struct {
	Service, Instance string
	Origin            string // what the handler calls itself, or ""
	Reason            string
	Hint              string
}

// Error gives a sentence.
func (e *HandlerError) Error() string {
	s := e.Instance + ": " + strings.TrimRight(strings.TrimSpace(e.Reason), ".")
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// run is one instance that a handler makes. The server's lock guards it.
type run struct {
	req    Request
	t      *transaction
	view   *view // what the handler reads
	edits  *edits
	over   bool // finished, though the handler may not know it
	done   chan struct{}
	output Output
	err    error
}

// finish ends a run, once. The caller holds the lock.
func (r *run) finish(out Output, err error, origin string) {
	if r.over {
		return
	}
	r.over, r.output, r.err = true, out, err
	switch {
	case err != nil:
		r.output = nil
		r.t.end(err, origin)
	case r.req.DryRun:
		r.t.end(nil, "")
	default:
		r.t.enter(stateInit)
	}
	close(r.done)
	if r.t.state == stateDone && r.t.handler.results {
		r.t.handler.enqueue(notice{msg: r.t.notice()})
	}
}

// Run has a handler make the instance: one that names the service, else one that
// names none. Of several it takes the first that is free; where it isn't known
// which of those without names makes the service, each is asked until one has
// made something of it. The error is a *[NoHandlerError] or a *[HandlerError],
// or the context's. Of an instance that is gone handlers are only told, so that
// their errors keep nobody from removing what it made.
func (s *Server) Run(ctx context.Context, r Request) (Output, error) {
	out, err := s.run(ctx, r)
	if err != nil && r.Deleted && ctx.Err() == nil {
		s.warn(fmt.Sprintf("the handler could not be told that %s is gone: %v", r.Instance.Name(), err))
		return Output{}, nil
	}
	return out, err
}

func (s *Server) run(ctx context.Context, r Request) (Output, error) {
	if strings.ContainsAny(r.Instance.Key, " \t\r\n'\"") {
		return nil, &HandlerError{
			Service: r.Instance.Service, Instance: r.Instance.Name(),
			Reason: "its key has a blank or a quote in it, which handlers can't read", Hint: "give the instance another key, or make it with a template",
		}
	}
	asked := map[*session]bool{}
	for {
		run, n, err := s.begin(ctx, r, asked)
		if err != nil {
			return nil, err
		}
		if run == nil { // nobody is left to ask
			return s.nothing(&r)
		}
		asked[n] = true
		out, err := s.await(ctx, run, n)
		if err != nil || len(out) > 0 || r.Deleted || s.makes(n, r.Instance.Service) {
			return out, err
		}
	}
}

// makes says whether it is known that a handler makes a service, so that nothing
// is what it wants to make.
func (s *Server) makes(n *session, service string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(n.claims) > 0 || n.learned[service]
}

// nothing is the output of an instance of which no handler has made anything, and
// of whose handlers none is known to make its service.
func (s *Server) nothing(r *Request) (Output, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Made || s.made[r.Instance.Service] {
		return nil, &NoHandlerError{Service: r.Instance.Service, Instance: r.Instance.Name(), Asked: true}
	}
	return Output{}, nil
}

// begin waits for a free handler and gives it the instance.
func (s *Server) begin(ctx context.Context, r Request, asked map[*session]bool) (*run, *session, error) {
	timeout := time.NewTimer(s.options.Timeout)
	defer timeout.Stop()
	for {
		s.mu.Lock()
		list, err := s.candidates(r.Instance, asked)
		if err != nil || len(list) == 0 {
			s.mu.Unlock()
			return nil, nil, err
		}
		now := time.Now()
		for _, n := range list {
			if free, _ := n.free(now); !free {
				continue
			}
			run := s.assign(n, r)
			s.mu.Unlock()
			msg := run.t.commitNotice(&r.Instance, r.DryRun)
			// Half a message would cost the session: who gives up does so while waiting.
			if err := n.write(context.WithoutCancel(ctx), msg); err != nil {
				n.conn.Close() // leave finishes the run
			}
			return run, n, nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-timeout.C:
			return nil, nil, &HandlerError{
				Service: r.Instance.Service, Instance: r.Instance.Name(),
				Reason: fmt.Sprintf("the handler of %s has been busy with other instances for %v", r.Instance.Service, s.options.Timeout), Hint: "start more of them, or raise the service timeout",
			}
		}
	}
}

// assign gives a session a run. The caller holds the lock.
func (s *Server) assign(n *session, r Request) *run {
	t := transaction{user: r.User, instance: r.Instance.Name(), handler: n, state: stateActions}
	if t.user == "" {
		t.user = s.options.User
	}
	t.description = "Controller commit actions:CHANGE push:NONE"
	if !r.DryRun {
		t.description = "Controller commit actions:CHANGE push:COMMIT"
		if old := s.book.pushing(t.instance); old != nil {
			old.end(errors.New("a newer run took its place"), "controller")
		}
	}
	for i := range r.Devices {
		t.devices = append(t.devices, r.Devices[i].Name)
	}
	v := newView(&r)
	run := &run{req: r, t: s.book.begin(t), view: v, edits: newEdits(&r, v), done: make(chan struct{})}
	s.runs[run.t.tid] = run
	n.run, n.served = run, true
	return run
}

// await waits for what a handler makes. A late one stays at work: it is asked
// nothing else before it has answered.
func (s *Server) await(ctx context.Context, r *run, n *session) (Output, error) {
	timeout := time.NewTimer(s.options.Timeout)
	defer timeout.Stop()
	var err error
	origin := "Actions"
	select {
	case <-r.done:
	case <-ctx.Done():
		err, origin = context.Cause(ctx), s.options.User
	case <-timeout.C:
		err = &HandlerError{
			Service: r.req.Instance.Service, Instance: r.req.Instance.Name(),
			Reason: fmt.Sprintf("the handler %s hasn't made it in %v", n, s.options.Timeout), Hint: "look at its log, or raise the service timeout",
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		r.finish(nil, err, origin)
		s.stir() // others may wait for a handler that is late now
	}
	return r.output, r.err
}

// candidates gives the sessions that may make an instance, the likeliest first.
// There is none left when all have been asked. The caller holds the lock.
func (s *Server) candidates(i Instance, asked map[*session]bool) ([]*session, error) {
	var named, known, others []*session
	var late *session
	claimed := slices.ContainsFunc(s.sessions, func(n *session) bool { return n.services && slices.Contains(n.claims, i.Service) })
	for _, n := range s.sessions {
		switch {
		case !n.services || asked[n]:
		case (claimed || len(n.claims) > 0) && !slices.Contains(n.claims, i.Service):
		case n.run != nil && n.run.over:
			late = n
		case len(n.claims) > 0:
			named = append(named, n)
		case n.learned[i.Service]:
			known = append(known, n)
		default:
			others = append(others, n)
		}
	}
	switch {
	case len(named) > 0:
		return named, nil
	case len(known) > 0:
		return known, nil
	case len(others) > 0 || len(asked) > 0:
		return others, nil
	case late != nil:
		return nil, &HandlerError{
			Service: i.Service, Instance: i.Name(),
			Reason: fmt.Sprintf("the handler %s still works on %s, for which its time is over", late, late.run.req.Instance.Name()), Hint: "restart the handler if it hangs",
		}
	}
	return nil, &NoHandlerError{Service: i.Service, Instance: i.Name()}
}

// finished ends the run that a client says is done, or failed.
func (s *Server) finished(r *run, failure error, origin string) {
	out, warning, err := r.edits.output()
	if failure != nil {
		err = failure
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && len(out) > 0 && !r.over {
		r.t.handler.learned[r.req.Instance.Service] = true
		s.made[r.req.Instance.Service] = true
	}
	if r.req.Deleted {
		out = Output{}
	}
	r.t.warning = warning
	r.finish(out, err, origin)
	delete(s.runs, r.t.tid)
	for _, m := range s.sessions {
		if m.run == r {
			m.run = nil
			m.stir()
		}
	}
	s.stir()
}

// Pushed tells how the push of an instance's last run ended, so that its handler
// and all who look at transactions know. It does nothing when no run of it waits
// to be pushed.
func (s *Server) Pushed(instance string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.book.pushing(instance)
	if t == nil {
		return
	}
	n := t.handler
	t.end(err, "controller")
	if n.results && slices.Contains(s.sessions, n) {
		n.enqueue(notice{msg: t.notice()})
	}
}

var errLate = errors.New("Transaction already completed(timeout?)")
