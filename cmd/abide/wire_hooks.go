package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/internal/store"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sources/forge"
)

const (
	// hookEvery is the time in which webhooks cause at most one look at a source.
	hookEvery = time.Second
	// judgeSettle joins the events of one step, judgeEvery bounds how often
	// commits are judged, and judgeSweep is for what no event tells: a commit
	// that leaves everything as it was.
	judgeSettle = 100 * time.Millisecond
	judgeEvery  = time.Second
	judgeSweep  = 10 * time.Second
)

// forges is what forges tell the agent, and the agent them.
type forges struct {
	agent     *reconcile.Agent
	receiver  *forge.Receiver
	reporters map[string]*forge.Reporter // by source
	external  string
	stirred   <-chan struct{}
}

var _ api.Hooks = (*forges)(nil)

// openForges makes the webhooks and statuses of the settings.
func (a *parts) openForges(ctx context.Context) (*forges, error) {
	f := &forges{agent: a.agent, reporters: map[string]*forge.Reporter{}, external: strings.TrimSuffix(a.settings.ExternalURL, "/"), stirred: a.stirred}
	var hooks []forge.Hook
	var told []forge.ReporterOptions
	shared := map[string]int{} // reporters of one repository
	for _, s := range a.settings.Sources {
		if s.Webhook.SecretFile != "" {
			hooks = append(hooks, forge.Hook{Source: s.Name, SecretFile: s.Webhook.SecretFile, Branch: s.Branch, Tag: s.Tag})
		}
		if s.Status.TokenFile == "" {
			continue
		}
		o, err := a.reporter(s)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		shared[o.API+" "+o.Repository+" "+o.Context]++
		told = append(told, o)
	}
	for _, o := range told {
		if shared[o.API+" "+o.Repository+" "+o.Context] > 1 {
			o.Context += "/" + o.Source // else the last of them to speak would speak for all
		}
		r, err := forge.NewReporter(o)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", o.Source, err)
		}
		f.reporters[o.Source] = r
	}
	f.receiver = forge.NewReceiver(ctx, forge.ReceiverOptions{
		Hooks: hooks, Look: a.agent.Look, Seen: seen{a.store}, Every: hookEvery, Note: a.warn,
	})
	return f, nil
}

func (a *parts) reporter(s settings.Source) (o forge.ReporterOptions, err error) {
	o = forge.ReporterOptions{Source: s.Name, TokenFile: s.Status.TokenFile, CAFile: s.Auth.CAFile, Context: s.Status.Context, Note: a.warn}
	if o.Context == "" {
		host, err := os.Hostname()
		if err != nil {
			return o, fmt.Errorf("the name of this host can't be had: %w; give the source a status.context", err)
		}
		o.Context = "abide/" + host
	}
	o.API, o.Repository, err = forge.Locate(s.Git.Secret(), s.Status.API)
	return o, err
}

// Deliver implements api.Hooks.
func (f *forges) Deliver(source string, h http.Header, body io.Reader) (string, error) {
	message, err := f.receiver.Deliver(source, h, body)
	switch {
	case errors.Is(err, forge.ErrUnknown):
		err = api.ErrNoHook
	case errors.Is(err, forge.ErrUnproven):
		err = api.ErrUnproven
	}
	return message, err
}

// begin serves the forges until ctx ends or end is called, which waits.
func (f *forges) begin(ctx context.Context) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { f.receiver.Run(ctx) })
	for _, r := range f.reporters {
		wg.Go(func() { r.Run(ctx) })
	}
	if len(f.reporters) > 0 {
		wg.Go(func() { f.judge(ctx) })
	}
	return func() { cancel(); wg.Wait() }
}

// judge tells the reporters how the commits fare, whenever something happened.
func (f *forges) judge(ctx context.Context) {
	sweep := time.NewTicker(judgeSweep)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.stirred:
		case <-sweep.C:
		}
		if !pause(ctx, judgeSettle) {
			return
		}
		for _, v := range f.agent.Verdicts() {
			if r := f.reporters[v.Source]; r != nil {
				r.Set(forge.Status{Commit: v.Commit, State: forge.State(v.Fate), Description: v.Reason, Target: f.target(v)})
			}
		}
		if !pause(ctx, judgeEvery) {
			return
		}
	}
}

// target is where more is told about a verdict: the run that it is about, or
// all resources of the source. Empty where nobody said how the agent is reached.
func (f *forges) target(v reconcile.Verdict) string {
	switch {
	case f.external == "":
		return ""
	case v.Run != "":
		return f.external + "/v1/runs/" + url.PathEscape(v.Run)
	}
	return f.external + "/v1/resources?source=" + url.QueryEscape(v.Source)
}

// pause waits, and gives false when ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// seen keeps the webhooks' memory in the state.
type seen struct{ store store.Store }

// keySeen is what its entries begin with, before the source's name.
const keySeen = "hook/"

func (s seen) Load(ctx context.Context, source string) ([]byte, error) {
	e, err := s.store.Get(ctx, keySeen+source)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return e.Value, err
}

func (s seen) Save(ctx context.Context, source string, memory []byte) error {
	_, err := s.store.Commit(ctx, store.Put(keySeen+source, memory))
	return err
}
