package sse

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

func TestLargeEvents(t *testing.T) {
	t.Parallel()
	many := map[string]any{}
	for i := range 5000 {
		many[fmt.Sprintf("field%d", i)] = strings.Repeat("v", 100)
	}
	huge := strings.Repeat("n", 1<<20)
	tests := []struct {
		name    string
		e       Event
		whole   bool // the message is in one piece
		visible string
	}{
		{"small", Event{Message: "hello"}, true, ""},
		{"long line", Event{Message: strings.Repeat("0123456789", 100_000)}, false, `"parts":`},
		{"every byte escaped", Event{Message: strings.Repeat("\x01", 200_000)}, false, `"parts":`},
		{"not UTF-8", Event{Message: strings.Repeat("\xff", 100_000)}, false, `"parts":`},
		{"wide runes", Event{Message: strings.Repeat("€", 50_000)}, false, `"parts":`},
		{"newlines", Event{Message: strings.Repeat("a\r\n", 10)}, true, ""},
		{"just fits", Event{Message: strings.Repeat("a", 59_000)}, true, ""},
		{"huge names", Event{Message: "m", Job: huge, Pipeline: huge, Source: huge, Revision: huge, Run: huge, Level: huge}, true, "truncated, 1048576 bytes"},
		{"huge field", Event{Message: "m", Fields: map[string]any{"f": huge, "small": 1}}, true, "truncated, 1048576 bytes"},
		{"huge list", Event{Message: "m", Fields: map[string]any{"f": strings.Split(huge, "")}}, true, "truncated"},
		{"huge key", Event{Message: "m", Fields: map[string]any{huge: 1}}, true, "truncated"},
		{"many fields", Event{Message: "m", Fields: many}, true, `"fields_dropped":`},
		{"all of it", Event{Message: huge, Job: strings.Repeat("\x01", 1<<20), Pipeline: strings.Repeat("\x02", 999), Fields: many}, false, `"parts":`},
		{"odd type", Event{Type: "a\nb\"c\\ é" + huge, Message: "m"}, true, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := open(t, Options{Dir: t.TempDir()})
			if tt.e.Type == "" {
				tt.e.Type = TypeLog
			}
			got := l.Publish(tt.e)
			frames := all(t, l, 0, Filter{})
			if got.ID != uint64(len(frames)) {
				t.Errorf("the id returned is %d, the last frame is %d", got.ID, len(frames))
			}
			if tt.whole != (len(frames) == 1) {
				t.Errorf("%d frames", len(frames))
			}
			var message strings.Builder
			for i, f := range frames {
				checkWire(t, f)
				e := event(t, f)
				message.WriteString(e.Message)
				if len(frames) > 1 && (e.Fields["part"] != float64(i+1) || e.Fields["parts"] != float64(len(frames))) {
					t.Errorf("frame %d has part %v of %v", i, e.Fields["part"], e.Fields["parts"])
				}
			}
			if want := replaceEach(tt.e.Message); message.String() != want {
				t.Errorf("the message has %d bytes, want %d", message.Len(), len(want))
			}
			if !bytes.Contains(frames[0].Data(), []byte(tt.visible)) {
				t.Errorf("%.300s does not say %s", frames[0].Data(), tt.visible)
			}
		})
	}
}

func checkWire(t *testing.T, f Frame) {
	t.Helper()
	for _, named := range []bool{false, true} {
		wire := f.appendWire(nil, named)
		if len(wire) >= MaxFrame {
			t.Errorf("a frame of %d bytes", len(wire))
		}
		lines := bytes.Split(wire, []byte("\n"))
		want := 4
		if named {
			want++
		}
		if len(lines) != want || bytes.ContainsRune(wire, '\r') {
			t.Errorf("%d lines: %.200q", len(lines), wire)
		}
	}
}

func FuzzSplitMessage(f *testing.F) {
	f.Add("abc", 6)
	f.Add("\x01\xff€\n", 7)
	f.Fuzz(func(t *testing.T, s string, budget int) {
		if budget < 6 || budget > 1000 {
			return
		}
		pieces := splitMessage(s, budget)
		if strings.Join(pieces, "") != s {
			t.Fatal("bytes were lost")
		}
		for _, p := range pieces {
			if n := len(appendString(nil, p)) - 2; n > budget {
				t.Fatalf("%d bytes in a budget of %d", n, budget)
			}
		}
	})
}
