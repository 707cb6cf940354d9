package sse

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benchSize reads a size from the environment, so that `make bench` can run the
// full thing and everybody else a small one.
func benchSize(name string, def int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return def
}

// mark stands once in each event of a benchmark: clients count it, which is all
// that they do, so that the server is what is measured.
const mark = "~"

func benchEvent(i int) Event {
	return Event{
		Type: TypeLog, Run: "20261122-0001", Pipeline: "deploy", Job: "build", Level: Info,
		Message: mark + " step " + strconv.Itoa(i) + " of the build says something of ordinary length",
	}
}

// listen serves h on loopback until the benchmark ends.
func listen(b *testing.B, h http.Handler) string {
	b.Helper()
	in, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: h}
	done := make(chan struct{})
	go func() { _ = srv.Serve(in); close(done) }()
	b.Cleanup(func() { _ = srv.Close(); <-done })
	return in.Addr().String()
}

// dial opens n raw streams, each of which has got its head.
func dial(b *testing.B, addr, query string, n int) []net.Conn {
	b.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c, "GET /events%s HTTP/1.1\r\nHost: x\r\n\r\n", query); err != nil {
			b.Fatal(err)
		}
		conns[i] = c
	}
	return conns
}

// count reads until each stream has brought `want` marks. start is called once all
// have begun; from then on the time is taken.
func count(b *testing.B, conns []net.Conn, want int, start func()) time.Duration {
	b.Helper()
	var all, begun sync.WaitGroup
	begun.Add(len(conns))
	for _, c := range conns {
		all.Go(func() {
			buf := make([]byte, 32<<10)
			for got, first := 0, true; got < want; first = false {
				n, err := c.Read(buf)
				if first {
					begun.Done()
				}
				if err != nil {
					b.Errorf("after %d of %d: %v", got, want, err)
					return
				}
				got += bytes.Count(buf[:n], []byte(mark))
			}
		})
	}
	begun.Wait()
	began := time.Now()
	start()
	all.Wait()
	return time.Since(began)
}

// rawLoop is what one writes at first: each client's handler writes and flushes
// each event.
func rawLoop(events int, start <-chan struct{}) http.HandlerFunc {
	frames := make([][]byte, events)
	for i := range frames {
		e := benchEvent(i)
		e.Time = time.Unix(1, 1)
		data, _ := e.MarshalJSON()
		frames[i] = fmt.Appendf(nil, "id: %d\ndata: %s\n\n", i+1, data)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		w.Header().Set("Content-Type", "text/event-stream")
		_ = rc.Flush()
		<-start
		for _, f := range frames {
			if _, err := w.Write(f); err != nil {
				return
			}
			if rc.Flush() != nil {
				return
			}
		}
		<-r.Context().Done()
	}
}

// BenchmarkFanout publishes events to many clients, and lets the raw loop do
// the same in the same run. The sizes are those of
// ABIDE_BENCH_CLIENTS=1000 ABIDE_BENCH_EVENTS=10000.
func BenchmarkFanout(b *testing.B) {
	clients, events := benchSize("ABIDE_BENCH_CLIENTS", 200), benchSize("ABIDE_BENCH_EVENTS", 2000)
	var raw, ours time.Duration
	for b.Loop() {
		start := make(chan struct{})
		conns := dial(b, listen(b, rawLoop(events, start)), "", clients)
		raw += count(b, conns, events, func() { close(start) })
		closeAll(conns)

		l := open(b, diskOptions(b.TempDir()))
		conns = dial(b, listen(b, l), "", clients)
		ours += count(b, conns, events, func() {
			for i := range events {
				l.Publish(benchEvent(i))
			}
		})
		closeAll(conns)
		closeLog(b, l)
	}
	b.ReportMetric(raw.Seconds()/ours.Seconds(), "ratio")
	b.ReportMetric(raw.Seconds()/float64(b.N), "raw-s/op")
	b.ReportMetric(ours.Seconds()/float64(b.N), "ours-s/op")
	b.ReportMetric(float64(clients*events*b.N)/ours.Seconds(), "deliveries/s")
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		_ = c.Close()
	}
}

// BenchmarkPublish has one publisher; BenchmarkPublishParallel sixteen.
func BenchmarkPublish(b *testing.B) {
	for _, kind := range []string{"memory", "transition", "output"} {
		b.Run(kind, func(b *testing.B) {
			l, e := benchLog(b, kind)
			b.ReportAllocs()
			for b.Loop() {
				l.Publish(e)
			}
		})
	}
}

