package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

func logLine(id uint64, job, level, message string, output bool) LogLine {
	return LogLine{
		ID: id, Job: job, Output: output,
		Data: fmt.Appendf(nil, `{"id":%d,"level":%q,"message":%q}`, id, level, message),
	}
}

func lines(list ...LogLine) iter.Seq2[LogLine, error] {
	return func(yield func(LogLine, error) bool) {
		for _, l := range list {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func TestLogFormats(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{runs: []runner.Run{{ID: "r"}}, logs: lines(
		logLine(4, "build", "info", "Image is available", false),
		logLine(5, "build", "info", "hello", true),
		logLine(6, "build", "error", "exit code 1", false),
		logLine(9, "", "error", "Pipeline execution failed", false),
		LogLine{Data: []byte(`{"type":"stale","level":"warning","message":"older lines are gone"}`)},
	)}
	s := newServer(t, a)
	const text = "[build] hello\n[build] exit code 1\nPipeline execution failed\nolder lines are gone\n"
	for _, c := range []struct{ query, mime, want string }{
		{"", "text/plain; charset=utf-8", text},
		{"?format=text", "text/plain; charset=utf-8", text},
		{"?format=json", "application/x-ndjson", `{"id":4,"level":"info","message":"Image is available"}` + "\n" +
			`{"id":5,"level":"info","message":"hello"}` + "\n" + `{"id":6,"level":"error","message":"exit code 1"}` + "\n" +
			`{"id":9,"level":"error","message":"Pipeline execution failed"}` + "\n" +
			`{"type":"stale","level":"warning","message":"older lines are gone"}` + "\n"},
		{"?format=sse", "text/event-stream", "id: 4\ndata: {\"id\":4,\"level\":\"info\",\"message\":\"Image is available\"}\n\n" +
			"id: 5\ndata: {\"id\":5,\"level\":\"info\",\"message\":\"hello\"}\n\nid: 6\ndata: {\"id\":6,\"level\":\"error\",\"message\":\"exit code 1\"}\n\n" +
			"id: 9\ndata: {\"id\":9,\"level\":\"error\",\"message\":\"Pipeline execution failed\"}\n\n" +
			"data: {\"type\":\"stale\",\"level\":\"warning\",\"message\":\"older lines are gone\"}\n\n"},
	} {
		r := askRoot(s, "GET", "/v1/runs/r/logs"+c.query, nil)
		if r.status != 200 || r.header.Get("Content-Type") != c.mime {
			t.Errorf("%s: %d %v", c.query, r.status, r.header)
		}
		if d := cmp.Diff(c.want, r.body); d != "" {
			t.Errorf("%s: %s", c.query, d)
		}
	}
	call(s, admin, "GET", "/v1/runs/r/logs?follow=true&after=2", "", "Last-Event-ID: 7")
	call(s, admin, "GET", "/v1/runs/r/logs?after=2", "")
	calls := a.called()
	if d := cmp.Diff([]string{"logs {Run:r After:7 Follow:true}", "logs {Run:r After:2 Follow:false}"}, calls[len(calls)-2:]); d != "" {
		t.Error(d)
	}
}

func TestLogErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{})
	if r := askRoot(s, "GET", "/v1/runs/nope/logs", nil); r.status != 404 {
		t.Errorf("no such run: %d", r.status)
	}
	failing := func(before ...LogLine) *Server {
		return newServer(t, &fakeAgent{runs: []runner.Run{{ID: "r"}}, logs: func(yield func(LogLine, error) bool) {
			for _, l := range before {
				if !yield(l, nil) {
					return
				}
			}
			yield(LogLine{}, fmt.Errorf("the log is gone: %w", reconcile.ErrNotFound))
		}})
	}
	if r := askRoot(failing(), "GET", "/v1/runs/r/logs", nil); r.status != 404 || !strings.Contains(r.body, "the log is gone") {
		t.Errorf("before the first line: %d %s", r.status, r.body)
	}
	resp, err := http.Get("http://" + serve(t, failing(logLine(1, "j", "info", "x", true))) + "/v1/runs/r/logs")
	if err == nil {
		defer resp.Body.Close()
		_, err = io.ReadAll(resp.Body)
	}
	if err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("after it the answer looks whole: %v", err)
	}
}

// TestLogFollows: each line is seen before the next is printed, the headers
// before the first, and the end comes with the run's.
func TestLogFollows(t *testing.T) {
	t.Parallel()
	next := make(chan LogLine)
	a := &fakeAgent{runs: []runner.Run{{ID: "r"}}, logs: func(yield func(LogLine, error) bool) {
		for l := range next {
			if !yield(l, nil) {
				return
			}
		}
	}}
	resp, err := http.Get("http://" + serve(t, newServer(t, a)) + "/v1/runs/r/logs?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	br := bufio.NewReader(resp.Body)
	for i := range 5 {
		next <- logLine(uint64(i+1), "j", "info", fmt.Sprint("line ", i), true)
		got, err := br.ReadString('\n')
		if err != nil || got != fmt.Sprintf("[j] line %d\n", i) {
			t.Fatalf("%q %v", got, err)
		}
	}
	close(next)
	if _, err := br.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("the end: %v", err)
	}
}

// TestLogEndsWithItsReader: a reader that goes away frees what follows for him.
func TestLogEndsWithItsReader(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	a := &fakeAgent{runs: []runner.Run{{ID: "r"}}, logs: func(yield func(LogLine, error) bool) {
		defer close(gone)
		for i := uint64(1); yield(logLine(i, "j", "info", strings.Repeat("x", 1000), true), nil); i++ {
		}
	}}
	resp, err := http.Get("http://" + serve(t, newServer(t, a)) + "/v1/runs/r/logs?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Read(make([]byte, 100))
	resp.Body.Close()
	<-gone
}

func BenchmarkLogText(b *testing.B) {
	l := logLine(123456, "build", "info", strings.Repeat("x", 80), true)
	var buf []byte
	for b.Loop() {
		buf, _ = appendText(buf[:0], l)
	}
	b.SetBytes(int64(len(buf)))
}
