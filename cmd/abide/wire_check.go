package main

import (
	"context"
	"errors"
	"os"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sources"
)

// Check implements [app]: with every kind, and no engine.
func (w wired) Check(ctx context.Context, path string) (reconcile.Desired, error) {
	a := &parts{warn: w.p.warn, executors: map[string]runner.Executor{}}
	err := a.openMemory()
	if err != nil {
		return reconcile.Desired{}, err
	}
	defer func() { _ = a.Close() }()
	if a.pipelines, err = reconcile.NewPipelines(ctx, a.pipelineConfig()); err != nil {
		return reconcile.Desired{}, err
	}
	services, devices := reconcile.NewServices(reconcile.ServiceConfig{})
	kinds := []reconcile.Kind{a.pipelines, services, devices, everywhere{reconcile.NewUnits(reconcile.UnitConfig{})}}
	source, err := openPath(path)
	if err != nil {
		return reconcile.Desired{}, err
	}
	d, err := reconcile.Check(ctx, reconcile.SourceConfig{Source: source}, kinds)
	return d, errors.Join(err, source.Close())
}

// everywhere is the kind of units without a say in what is for this machine: a
// file is right or wrong wherever it is read.
type everywhere struct{ reconcile.Kind }

func openPath(path string) (sources.Source, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return sources.NewDir(sources.DirOptions{Path: path})
	}
	return sources.NewFile(path)
}
