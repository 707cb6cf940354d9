package terminal

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sse"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClean(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in, plain, color string
	}{
		{"plain", "a b\tc", "a b\tc", "a b\tc"},
		{"colour", "\x1b[1;31mred\x1b[0m", "red", "\x1b[1;31mred\x1b[0m\x1b[0m"},
		{"cursor", "\x1b[2J\x1b[1;1Hx\x1b[?25l", "x", "x"},
		{"private SGR", "\x1b[>4;2mx", "x", "x"},
		{"title", "\x1b]0;evil\x07x", "x", "x"},
		{"clipboard", "\x1b]52;c;ZXZpbA==\x1b\\x", "x", "x"},
		{"an open string", "x\x1b]0;rest", "x", "x"},
		{"an open sequence", "x\x1b[12", "x", "x"},
		{"charset", "\x1b(0x\x1b=y", "xy", "xy"},
		{"C1", "a\u009b31mb\u0085c", "a31mbc", "a31mbc"},
		{"bell and backspace", "a\a\bb\x7f\x00", "ab", "ab"},
		{"written over", "10%\r20%\r30%\r", "30%", "30%"},
		{"turned around", "a\u202eb\u2066c", "abc", "abc"},
		{"not UTF-8", "a\xffb", "a\ufffdb", "a\ufffdb"},
		{"other scripts", "größe 日本", "größe 日本", "größe 日本"},
	} {
		if got := Clean(tc.in, false); got != tc.plain {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.plain)
		}
		if got := Clean(tc.in, true); got != tc.color {
			t.Errorf("%s with colour: got %q, want %q", tc.name, got, tc.color)
		}
	}
}

func FuzzClean(f *testing.F) {
	for _, seed := range []string{"", "\x1b", "\x1b[", "\x1b]8;;x\x07", "\r\r", "\x1b(\x1b[31m", "日\x1b[mx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, r := range Clean(in, false) {
			if r < 0x20 && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
				t.Fatalf("%q leaves %q", in, r)
			}
		}
		out := Clean(in, true)
		if Clean(out, true) == "" && out != "" && out != reset {
			t.Fatalf("%q: %q is not stable", in, out)
		}
	})
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)

// story is one run with an output line and a failing job.
func story(run, pipeline string, fields map[string]any) []sse.Event {
	at := func(e sse.Event) sse.Event {
		e.Run, e.Pipeline, e.Time = run, pipeline, start
		return e
	}
	return []sse.Event{
		at(sse.Event{Type: sse.TypePipelineStart, Message: "Pipeline " + pipeline + " started", Fields: fields}),
		at(sse.Event{Type: sse.TypeJobContainerStart, Job: "build", Message: "Container started"}),
		at(sse.Event{Type: sse.TypeLog, Job: "build", Stream: "stdout", Message: "\x1b[2Jhello\x1b[31m!"}),
		at(sse.Event{Type: sse.TypeJobFailed, Level: sse.Error, Job: "build", Message: "Job failed", Fields: map[string]any{"exit_code": 3, "duration": "2s"}}),
		at(sse.Event{Type: sse.TypeJobSkipped, Job: "deploy", Message: "Job skipped: build failed"}),
		at(sse.Event{Type: sse.TypePipelineError, Level: sse.Error, Message: "Pipeline failed", Fields: map[string]any{"total_duration": "2s"}}),
	}
}

func TestPipeGetsPlainLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(Screen{W: &out})
	for _, e := range append([]sse.Event{{Type: sse.TypeConnection, Message: "x"}}, story("r1", "hello", nil)...) {
		p.Show(e)
	}
	p.Close()
	p.Show(sse.Event{Message: "too late"})
	want := `⚉ Pipeline hello started
⚉ build Container started
[build] hello!
✘ build Job failed (exit code 3) (2s)
○ deploy Job skipped: build failed
✘ Pipeline failed (2s)
`
	if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(strings.ReplaceAll(out.String(), "hello started", "hello started"), "\n")); diff != "" {
		t.Error(diff)
	}
	if got := p.Summary(); got != "Pipelines: 1 failed." {
		t.Errorf("summary: %q", got)
	}
}

func TestLogsWithTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(Screen{W: &out})
	defer p.Close()
	for _, e := range story("r1", "hello", map[string]any{"logs_with_time": true}) {
		p.Show(e)
	}
	if !strings.Contains(out.String(), "[build] 2026/01/02 03:04:05 hello!\n") {
		t.Errorf("got\n%s", out.String())
	}
}

func TestRunsAtTheSameTimeAreToldApart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(Screen{W: &out})
	defer p.Close()
	a, b := story("r1", "one", nil), story("r2", "two", nil)
	for i := range a {
		p.Show(a[i])
		p.Show(b[i])
	}
	for _, want := range []string{"[one/build] hello!", "[two/build] hello!"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from\n%s", want, out.String())
		}
	}
}

// TestPicture draws what a terminal shows, frame by frame.
func TestPicture(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := start
	p := newProgress(Screen{W: &out, Live: true, Color: true, Size: func() (int, int) { return 30, 6 }}, func() time.Time { return now })
	events := story("r1", "hello", nil)
	for _, e := range events[:3] {
		p.Show(e)
	}
	now = now.Add(1500 * time.Millisecond)
	p.draw()
	first := out.String()
	if !strings.Contains(first, "[build]") || !strings.Contains(first, "hello\x1b[31m!\x1b[0m") || strings.Contains(first, "\x1b[2J") {
		t.Errorf("the first frame: %q", first)
	}
	lines := strings.Split(strings.TrimRight(first, "\n"), "\n")
	if picture := Clean(lines[len(lines)-1], false); picture != "⠋ build 1s hello!" {
		t.Errorf("the picture: %q", picture)
	}
	out.Reset()
	p.draw()
	if !strings.HasPrefix(out.String(), "\x1b[1A\r\x1b[J") {
		t.Errorf("the second frame goes over the first: %q", out.String())
	}
	for i := range 9 {
		p.Show(sse.Event{Type: sse.TypeLog, Run: "r1", Job: strings.Repeat(string(rune('a'+i)), 40), Message: "日本日本日本日本日本日本日本日本"})
	}
	for _, line := range p.picture() {
		if w := Width(Clean(line, false)); w > 29 {
			t.Errorf("a line of %d columns: %q", w, line)
		}
	}
	if n := len(p.picture()); n != 3 {
		t.Errorf("a picture of %d lines for 6 rows", n)
	}
	out.Reset()
	for _, e := range events[3:] {
		p.Show(e)
	}
	p.Close()
	if p.drawn != 0 || len(p.picture()) != 0 {
		t.Errorf("something is left: %q", out.String())
	}
}

func TestLiveScreenIsAnimated(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p := NewProgress(Screen{W: w, Live: true})
	p.Show(sse.Event{Type: sse.TypeLog, Run: "r", Job: "build", Message: "x"})
	buf := make([]byte, 256)
	if _, err := r.Read(buf); err != nil { // the next frame, without anybody drawing it
		t.Fatal(err)
	}
	p.Close()
	w.Close()
}

func TestDetect(t *testing.T) {
	t.Parallel()
	f, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if s := Detect(f, func(string) string { return "xterm" }); s.Live || s.Color {
		t.Errorf("a file is no terminal: %+v", s)
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := Table{Head: []string{"RUN", "STATE", "WHY"}}
	table.Add(Text("r1"), Cell{"succeeded", Green}, Text("x"))
	table.Add(Text("日本"), Cell{"failed", Red}, Text("\x1b[2Jno"))
	var out bytes.Buffer
	if err := table.Write(Screen{W: &out}); err != nil {
		t.Fatal(err)
	}
	want := "RUN   STATE      WHY\nr1    succeeded  x\n日本  failed     no\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := table.Write(Screen{W: &out, Color: true}); err != nil {
		t.Fatal(err)
	}
	if got := Clean(strings.Split(out.String(), "\n")[2], false); got != "日本  failed     no" {
		t.Errorf("colours move the columns: %q", got)
	}
}

