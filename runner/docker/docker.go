// Package docker runs jobs in containers of a Docker engine, one container per
// job, with the job's script as its entry process. It knows the engine's API,
// images and Docker's own configuration. It never knows what a job is for,
// where its tree came from, or what is recorded about it.
//
// A container is created, filled, attached to, started and waited for; there
// is no exec and no stop grace, and the image needs nothing but a /bin/sh.
package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/runner"
)

// Options configure an Executor.
type Options struct {
	// Host is the engine's address, such as unix:///var/run/docker.sock or
	// tcp://10.0.0.7:2376. Empty means the environment's DOCKER_HOST, and
	// without that Docker's default socket.
	Host string
	// Hosts are further engines that pipelines of this agent name, so that List
	// finds what an earlier life left there.
	Hosts []string
	// Reconnect is how long a running job outlives a lost connection to its
	// engine, for example while the engine restarts; 60 s when zero.
	Reconnect time.Duration
	// ConfigDir holds Docker's config.json with registry credentials; empty
	// means Docker's own choice ($DOCKER_CONFIG, ~/.docker).
	ConfigDir string
	// Log is told what goes wrong where nobody waits for an answer; nil discards.
	Log func(format string, args ...any)
}

// Executor runs jobs on Docker engines. It implements [runner.Executor].
type Executor struct {
	opts  Options
	busy  locks          // one pull or build of the same image at a time
	work  sync.WaitGroup // what goes on after its caller has left; bounded in time
	mu    sync.Mutex
	hosts map[string]*engine // by address; "" is the agent's own
	where map[string]*engine // which engine has a container
}

var _ runner.Executor = (*Executor)(nil)

// New gives an Executor. It doesn't connect: that is Ping's and Run's. The only
// errors are addresses that can't work.
func New(opts Options) (*Executor, error) {
	if opts.Host == "" {
		opts.Host = os.Getenv("DOCKER_HOST")
	}
	if opts.Reconnect == 0 {
		opts.Reconnect = time.Minute
	}
	if opts.Log == nil {
		opts.Log = func(string, ...any) {}
	}
	e := &Executor{opts: opts, hosts: map[string]*engine{}, where: map[string]*engine{}}
	for _, host := range append([]string{""}, opts.Hosts...) {
		if _, err := e.engine(host); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Name is "docker".
func (e *Executor) Name() string { return "docker" }

// pingTimeout bounds how long an engine may take to say that it is there.
const pingTimeout = 4 * time.Second

// Ping asks the agent's own engine whether it is there.
func (e *Executor) Ping(ctx context.Context) error {
	eng, err := e.engine("")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, pingTimeout, fmt.Errorf("no answer within %s", pingTimeout))
	defer cancel()
	if _, err := eng.api.Ping(ctx); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return eng.unavailable(err)
	}
	return nil
}

// Close ends the connections to all engines. Running containers are not touched.
func (e *Executor) Close() error {
	e.work.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, eng := range e.hosts {
		errs = append(errs, eng.api.Close())
	}
	return errors.Join(errs...)
}

// engine gives the client of an address, "" being the agent's own. Clients are
// made once: a pipeline that names a host costs no connection a run.
func (e *Executor) engine(host string) (*engine, error) {
	host = strings.TrimSpace(host)
	if host == "" {
		host = e.opts.Host
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if eng := e.hosts[host]; eng != nil {
		return eng, nil
	}
	eng, err := dial(host)
	if err != nil {
		return nil, err
	}
	e.hosts[host] = eng
	return eng, nil
}

// engines gives all engines that are known, the agent's own first.
func (e *Executor) engines() []*engine {
	e.mu.Lock()
	defer e.mu.Unlock()
	own := e.hosts[e.opts.Host]
	all := []*engine{own}
	for _, eng := range e.hosts {
		if eng != own {
			all = append(all, eng)
		}
	}
	return all
}

// note remembers where a container is; nil forgets it.
func (e *Executor) note(id string, eng *engine) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if eng == nil {
		delete(e.where, id)
		return
	}
	e.where[id] = eng
}

// holder gives the engines that may have a container: one when it is known.
func (e *Executor) holder(id string) []*engine {
	e.mu.Lock()
	eng := e.where[id]
	e.mu.Unlock()
	if eng != nil {
		return []*engine{eng}
	}
	return e.engines()
}
