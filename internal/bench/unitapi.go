package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// measureFleetAPI measures the fleet API of an agent that has 1,000 units
// running. The callers share the machine with it.
func measureFleetAPI(ctx context.Context, m *machine) (rows []row, err error) {
	s, err := m.agent(ctx, filepath.Join(m.dir, "state"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop(ctx)) }()
	names := m.unitNames(1000)
	running := m.bus.expect(names...)
	if err := s.putAll(ctx, "launched", 1, names...); err != nil {
		return nil, err
	}
	if _, err := running.end(ctx); err != nil {
		return nil, s.explain(err)
	}
	if err := s.nothingPending(ctx); err != nil {
		return nil, err
	}
	pages, lists, err := s.lists(ctx, m.rounds(50, 10))
	if err != nil {
		return nil, err
	}
	rows = []row{within(fmt.Sprintf("list of 1000 units in %d pages", len(pages)), lists.median(), 20*time.Millisecond, "slowest: "+span(lists.quantile(1)))}
	for _, r := range []struct {
		what    string
		n       int // of a round
		callers int
		goal    float64
		path    func(i int) string
	}{
		{"pages of 100 units", 40, 4, 2000, func(i int) string { return pages[i%len(pages)] }},
		{"GET of one unit", 400, 8, 10_000, func(i int) string { return "/fleet/v1/units/" + names[i%len(names)] }},
	} {
		took, err := s.bursts(ctx, m.rounds(200, 50), r.callers, r.n, func(c *caller, i int) error {
			return c.expect(http.StatusOK, http.MethodGet, r.path(i), "")
		})
		if err != nil {
			return rows, s.explain(err)
		}
		rows = append(rows, atLeast(fmt.Sprintf("%s by %d callers, in a second", r.what, r.callers), float64(r.n)/took.median().Seconds(), r.goal,
			fmt.Sprintf("median of %d times %d", len(took), r.n)))
	}
	more, err := m.durable(ctx, s)
	return append(rows, more...), err
}

// lists lists all units as clients do, page by page.
func (s *service) lists(ctx context.Context, rounds int) (pages []string, took samples, err error) {
	c, err := s.caller(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer c.close()
	for range rounds {
		const first = "/fleet/v1/units"
		pages = nil
		began := time.Now()
		for path := first; path != ""; {
			pages = append(pages, path)
			if err := c.expect(http.StatusOK, http.MethodGet, path, ""); err != nil {
				return nil, nil, err
			}
			token := between(c.body, `"nextPageToken":"`, `"`)
			if path = ""; token != "" {
				path = first + "?nextPageToken=" + token
			}
		}
		took = append(took, time.Since(began))
	}
	return pages, took, nil
}

// between gives what stands between two words, without reading the rest.
func between(text []byte, from, to string) string {
	_, rest, ok := bytes.Cut(text, []byte(from))
	if !ok {
		return ""
	}
	token, _, _ := bytes.Cut(rest, []byte(to))
	return string(token)
}

// bursts sends n requests by several callers, again and again over the same
// connections. Short bursts have a median that is worth something on a machine
// which does other things too. do is told which request of all it is.
func (s *service) bursts(ctx context.Context, rounds, callers, n int, do func(c *caller, i int) error) (took samples, err error) {
	all := make([]*caller, callers)
	for g := range all {
		if all[g], err = s.caller(ctx); err != nil {
			return nil, err
		}
		defer all[g].close()
	}
	for round := range rounds {
		began := time.Now()
		err := side(callers, callers, func(g int) error {
			for i := g; i < n; i += callers {
				if err := do(all[g], round*n+i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// durable creates units that nobody wants to run, so that each PUT costs what
// it costs to keep it for good, and no more. Killed afterwards, the agent still
// has them all.
func (m *machine) durable(ctx context.Context, s *service) ([]row, error) {
	const writers, burst = 64, 192
	names := m.unitNames(burst * m.rounds(15, 5))
	took, err := s.bursts(ctx, len(names)/burst, writers, burst, func(c *caller, i int) error {
		return c.expect(http.StatusCreated, http.MethodPut, "/fleet/v1/units/"+names[i], unitBody(names[i], "inactive", 1))
	})
	if err != nil {
		return nil, s.explain(err)
	}
	floor, err := m.appends(len(unitBody(names[0], "inactive", 1)))
	if err != nil {
		return nil, err
	}
	if err := m.survived(ctx, s, names); err != nil {
		return nil, err
	}
	return []row{atLeast(fmt.Sprintf("PUT of a new unit, durable before it is answered, by %d callers, in a second", writers),
		burst/took.median().Seconds(), 2000,
		fmt.Sprintf("median of %d times %d; one append and fsync after the other: %.0f", len(took), burst, floor))}, nil
}

// survived kills the agent and sees that the next one has all of them.
func (m *machine) survived(ctx context.Context, s *service, names []string) error {
	if err := syscall.Kill(s.pid(), syscall.SIGKILL); err != nil {
		return err
	}
	next, err := m.agent(ctx, s.state)
	if err != nil {
		return err
	}
	*s = *next
	return s.eachCaller(ctx, callers, len(names), func(c *caller, i int) error {
		return c.expect(http.StatusOK, http.MethodGet, "/fleet/v1/units/"+names[i], "")
	})
}

// appends is how often a second this disk makes something of a size durable.
func (m *machine) appends(size int) (float64, error) {
	f, err := os.Create(filepath.Join(m.dir, "appends"))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	began, n := time.Now(), 0
	for ; time.Since(began) < time.Second; n++ {
		if _, err := f.Write(make([]byte, size)); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