func TestPlan(t *testing.T) {
	t.Parallel()
	p := reconcile.Plan{
		Sources: []reconcile.SourceStatus{
			{Name: "app", Location: "/srv/app", Revision: "0123456789abcdef", Subject: "Change it"},
			{Name: "gone", Location: "/srv/gone", Error: "not a repository"},
		},
		Changes: []reconcile.Change{
			{Kind: "pipeline", Name: "z", Operation: reconcile.OpRemove, Reason: "left the source"},
			{Kind: "pipeline", Name: "a", Operation: reconcile.OpRun, Reason: "new"},
			{Kind: "pipeline", Name: "b", Operation: reconcile.OpRun, Reason: "changed", Observed: "x", Diff: "@@ -1 +1 @@\n-old\n+new\n", Details: []string{"job deploy: condition is false now"}},
			{Kind: "pipeline", Name: "c", Operation: reconcile.OpNone, Reason: "broken", Problems: problem.List{{File: "c.yaml", Line: 3, Column: 2, Message: "bad", Hint: "mend it"}}},
			{Kind: "pipeline", Name: "d", Operation: reconcile.OpWait, Reason: "waits for a"},
			{Kind: "pipeline", Name: "e", Operation: reconcile.OpNone, Reason: "up to date"},
		},
		Ignored: []string{"x.yaml: no workflow"},
		Holds:   []reconcile.Hold{{Source: "app", By: "uid 0", Reason: "maintenance"}},
	}
	var out bytes.Buffer
	if err := Plan(Screen{W: &out}, p); err != nil {
		t.Fatal(err)
	}
	want := `source app /srv/app 0123456789ab Change it
source gone /srv/gone
! source gone not a repository
held: source app by uid 0: maintenance
+ run pipeline/a: new
~ run pipeline/b: changed
    job deploy: condition is false now
    @@ -1 +1 @@
    -old
    +new
! broken pipeline/c: broken
    c.yaml:3:2: bad; mend it
… wait pipeline/d: waits for a
· pipeline/e: up to date
- remove pipeline/z: left the source
ignored: x.yaml: no workflow
Plan: 2 to run, 1 to remove, 1 waiting, 1 broken.
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	out.Reset()
	if err := Plan(Screen{W: &out}, reconcile.Plan{}); err != nil || out.String() != "Nothing to do.\n" {
		t.Errorf("an empty plan: %q %v", out.String(), err)
	}
}

func BenchmarkProgressLine(b *testing.B) {
	var out bytes.Buffer
	p := NewProgress(Screen{W: &out})
	defer p.Close()
	e := sse.Event{Type: sse.TypeLog, Run: "r", Job: "build", Stream: "stdout", Message: strings.Repeat("x", 80)}
	for b.Loop() {
		out.Reset()
		p.Show(e)
	}
}

// A line names its pipeline from the first to the last when there are several,
// whether or not others run at that moment.
func TestPipelinesOneAfterTheOtherAreToldApart(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewProgress(Screen{W: &out})
	defer p.Close()
	p.Show(sse.Event{Type: sse.TypePlan, Level: sse.Info, Message: "Plan: run pipeline one, run pipeline two", Fields: map[string]any{"changes": 2}})
	for _, e := range append(story("r1", "one", nil), story("r2", "two", nil)...) {
		p.Show(e)
	}
	for _, want := range []string{"[one/build] hello!", "[two/build] hello!", "✘ one Pipeline failed", "✘ two Pipeline failed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing from\n%s", want, out.String())
		}
	}
}
