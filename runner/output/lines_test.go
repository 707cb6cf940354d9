package output_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/output"
)

// sink writes down what an observer is told, a call a line: "o|text", with a
// plus sign when more is set.
type sink struct{ calls []string }

func (s *sink) Narrate(level, message string) { s.calls = append(s.calls, level+":"+message) }
func (s *sink) Created(string, string) error  { return nil }
func (s *sink) Started(string, string)        {}
func (s *sink) Line(st runner.Stream, t string, m bool) {
	mark := "|"
	if m {
		mark = "+"
	}
	s.calls = append(s.calls, string(st[3])+mark+t)
}

func TestLines(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", runner.MaxLine)
	tests := map[string]struct {
		writes []string // "o…" to stdout, "e…" to stderr
		skip   map[runner.Stream]int
		want   []string
	}{
		"lines of one write":        {writes: []string{"oa\nb\n"}, want: []string{"o|a", "o|b"}},
		"a line in pieces":          {writes: []string{"oa", "ob", "oc\n"}, want: []string{"o|abc"}},
		"empty lines":               {writes: []string{"o\n\n"}, want: []string{"o|", "o|"}},
		"no newline at the end":     {writes: []string{"oa\nb"}, want: []string{"o|a", "o|b"}},
		"two streams":               {writes: []string{"oa", "eb\n", "oc\n"}, want: []string{"e|b", "o|ac"}},
		"carriage return":           {writes: []string{"oa\r\nb\rc\r", "o\nd\r"}, want: []string{"o|a", "o|b\rc", "o|d"}},
		"exactly the limit":         {writes: []string{"o" + long, "o\n"}, want: []string{"o|" + long}},
		"above the limit":           {writes: []string{"o" + long + "yz\n"}, want: []string{"o+" + long, "o|yz"}},
		"a limit within a rune":     {writes: []string{"o" + long[1:] + "é\n"}, want: []string{"o+" + long[1:], "o|é"}},
		"invalid UTF-8":             {writes: []string{"oa\xffb\n"}, want: []string{"o|a\uFFFDb"}},
		"a rune in two writes":      {writes: []string{"o\xc3", "o\xa9\n"}, want: []string{"o|é"}},
		"skipped lines":             {writes: []string{"oa\nb\nc", "od\ne1\n", "ee\n"}, skip: map[runner.Stream]int{runner.Stdout: 2}, want: []string{"o|cd", "o|e1", "e|e"}},
		"a skipped long line":       {writes: []string{"o" + long + long + "\nb\n"}, skip: map[runner.Stream]int{runner.Stdout: 1}, want: []string{"o|b"}},
		"more skipped than printed": {writes: []string{"oa\n"}, skip: map[runner.Stream]int{runner.Stdout: 9}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got sink
			l := output.New(&got, tc.skip, nil)
			for _, w := range tc.writes {
				s := runner.Stdout
				if w[0] == 'e' {
					s = runner.Stderr
				}
				l.Write(s, []byte(w[1:]))
			}
			l.Close()
			if diff := cmp.Diff(tc.want, got.calls); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReplacementKeepsTheLimit(t *testing.T) {
	t.Parallel()
	var got sink
	l := output.New(&got, nil, nil)
	l.Write(runner.Stdout, []byte(strings.Repeat("a\xff", runner.MaxLine/2)+"\n"))
	l.Close()
	all := ""
	for _, c := range got.calls {
		if text := c[2:]; len(text) > runner.MaxLine || !utf8.ValidString(text) {
			t.Errorf("a call of %d bytes, valid %v", len(text), utf8.ValidString(text))
		}
		all += c[2:]
	}
	if want := strings.Repeat("a\uFFFD", runner.MaxLine/2); all != want {
		t.Errorf("the pieces don't add up: %d bytes, want %d", len(all), len(want))
	}
}

func TestStalledOutputIsFlushed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var got sink
		l := output.New(&got, nil, nil)
		l.Write(runner.Stdout, []byte("first\nPassword: "))
		time.Sleep(output.Stall + 1)
		l.Write(runner.Stdout, []byte("ok\n"))
		for i := range 5 { // never quiet, and never a line older than Stall
			time.Sleep(output.Stall * 3 / 4)
			l.Write(runner.Stdout, fmt.Appendf(nil, "%d\nbegin", i))
		}
		time.Sleep(output.Stall / 2)
		l.Write(runner.Stderr, []byte("abc"))
		time.Sleep(output.Stall * 2)
		synctest.Wait()
		l.Close()
		want := []string{"o|first", "o+Password: ", "o|ok", "o|0", "o|begin1", "o|begin2", "o|begin3", "o|begin4", "o+begin", "e+abc", "o|", "e|"}
		if diff := cmp.Diff(want, got.calls); diff != "" {
			t.Error(diff)
		}
	})
}

