package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a schedule's timezone must be known in an image without a zone database

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/host"
	"github.com/abide-agent/abide/sse"
)

// newApp puts the parts together.
func newApp(p *process) app { return wired{p} }

type wired struct{ p *process }

// parts is one agent put together. Close takes it apart in reverse.
type parts struct {
	settings  settings.Settings
	dir       string // the state directory; "" when nothing is kept
	store     store.Store
	log       *sse.Log
	agent     *reconcile.Agent
	pipelines *reconcile.Pipelines
	units     *unitParts    // nil where units are off
	services  *serviceParts // nil where nothing is kept
	id        string
	warn      func(string)

	mu        sync.Mutex
	executors map[string]runner.Executor
	show      func(sse.Event) // nil: nobody looks on
	stirred   chan struct{}   // capacity 1: something happened
	closers   []func() error
}

func (a *parts) onClose(f func() error) { a.closers = append(a.closers, f) }

// Close ends everything in the reverse order of its beginning.
func (a *parts) Close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// wireOptions is what the ways to wire an agent differ in.
type wireOptions struct {
	settings settings.Settings
	stdin    io.Reader
	warn     func(string)
	show     func(sse.Event)
	stateful bool
	daemon   bool // this process can be asked while it holds the state
	dry      bool // nothing is written and nobody is told
}

// wire puts an agent together. It opens the state and the log and reads the
// records; it looks at no source and starts nothing.
func wire(ctx context.Context, o wireOptions) (a *parts, err error) {
	a = &parts{settings: o.settings, warn: o.warn, show: o.show, executors: map[string]runner.Executor{}, stirred: make(chan struct{}, 1)}
	defer func() {
		if err != nil {
			_ = a.Close()
		}
	}()
	if o.stateful {
		err = a.openState(ctx, o.daemon, o.dry)
	} else {
		err = a.openMemory()
	}
	if err != nil {
		return a, err
	}
	if o.dry {
		a.store = frozen{a.store}
	}
	sources, err := a.sources(o.stdin)
	if err != nil {
		return a, err
	}
	a.onClose(a.closeExecutors)
	if a.pipelines, err = reconcile.NewPipelines(ctx, a.pipelineConfig()); err != nil {
		return a, err
	}
	kinds := []reconcile.Kind{a.pipelines}
	if o.stateful {
		if a.units, err = a.openUnits(ctx); err != nil {
			return a, err
		}
	}
	if o.stateful {
		if a.services, err = a.openServices(ctx, o.daemon, o.dry); err != nil {
			return a, err
		}
		kinds = append(kinds, a.services.kind, a.services.devices)
	}
	if a.units != nil {
		kinds = append(kinds, a.units.kind)
		sources = append(sources, reconcile.SourceConfig{Source: registrySource{a.units}, Type: "registry"})
	}
	a.agent, err = reconcile.New(ctx, reconcile.Config{
		Sources: sources, Kinds: kinds, Store: a.store, Publish: a.publish,
		Grace: o.settings.Grace, MaxRuns: o.settings.MaxJobs, Baseline: o.settings.Baseline,
		MaxPrune: o.settings.MaxPrune, Jitter: rand.Float64,
	})
	if err != nil {
		return a, err
	}
	a.pipelines.Attach(a.agent)
	if a.units != nil {
		a.units.kind.Attach(a.agent)
	}
	if a.services != nil {
		a.services.kind.Attach(a.agent)
		a.services.devices.Attach(a.agent)
	}
	return a, nil
}

// maxQueue bounds the runs that were asked for and have not ended.
const maxQueue = 10_000

func (a *parts) pipelineConfig() reconcile.PipelineConfig {
	name, _ := os.Hostname()
	s := a.settings
	return reconcile.PipelineConfig{
		Executor: a.executor, OwnHost: ownHost(s.Docker.Host), OnHost: s.Executor == "host", Store: a.store, Publish: a.publish,
		History: history(a.log), Forget: a.forget, Artifacts: a.artifacts, Getenv: os.LookupEnv,
		AgentID: a.id, MaxJobs: s.MaxJobs, MaxQueue: maxQueue, KeepRuns: s.Retention.Runs,
		Trigger: reconcile.TriggerPolicy{Tree: triggerTree(s.Trigger.Root), DockerHosts: s.Trigger.DockerHosts},
		Host:    name, Labels: s.Labels, Rand: rand.Uint64, Now: time.Now,
	}
}

// publish writes an event to the log and hands it to who looks on. Both happen
// under one lock, so that a command's output has the order of the log, and a
// slow terminal slows its own jobs rather than losing their lines.
func (a *parts) publish(e sse.Event) {
	if e.Type != sse.TypeLog {
		select {
		case a.stirred <- struct{}{}:
		default:
		}
	}
	if a.show == nil {
		a.log.Publish(e)
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.show(a.log.Publish(e))
}

// executor gives the executor for a docker.host, made at first use.
func (a *parts) executor(address string) (runner.Executor, error) {
	if address == ownHost(a.settings.Docker.Host) {
		address = ""
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.executors[address]; e != nil {
		return e, nil
	}
	e, err := a.newExecutor(address)
	if err != nil {
		return nil, err
	}
	a.executors[address] = e
	return e, nil
}

func (a *parts) newExecutor(address string) (runner.Executor, error) {
	if a.settings.Executor == "host" {
		if address != "" {
			return nil, fmt.Errorf("docker.host names an engine, but this agent runs jobs as plain processes (executor: host); remove docker.host, or use executor: docker")
		}
		dir := filepath.Join(os.TempDir(), "abide-host-"+a.id)
		if a.dir != "" {
			dir = filepath.Join(a.dir, "host")
		}
		return host.New(host.Options{Dir: dir})
	}
	if address == "" {
		address = a.settings.Docker.Host
	}
	return docker.New(docker.Options{Host: address})
}

func (a *parts) closeExecutors() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, e := range a.executors {
		errs = append(errs, e.Close())
	}
	return errors.Join(errs...)
}

// ownHost is the address of the agent's own engine, as a docker.host says it.
func ownHost(configured string) string {
	if configured != "" {
		return configured
	}
	if env := os.Getenv("DOCKER_HOST"); env != "" {
		return env
	}
	return "unix:///var/run/docker.sock"
}

// runDir is where a run's output and artifacts are kept.
func (a *parts) runDir(run string) string { return filepath.Join(a.dir, "runs", run) }

// artifacts gives where a job's artifactPath goes: into the run's directory,
// or, for a command that keeps no state, where the command was called, as
// pin's users expect.
func (a *parts) artifacts(run *runner.Run, job string) string {
	if a.dir == "" {
		return "."
	}
	return filepath.Join(a.runDir(run.ID), "artifacts", strings.ReplaceAll(job, "/", "_"))
}

// forget removes what is kept of a run beside its record.
func (a *parts) forget(run string) {
	if a.dir == "" {
		return
	}
	err := errors.Join(a.log.RemoveRun(run), os.RemoveAll(a.runDir(run)))
	if err != nil {
		a.warn("the files of run " + run + " can't be removed: " + err.Error())
	}
}
