package service

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Limits of the service API.
const (
	maxSessions  = 64
	maxMessage   = 64 << 20  // bytes of one message
	maxNodes     = 2 << 20   // elements of one message
	maxOutput    = 256 << 20 // bytes of what one run makes, about
	maxCommits   = 8         // commits of operators at once
	maxQueue     = 256       // notifications that wait for one session
	maxClaims    = 256       // services that one session names
	helloTimeout = 10 * time.Second
	writeTimeout = 30 * time.Second

	// settle is how long a session has to be silent before something is sent that
	// it did not ask for. Clients take the next message for the reply to what they
	// asked, so that a notification must not cross with a request: after a reply
	// the next request, if there is one, comes at once.
	settle = 100 * time.Millisecond

	// DefaultTimeout is the service-timeout.
	DefaultTimeout = 60 * time.Second
)

// Options says how a [Server] works. The zero value is good.
type Options struct {
	Timeout time.Duration // how long a handler may take for one instance; 0 is [DefaultTimeout]
	User    string        // on whose behalf runs are that nobody asked for; "" is abide
	// View gives what sessions read that have had no run yet; nil: nothing.
	View func() View
	// Committer does what operators commit; nil: commits are refused.
	Committer Committer
	// Handlers is called when a handler has come or gone, so that instances that
	// waited for one may be tried again. It must not wait.
	Handlers func()
	// Warn is told what is odd and stops nothing, in sentences; nil: nobody is.
	Warn func(text string)
}

// View is what can be read outside of runs.
type View struct {
	Services *tree.Node // <services>
	Devices  []Device
	Config   func(device string) *tree.Node // what is claimed of a device; nil: nothing
}

// Server serves the service API of clixon-controller to any number of handlers
// and operators, and is [Code]: Run has a handler make the output. Its methods
// may be called from any number of goroutines.
type Server struct {
	options Options

	mu       sync.Mutex
	sessions []*session // in the order in which they came
	lastID   uint32
	book     book
	runs     map[uint64]*run // those that a handler works on, late ones too
	commits  int
	made     map[string]bool // services of which a handler has made something
	changed  chan struct{}   // closed and made anew when a handler may have become free
}

// NewServer makes a server, which serves nobody until Serve is called.
func NewServer(o Options) *Server {
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	if o.User == "" {
		o.User = "abide"
	}
	return &Server{options: o, runs: map[uint64]*run{}, made: map[string]bool{}, changed: make(chan struct{})}
}

// Serve serves all who connect until the context ends, and returns when
// everything that it started has ended. It closes the listener. Whoever may
// connect may do everything: the file mode of the socket decides.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { l.Close() })
	defer stop()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED) {
			select {
			case <-time.After(settle):
			case <-ctx.Done():
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("the service API can't be served any more: %w", err)
		}
		all.Go(func() { s.serve(ctx, c) })
	}
}

// serve serves one session.
func (s *Server) serve(ctx context.Context, c net.Conn) {
	conn := netconf.NewConn(c, netconf.ConnOptions{Chunked: true, MaxMessage: maxMessage})
	n := &session{server: s, conn: conn, pid: pidOf(c), wake: make(chan struct{}, 1), learned: map[string]bool{}}
	defer n.jobs.Wait() // a commit outlives the session of the operator who asked for it
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if !s.join(n) {
		s.warn(fmt.Sprintf("more than %d sessions are open on the service API, so that one more is refused; close some", maxSessions))
		return
	}
	var err error
	defer func() { s.leave(n, err) }()
	writing, end := context.WithCancel(ctx)
	var writer sync.WaitGroup
	writer.Go(func() { n.notify(writing) })
	defer writer.Wait()
	defer end()
	err = n.read(ctx)
	left := err == nil || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) // with something unread
	if !left && ctx.Err() == nil {
		s.warn(fmt.Sprintf("the session of %s on the service API is ended: %v", n, err))
	}
}

// join gives a session its number.
func (s *Server) join(n *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.sessions) >= maxSessions {
		return false
	}
	s.lastID++
	n.id = s.lastID
	s.sessions = append(s.sessions, n)
	return true
}

// leave forgets a session. The run that it worked on fails.
func (s *Server) leave(n *session, why error) {
	s.mu.Lock()
	s.sessions = slices.DeleteFunc(s.sessions, func(other *session) bool { return other == n })
	if r := n.run; r != nil {
		err := &HandlerError{
			Service: r.req.Instance.Service, Instance: r.req.Instance.Name(),
			Reason: "the handler " + n.String() + " went away in the middle of it", Hint: "look at its log; it is asked again when it is back",
		}
		if errors.Is(why, netconf.ErrTooLarge) {
			err.Reason, err.Hint = fmt.Sprintf("the handler %s sends more than %d bytes at once", n, maxMessage), "make the instance smaller, or split it"
		}
		r.finish(nil, err, "Actions")
		delete(s.runs, r.t.tid)
		n.run = nil
	}
	s.stir()
	handler := n.services
	s.mu.Unlock()
	if handler {
		s.told()
	}
}

// stir wakes those who wait for a handler. The caller holds the lock.
func (s *Server) stir() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) told() {
	if s.options.Handlers != nil {
		s.options.Handlers()
	}
}

func (s *Server) warn(text string) {
	if s.options.Warn != nil {
		s.options.Warn(text)
	}
}

// pidOf gives the process at the other end, or 0: sessions of one process belong
// together, as some clients listen in one and ask in another.
func pidOf(c net.Conn) int32 {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	var cred *syscall.Ucred
	if cerr := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	}); cerr != nil || err != nil || cred == nil {
		return 0
	}
	return cred.Pid
}
