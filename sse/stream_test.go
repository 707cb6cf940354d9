package sse

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recorder is a ResponseWriter that a test may look at while it is written.
type recorder struct {
	mu     sync.Mutex
	header http.Header
	body   strings.Builder
}

func (r *recorder) Header() http.Header { return r.header }
func (r *recorder) WriteHeader(int)     {}
func (r *recorder) Flush()              {}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.body.Write(p)
}

func (r *recorder) count(s string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.body.String(), s)
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(Options{Heartbeat: 10 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		w := &recorder{header: http.Header{}}
		done := make(chan struct{})
		go func() {
			l.ServeHTTP(w, httptest.NewRequest("GET", "/events", nil))
			close(done)
		}()
		beats := func() int {
			synctest.Wait()
			return w.count(": heartbeat\n\n")
		}
		for _, step := range []struct {
			wait    time.Duration
			publish bool
			want    int
		}{{9 * time.Second, false, 0}, {2 * time.Second, false, 1}, {8 * time.Second, true, 1}, {9 * time.Second, false, 1}, {time.Second, false, 2}, {30 * time.Second, false, 5}} {
			time.Sleep(step.wait)
			if step.publish {
				l.Publish(transition(0))
			}
			if got := beats(); got != step.want {
				t.Errorf("%d heartbeats after another %v, want %d", got, step.wait, step.want)
			}
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		<-done
	})
}

// TestStalledClient has a client that reads nothing. It costs nobody anything,
// is sent away when it takes too long, and resumes where it was.
func TestStalledClient(t *testing.T) {
	t.Parallel()
	o := diskOptions(t.TempDir())
	o.RingBytes, o.WriteTimeout = 256<<10, time.Second
	l := open(t, o)
	srv, ends := serveEnds(t, l)
	stalled, eager := connect(t, srv, ""), connect(t, srv, "?job=eager")
	stalled.next(t)
	eager.next(t)
	const n = 500
	go func() {
		for i := range n {
			e := Event{Type: TypeLog, Message: strings.Repeat("x", 50_000)}
			if i%2 == 1 {
				e = Event{Type: TypeLog, Job: "eager"}
			}
			l.Publish(e)
		}
	}()
	for id := 2; id <= n; id += 2 {
		if f, _ := eager.next(t); f.id != strconv.Itoa(id) {
			t.Fatalf("the other client got %q, want %d", f.id, id)
		}
	}
	<-ends
	last := uint64(0)
	for {
		f, ok := stalled.tryNext()
		if !ok {
			break
		}
		last++
		if f.id != strconv.FormatUint(last, 10) {
			t.Fatalf("id %s after %d", f.id, last-1)
		}
	}
	if last == n {
		t.Fatal("the client was never stalled")
	}
	again := connect(t, srv, "", "Last-Event-ID", strconv.FormatUint(last, 10))
	again.next(t)
	if diff := cmp.Diff(decimal(upTo(last+1, n)), again.ids(t, int(n-last))); diff != "" {
		t.Error(diff)
	}
}

// tryNext reads one whole frame, of a stream that may break off in the middle.
func (c *client) tryNext() (f wireFrame, ok bool) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return f, false
		}
		if line == "\n" {
			return f, true
		}
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			f.id = strings.TrimSpace(id)
		}
	}
}

func TestCloseStreamsWithStalledClient(t *testing.T) {
	t.Parallel()
	l := open(t, Options{RingBytes: 64 << 20})
	srv := serve(t, l)
	stalled, eager := connect(t, srv, ""), connect(t, srv, "?types=daemon_stop")
	stalled.next(t)
	eager.next(t)
	const n = 400
	for range n - 1 {
		l.Publish(Event{Type: TypeLog, Message: strings.Repeat("x", 50_000)})
	}
	l.Publish(Event{Type: TypeDaemonStop, Message: "abide is shutting down"})
	start := time.Now()
	l.CloseStreams()
	if took := time.Since(start); took > 2*drainTimeout {
		t.Errorf("closing took %v", took)
	}
	if f, ok := eager.next(t); !ok || f.id != strconv.Itoa(n) {
		t.Errorf("the last event at the other client is %v", f)
	}
	if _, ok := eager.next(t); ok {
		t.Error("the stream goes on")
	}
}

// TestNothingIsLost has many publishers and many clients, of which some live on
// the disk; each sees every event once and in order.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]Options{"ring": diskOptions(t.TempDir()), "disk": tiny(diskOptions(t.TempDir()))} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := open(t, o)
			srv := serve(t, l)
			const clients, publishers, each = 40, 16, 50
			var wg sync.WaitGroup
			for i := range clients {
				c := connect(t, srv, "?since=0&named="+strconv.FormatBool(i%2 == 0))
				c.next(t)
				wg.Go(func() {
					for want := 1; want <= publishers*each; want++ {
						if f, ok := c.tryNext(); !ok || f.id != strconv.Itoa(want) {
							t.Errorf("client %d got %q, want %d", i, f.id, want)
							return
						}
					}
				})
			}
			for i := range publishers {
				wg.Go(func() {
					for n := range each {
						l.Publish(output("run-"+strconv.Itoa(i), n))
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestLongScanCanBeEnded has a filter that lets nothing pass: the reader still
// looks around in between.
func TestLongScanCanBeEnded(t *testing.T) {
	t.Parallel()
	l := open(t, tiny(diskOptions(t.TempDir())))
	publish(l, 5*maxSkip)
	q := Filter{Types: map[string]bool{"nothing": true}}
	replay, err := l.disk.replay(1, 0, l.LastID(), &q)
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(4) {
		if f, ok, err := replay.next(); !ok || err != nil || f.ID != (n+1)*(maxSkip+1) {
			t.Fatalf("at one go the replay came to %d: %v, %v", f.ID, ok, err)
		}
	}
	r := l.Read(1, q)
	defer r.Close()
	quit := make(chan struct{})
	close(quit)
	r.quit = quit
	if _, err := r.Next(t.Context()); err != io.EOF {
		t.Error(err)
	}
}