func TestStepsAreNarrated(t *testing.T) {
	t.Parallel()
	steps := output.NewSteps("@tok@", []string{"Execute command: a", "Execute command: b"})
	var got sink
	l := output.New(&got, nil, steps)
	l.Write(runner.Stdout, []byte("@tok@0\nout\npartial@tok@1\n@tok@7\nx@tok@\n"))
	l.Close()
	want := []string{"info:Execute command: a", "o|out", "o|partial", "info:Execute command: b", "o|@tok@7", "o|x@tok@"}
	if diff := cmp.Diff(want, got.calls); diff != "" {
		t.Error(diff)
	}
}

// FuzzLines checks that nothing is lost, however the bytes come in pieces.
func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\nc"), 1)
	f.Add([]byte("\xff\xc3\xa9\n\n"), 2)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		step = 1 + max(step, -step)%64
		if step <= 0 {
			step = 1
		}
		var got sink
		l := output.New(&got, nil, nil)
		for p := text; len(p) > 0; {
			n := min(step, len(p))
			l.Write(runner.Stdout, p[:n])
			p = p[n:]
		}
		l.Close()
		var b strings.Builder
		for _, c := range got.calls {
			b.WriteString(c[2:])
			if c[1] == '|' {
				b.WriteByte('\n')
			}
		}
		want := strings.ReplaceAll(string(text), "\r\n", "\n")
		if want != "" && !strings.HasSuffix(want, "\n") {
			want = strings.TrimSuffix(want, "\r") + "\n"
		}
		want = strings.ToValidUTF8(want, "\uFFFD")
		if len(text) < runner.MaxLine && strings.ToValidUTF8(b.String(), "\uFFFD") != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	})
}

func BenchmarkLines(b *testing.B) {
	text := []byte(strings.Repeat(strings.Repeat("x", 99)+"\n", 320))
	l := output.New(&null{}, nil, nil)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		l.Write(runner.Stdout, text)
	}
}

type null struct{}

func (*null) Narrate(string, string)           {}
func (*null) Created(string, string) error     { return nil }
func (*null) Started(string, string)           {}
func (*null) Line(runner.Stream, string, bool) {}

func TestAbandonedOutputComesAgain(t *testing.T) {
	t.Parallel()
	var got sink
	l := output.New(&got, map[runner.Stream]int{runner.Stderr: 2}, nil)
	l.Write(runner.Stdout, []byte("a\nb\nhal"))
	l.Write(runner.Stderr, []byte("x\n"))
	done := l.Done()
	l.Abandon()
	if diff := cmp.Diff(map[runner.Stream]int{runner.Stdout: 2, runner.Stderr: 2}, done); diff != "" {
		t.Error(diff)
	}
	l = output.New(&got, done, nil)
	l.Write(runner.Stdout, []byte("a\nb\nhalf\n"))
	l.Write(runner.Stderr, []byte("x\ny\nz\n"))
	l.Close()
	if diff := cmp.Diff([]string{"o|a", "o|b", "o|half", "e|z"}, got.calls); diff != "" {
		t.Error(diff)
	}
}
