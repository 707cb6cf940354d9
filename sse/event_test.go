package sse

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestEventJSON(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 15, 10, 30, 0, 500, time.FixedZone("", 3600))
	tests := []struct {
		name string
		in   Event
		want string
	}{
		{"least", Event{Type: "log", Time: at}, `{"type":"log","level":"info","timestamp":"2026-01-15T09:30:00.0000005Z","message":""}`},
		{"all", Event{
			ID: 7, Type: "log", Level: Error, Message: "a\"\\\n\r\t\x01<&>\xffé", Job: "j", Time: at, Run: "r",
			Pipeline: "p", Revision: "v", Source: "s", Stream: "stderr",
			Fields: map[string]any{"b": 1, "a": true, "id": 9, "type": "x", "c": []string{"<"}, "d": math.NaN(), "e": nil},
		}, `{"id":7,"type":"log","run":"r","job":"j","stream":"stderr","level":"error","timestamp":"2026-01-15T09:30:00.0000005Z",` +
			`"pipeline":"p","revision":"v","source":"s","message":"a\"\\\n\r\t\u0001<&>\ufffdé",` +
			`"a":true,"b":1,"c":["<"],"d":"(a value of type float64 that JSON cannot hold)","e":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.in.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Error(diff)
			}
			if !json.Valid(got) {
				t.Error("not JSON")
			}
		})
	}
}

func TestEventRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String()
		in := Event{
			ID: rapid.Uint64().Draw(t, "id"), Type: s.Draw(t, "type"), Level: Warning, Message: s.Draw(t, "message"),
			Job: s.Draw(t, "job"), Run: s.Draw(t, "run"), Pipeline: s.Draw(t, "pipeline"), Revision: s.Draw(t, "revision"),
			Source: s.Draw(t, "source"), Stream: s.Draw(t, "stream"), Time: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "time"), 5).UTC(),
			Fields: map[string]any{"x" + s.Draw(t, "key"): s.Draw(t, "value")},
		}
		data, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var out Event
		if err := json.Unmarshal(data, &out); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAppendStringAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		var got string
		if err := json.Unmarshal(appendString(nil, in), &got); err != nil {
			t.Fatal(err)
		}
		if want := strings.ToValidUTF8(replaceEach(in), "\uFFFD"); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
		n := 0
		for rest := in; rest != ""; {
			encoded, size := encodedLen(rest)
			n, rest = n+encoded, rest[size:]
		}
		if n+2 != len(appendString(nil, in)) {
			t.Fatalf("%d bytes were counted, %d written", n, len(appendString(nil, in))-2)
		}
	})
}

// replaceEach turns each bad byte into its own U+FFFD, as encoding/json does.
func replaceEach(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteRune(r)
	}
	return b.String()
}

func TestOutput(t *testing.T) {
	t.Parallel()
	tests := []struct {
		e    Event
		want bool
	}{
		{Event{Type: TypeLog, Run: "r-1.x", Stream: "stdout"}, true},
		{Event{Type: TypeLog, Run: "r"}, false},
		{Event{Type: TypeLog, Stream: "stdout"}, false},
		{Event{Type: TypeJobCompleted, Run: "r", Stream: "stdout"}, false},
		{Event{Type: TypeLog, Run: "../etc", Stream: "stdout"}, false},
		{Event{Type: TypeLog, Run: "..", Stream: "stdout"}, false},
		{Event{Type: TypeLog, Run: "a/b", Stream: "stdout"}, false},
		{Event{Type: TypeLog, Run: "a b", Stream: "stdout"}, false},
		{Event{Type: TypeLog, Run: strings.Repeat("a", 129), Stream: "stdout"}, false},
	}
	for _, tt := range tests {
		if got := tt.e.Output(); got != tt.want {
			t.Errorf("Output of a %s of run %q on %q: %v", tt.e.Type, tt.e.Run, tt.e.Stream, got)
		}
	}
}

func TestTerminalRun(t *testing.T) {
	t.Parallel()
	for typ, want := range map[string]bool{
		TypePipelineComplete: true, TypePipelineError: true, TypePipelineCancelled: true,
		TypePipelineInterrupted: true, TypePipelineSkipped: true, TypePipelineStart: false, TypeJobFailed: false, "": false,
	} {
		if got := TerminalRun(typ); got != want {
			t.Errorf("TerminalRun(%q) is %v", typ, got)
		}
	}
}
