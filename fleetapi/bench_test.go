package fleetapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/abide-agent/abide/units"
)

// thousand is a world with 1,000 running units.
func thousand(b *testing.B) *world {
	b.Helper()
	w := newWorld(b)
	fill(b, w, 1000)
	w.settle()
	b.ReportAllocs()
	return w
}

// drop is a writer that keeps nothing.
type drop struct{ header http.Header }

func (d drop) Header() http.Header         { return d.header }
func (d drop) Write(p []byte) (int, error) { return len(p), nil }
func (d drop) WriteHeader(int)             {}

func (w *world) hit(r *http.Request) { w.handler.ServeHTTP(drop{http.Header{}}, r) }

// BenchmarkPage serves pages of 100 units out of 1,000.
func BenchmarkPage(b *testing.B) {
	w := thousand(b)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/fleet/v1/units", nil)
	for b.Loop() {
		w.hit(r)
	}
}

// BenchmarkList takes all ten pages, following their tokens.
func BenchmarkList(b *testing.B) {
	w := thousand(b)
	for b.Loop() {
		walk(b, w, "units", func(int) {})
	}
}

func BenchmarkGet(b *testing.B) {
	w := thousand(b)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/fleet/v1/units/u00500.service", nil)
	for b.Loop() {
		w.hit(r)
	}
}

func BenchmarkStates(b *testing.B) {
	w := thousand(b)
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/fleet/v1/state", nil)
	for b.Loop() {
		w.hit(r)
	}
}

// BenchmarkPut creates units beside 1,000, without the cost of a disk.
func BenchmarkPut(b *testing.B) {
	w := thousand(b)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			name := fmt.Sprintf("/fleet/v1/units/new%d.service", i%2000)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPut, name, strings.NewReader(options("launched", strings.Replace(sleeps, "1d", fmt.Sprint(i), 1))))
			r.Header.Set("Content-Type", "application/json")
			w.hit(r)
		}
	})
	if len(w.registry.After("new", units.MaxUnits)) == 0 {
		b.Fatal("nothing was created")
	}
}
