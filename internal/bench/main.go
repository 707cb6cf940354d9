// Command bench measures what the project promises about speed and size, with
// the built command, a real Docker engine and real sockets, and beside each
// figure its peer or its floor in the same run. It knows how to measure from
// outside. It never knows how anything is done inside the agent.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// subject is one thing that is measured, on a rig that all share.
type subject struct {
	name    string
	about   string
	measure func(context.Context, *rig) ([]row, error)
}

// subjects lists everything in the order in which it is measured: the quiet
// ones first, so that nothing of a loud one is in their figures.
var subjects = []subject{
	{"idle", "size, start, and the cost of doing nothing", measureIdle},
	{"jobs", "pipelines against docker run", measureJobs},
	{"latency", "a line of a job until a client has it", measureLatency},
	{"change", "a commit or a dropped file until a container is asked for", measureChange},
	{"copy", "copyFiles against docker cp", measureCopy},
	{"plan", "plans and reconciles that find little or nothing to do", measurePlan},
	{"shutdown", "SIGTERM while a job runs", measureShutdown},
	{"units", "units on a machine with systemd, against a bare D-Bus program", inBox("units")},
	{"fleet-api", "the fleet API with 1,000 units that run, its callers on the same machine", inBox("fleet-api")},
	{"services", "service instances on real NETCONF devices, against a bare client of the same requests", measureServices},
	{"sse", "many, slow and returning clients of /events", measureSSE},
	{"triggers", "many triggers at once", measureTriggers},
	{"memory", "what large input and long use leave behind", measureMemory},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	only := flag.String("only", "", "measure only the subjects with these `NAMES`, separated by commas")
	quick := flag.Bool("quick", false, "fewer and smaller rounds: to see that it works, not for the record")
	write := flag.Bool("write", false, "put the table into "+document+"; with -only just those parts of it, with their date")
	binary := flag.String("binary", "", "measure this `FILE` instead of building ./cmd/abide")
	inside := flag.String("inside", "", "measure the part `NAME` inside of a container with systemd, as this program does there by itself")
	flag.Parse()
	if *inside != "" {
		return measureInside(ctx, *inside, *quick, *binary)
	}
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	r, err := newRig(ctx, *quick, *binary)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	report := newReport(ctx, r)
	var failed []error
	for _, s := range chosen {
		began := time.Now()
		fmt.Fprintf(os.Stderr, "== %s: %s\n", s.name, s.about)
		rows, err := s.measure(ctx, r)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var lacking *notRun
		if errors.As(err, &lacking) {
			fmt.Fprintln(os.Stderr, "   NOT RUN:", lacking)
			report.skip(s, lacking.Error())
			continue
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s could not be measured: %w", s.name, err))
			fmt.Fprintln(os.Stderr, "  ", failed[len(failed)-1])
		}
		for _, row := range rows {
			fmt.Fprintln(os.Stderr, "  ", row)
		}
		fmt.Fprintf(os.Stderr, "   (%.0f s)\n", time.Since(began).Seconds())
		report.add(s, rows)
	}
	report.end()
	fmt.Print(report.markdown())
	if err := errors.Join(failed...); err != nil {
		return err // a table with holes is not for the record
	}
	if *write {
		return report.write(document, len(chosen) == len(subjects))
	}
	return nil
}

// notRun says that a subject needs what this machine doesn't have; the table
// then says so in its place.
type notRun struct{ error }

func choose(only string) ([]subject, error) {
	if only == "" {
		return subjects, nil
	}
	var out []subject
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(subjects, func(s subject) bool { return s.name == name })
		if i < 0 {
			var names []string
			for _, s := range subjects {
				names = append(names, s.name)
			}
			return nil, fmt.Errorf("there is no subject %q; use %s", name, strings.Join(names, ", "))
		}
		out = append(out, subjects[i])
	}
	return out, nil
}
