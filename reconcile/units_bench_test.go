package reconcile

import (
	"context"
	"fmt"
	"testing"

	"github.com/abide-agent/abide/units"
)

// BenchmarkLook is one look at a thousand units that are all as they are wanted,
// some of which need others: what the loop does whenever one of them moves.
func BenchmarkLook(b *testing.B) {
	const many = 1000
	e := &unitEngine{units: map[string]units.Status{}}
	k := NewUnits(UnitConfig{Engine: e, Board: units.NewBoard(), Host: "here"})
	a := &Agent{
		Config: Config{Now: k.Now}, kinds: map[string]Kind{UnitKind: k}, want: map[string]*Resource{}, records: map[string]Record{},
		sources: map[string]*sourceState{}, observed: map[string]Observed{}, broken: map[string]error{},
	}
	k.Attach(a)
	for i := range many {
		name := fmt.Sprintf("u%d.service", i)
		text := inUnit("x", fmt.Sprintf("Requires=u%d.service", i/2))
		u, _ := units.Load(name, units.Part{Path: name, Text: []byte(text)}, nil)
		r := &Resource{Kind: UnitKind, Name: name, Source: "r", Digest: wish(u.Content, units.Launched), Spec: &unitSpec{unit: u, want: units.Launched}}
		for _, need := range u.Deps.Needs() {
			r.Needs = append(r.Needs, UnitKind+"/"+need)
		}
		a.want[r.Key()] = r
		a.records[r.Key()] = Record{Kind: UnitKind, Name: name, Source: "r", Want: r.Digest, Last: &Last{Digest: r.Digest, Result: Succeeded}}
		e.units[name] = units.Status{Name: name, Digest: u.Content, Placed: u.Content, Load: "loaded", Active: "active"}
	}
	a.arrange()
	a.needs = waves(a.want, func(key string) bool { return a.want[key] != nil })
	b.ReportAllocs()
	for b.Loop() {
		if err := a.observe(context.Background()); err != nil {
			b.Fatal(err)
		}
		changes, _ := a.plan()
		for _, c := range changes {
			if c.Pending() {
				b.Fatal(c)
			}
		}
	}
}