func BenchmarkPublishParallel(b *testing.B) {
	for _, kind := range []string{"memory", "transition", "output"} {
		for _, clients := range []int{0, 1000} {
			b.Run(fmt.Sprintf("%s/clients=%d", kind, clients), func(b *testing.B) {
				l, e := benchLog(b, kind)
				idle(b, l, clients)
				b.SetParallelism(8)
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						l.Publish(e)
					}
				})
			})
		}
	}
}

func benchLog(b *testing.B, kind string) (*Log, Event) {
	o := diskOptions(b.TempDir())
	if kind == "memory" {
		o = Options{}
	}
	e := benchEvent(1)
	if kind == "output" {
		e.Stream = "stdout"
	}
	return open(b, o), e
}

// idle has readers that are woken by all and want nothing.
func idle(b *testing.B, l *Log, n int) {
	for range n {
		r := l.Read(0, Filter{Types: map[string]bool{"nothing": true}})
		done := make(chan struct{})
		go func() { _, _ = r.Next(b.Context()); close(done) }()
		b.Cleanup(func() { r.Close(); <-done })
	}
}

// BenchmarkResume1000 resumes 1,000 events before the end of a log of a million.
func BenchmarkResume1000(b *testing.B) {
	for _, where := range []string{"ring", "disk"} {
		b.Run(where, func(b *testing.B) {
			o := diskOptions(b.TempDir())
			o.Retain = 1 << 40
			l := open(b, o)
			events := benchSize("ABIDE_BENCH_LOG", 1_000_000)
			for i := range events {
				l.Publish(benchEvent(i))
			}
			since := l.LastID() - 1000
			if where == "disk" {
				since = l.LastID() / 2
			}
			addr := listen(b, l)
			b.ResetTimer()
			for b.Loop() {
				conns := dial(b, addr, fmt.Sprintf("?since=%d", since), 1)
				count(b, conns, 1000, func() {})
				closeAll(conns)
			}
		})
	}
}

// BenchmarkOneRun finds the few events of one run in a log of a million.
func BenchmarkOneRun(b *testing.B) {
	o := diskOptions(b.TempDir())
	o.Retain = 1 << 40
	l := open(b, o)
	events := benchSize("ABIDE_BENCH_LOG", 1_000_000)
	for i := range events {
		e := benchEvent(i)
		e.Run = strconv.Itoa(i / 10)
		l.Publish(e)
	}
	for b.Loop() {
		if got := len(all(b, l, 0, Filter{Run: strconv.Itoa(events / 20)})); got != 10 {
			b.Fatal(got)
		}
	}
}

// BenchmarkOpen opens a log of a million events.
func BenchmarkOpen(b *testing.B) {
	o := diskOptions(b.TempDir())
	o.Retain = 1 << 40
	l := open(b, o)
	for i := range benchSize("ABIDE_BENCH_LOG", 1_000_000) {
		l.Publish(benchEvent(i))
	}
	closeLog(b, l)
	for b.Loop() {
		l := open(b, o)
		b.StopTimer()
		closeLog(b, l)
		b.StartTimer()
	}
}

// BenchmarkLatency is from Publish to the client's end of the socket, with one
// event at a time.
func BenchmarkLatency(b *testing.B) {
	l := open(b, diskOptions(b.TempDir()))
	in := bufio.NewReader(dial(b, listen(b, l), "", 1)[0])
	read := func(what string) {
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				b.Fatal(err)
			}
			if bytes.Contains([]byte(line), []byte(what)) {
				return
			}
		}
	}
	read("Connected")
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		l.Publish(benchEvent(1))
		read(mark)
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkPublishersAndClients is sixteen publishers and 200 clients that must
// all get everything.
func BenchmarkPublishersAndClients(b *testing.B) {
	const clients, publishers = 200, 16
	events := benchSize("ABIDE_BENCH_EVENTS", 2000) / publishers * publishers
	var lost atomic.Int64
	for b.Loop() {
		l := open(b, diskOptions(b.TempDir()))
		conns := dial(b, listen(b, l), "", clients)
		count(b, conns, events, func() {
			var wg sync.WaitGroup
			for range publishers {
				wg.Go(func() {
					for i := range events / publishers {
						l.Publish(benchEvent(i))
					}
				})
			}
			wg.Wait()
		})
		if b.Failed() {
			lost.Add(1)
		}
		closeAll(conns)
		closeLog(b, l)
	}
	b.ReportMetric(float64(lost.Load()), "lost")
}
