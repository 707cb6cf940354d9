package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/abide-agent/abide/units"
)

func TestUnitPath(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]dbus.ObjectPath{
		"a.service":        "a_2eservice",
		"9-x@y.timer":      "_39_2dx_40y_2etimer",
		`a\x2db_c.service`: "a_5cx2db_5fc_2eservice",
	} {
		if got := unitPath(name); got != unitPaths+want {
			t.Errorf("%s has the path %s", name, got)
		}
	}
}

func TestOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		deps map[string]units.Deps
		want string
	}{
		"as given":         {map[string]units.Deps{}, "a b c d"},
		"after":            {map[string]units.Deps{"a": {After: []string{"c"}}}, "b c d a"},
		"before":           {map[string]units.Deps{"d": {Before: []string{"a", "b"}}}, "c d a b"},
		"requires":         {map[string]units.Deps{"a": {Requires: []string{"b"}}, "b": {BindsTo: []string{"d"}}}, "c d b a"},
		"others":           {map[string]units.Deps{"a": {After: []string{"x", "a"}, Wants: []string{"y"}}}, "a b c d"},
		"weak contradicts": {map[string]units.Deps{"a": {Wants: []string{"b"}, Before: []string{"b"}}, "b": {PartOf: []string{"a"}}}, "c d a b"},
		"circle":           {map[string]units.Deps{"a": {After: []string{"b"}}, "b": {After: []string{"a"}}}, "c d a b"},
	} {
		names := []string{"a", "b", "c", "d"}
		deps := make([]units.Deps, len(names))
		for i, n := range names {
			deps[i] = c.deps[n]
		}
		var got []string
		for _, i := range orderBatch(names, deps).order {
			got = append(got, names[i])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", name, got, c.want)
		}
	}
}

// TestOrderHolds: every unit comes once, and After= holds wherever it is not
// part of a circle.
func TestOrderHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 12).Draw(t, "n")
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		some := rapid.SliceOfN(rapid.SampledFrom(append(names, "other")), 0, 3)
		deps := make([]units.Deps, n)
		rank := rapid.Permutation(names).Draw(t, "rank")
		for i := range deps {
			deps[i] = units.Deps{Wants: some.Draw(t, "wants"), Requires: some.Draw(t, "requires")}
			for _, d := range some.Draw(t, "after") {
				if slices.Index(rank, d) < slices.Index(rank, names[i]) {
					deps[i].After = append(deps[i].After, d)
				}
			}
		}
		p := orderBatch(names, deps)
		at := map[int]int{}
		for k, i := range p.order {
			at[i] = k
		}
		if len(at) != n {
			t.Fatalf("%d of %d units are in the order", len(at), n)
		}
		for i, after := range p.after {
			for _, j := range after {
				if at[j] > at[i] {
					t.Fatalf("%d stands before %d, which it is ordered after", i, j)
				}
			}
		}
	})
}

func TestMarks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), marksFile)
	m, known, err := openMarks(path)
	if err != nil || len(known) != 0 {
		t.Fatal(known, err)
	}
	a := mark{Name: "a.service", Digest: "1", Want: units.Launched, DropIns: []string{"x.conf"}, Source: "s", Boot: "b", Placed: 7}
	b := mark{Name: "b.service", Digest: "2"}
	for _, batch := range [][]mark{{a, b}, {{Name: "b.service", Gone: true}}, {{Name: "a.service", Digest: "0"}, a}} {
		if err := m.append(batch...); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	half, _ := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	fmt.Fprint(half, `{"name":"torn.serv`) // the power went
	half.Close()
	m, known, err = openMarks(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]mark{a}, known); diff != "" {
		t.Error(diff)
	}
	for i := range 3 * marksSlack { // the file does not grow for ever
		if err := m.append(mark{Name: "c.service", Digest: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	text, _ := os.ReadFile(path)
	if n := strings.Count(string(text), "\n"); n > 2*marksSlack {
		t.Errorf("the file has %d lines for two units", n)
	}
	_ = m.close()
	if err := os.WriteFile(path, []byte("{\"name\":\"a\"}\nnonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := openMarks(path); err == nil || !strings.Contains(err.Error(), path+":2") {
		t.Errorf("a damaged file gives %v", err)
	}
}

// TestMarksFail: what can't be recorded isn't placed, and the next try works.
func TestMarksFail(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), marksFile)
	m, _, err := openMarks(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.file.Close() // as good as a full disk
	if err := m.append(mark{Name: "a"}); err == nil {
		t.Fatal("a closed file takes a mark")
	}
	if err := m.append(mark{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	_ = m.close()
	_, known, err := openMarks(path)
	if err != nil || len(known) != 1 || known[0].Name != "b" {
		t.Errorf("what is left is %v (%v)", known, err)
	}
}

func TestJobs(t *testing.T) {
	t.Parallel()
	j := newJobs()
	begin := func() {
		t.Helper()
		if err := j.begin(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	begin()
	j.removed("/1", "done") // before the answer was looked at
	if got := <-j.end("/1"); got != "done" {
		t.Errorf("an early result is %q", got)
	}
	begin()
	a := j.end("/2")
	begin()
	again := j.end("/2") // systemd made one job of both
	b, c := j.again("/2"), j.again("/2")
	j.forget("/2", b)
	if len(j.slots) != 1 {
		t.Errorf("one job has %d slots", len(j.slots))
	}
	j.removed("/2", "failed")
	if <-a != "failed" || <-again != "failed" || <-c != "failed" || len(b) != 0 || len(j.waiting) != 0 {
		t.Error("those that wait for one job don't all hear of it")
	}
	begin()
	j.end("") // the call failed
	j.removed("/3", "done")
	if len(j.early) != 0 || len(j.slots) != 0 {
		t.Errorf("left over are %v and %d slots", j.early, len(j.slots))
	}
	for i := range maxJobs {
		begin()
		j.end(dbus.ObjectPath(fmt.Sprintf("/many/%d", i)))
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, units.ErrBusy)
	defer cancel()
	if err := j.begin(ctx); !errors.Is(err, units.ErrBusy) {
		t.Errorf("one job too many gives %v", err)
	}
	j.only(map[dbus.ObjectPath]bool{"/many/7": true})
	if len(j.slots) != 1 {
		t.Errorf("of jobs that ended unseen %d slots are left", len(j.slots)-1)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	name := func(n string) error { return dbus.Error{Name: n, Body: []any{"so says systemd"}} }
	for what, c := range map[string]struct {
		verb   verb
		result string
		err    error
		run    running
		want   string // empty: fine
		fault  bool
	}{
		"done":       {verb: start, result: "done"},
		"skipped":    {verb: start, result: "skipped"},
		"code":       {start, "failed", nil, running{result: "exit-code", code: 1, exit: 3}, `"failed": its process exited with code 3 (result exit-code); read `, true},
		"exec":       {start, "failed", nil, running{result: "exit-code", code: 1, exit: 203}, "code 203, EXEC: systemd could not start it", true},
		"signal":     {restart, "failed", nil, running{result: "signal", code: 2, exit: 9}, "signal 9 ended its process", true},
		"timeout":    {start, "failed", nil, running{result: "timeout"}, "TimeoutStartSec=", true},
		"often":      {start, "failed", nil, running{result: "start-limit-hit"}, "too often", true},
		"other":      {start, "failed", nil, running{result: "brand-new"}, "its result is brand-new", true},
		"canceled":   {stop, "canceled", nil, running{}, "another job took the place", false},
		"dependency": {start, "dependency", nil, running{}, "a unit that it requires failed", false},
		"bad file":   {start, "", name("org.freedesktop.systemd1.BadUnitSetting"), running{}, "refuses the file of x.service", true},
		"gone":       {verb: stop, err: name("org.freedesktop.systemd1.NoSuchUnit")},
		"not found":  {start, "", name("org.freedesktop.systemd1.NoSuchUnit"), running{}, "unit directory", false},
		"manual":     {start, "", name("org.freedesktop.systemd1.OnlyByDependency"), running{}, "RefuseManualStart=", false},
		"denied":     {start, "", name("org.freedesktop.DBus.Error.AccessDenied"), running{}, "as root", false},
		"busy":       {stop, "", fmt.Errorf("%w after 5s", units.ErrBusy), running{}, "x.service does not stop: its job is still under way after 5s", false},
		"lost":       {start, "", dbus.ErrClosed, running{}, "systemd does not answer", false},
	} {
		err := verdict(c.verb, "x.service", c.result, c.err, c.run)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", what, err)
		case failed(err) != c.fault:
			t.Errorf("%s: the unit's own fault: %v", what, failed(err))
		case c.err != nil && errors.Is(c.err, units.ErrBusy) != errors.Is(err, units.ErrBusy):
			t.Errorf("%s: busy is lost in %v", what, err)
		}
	}
	if err := verdict(start, "x", "", dbus.ErrClosed, running{}); !errors.Is(err, units.ErrUnavailable) {
		t.Errorf("a lost connection gives %v", err)
	}
}

// TestStatus: what signals say and what the contract asks for.
func TestStatus(t *testing.T) {
	t.Parallel()
	v := dbus.MakeVariant
	oneShot := func() *unit { return &unit{mark: mark{Name: "x.service"}, disk: disk{oneShot: true}} }
	feed := func(u *unit, states ...string) units.Status {
		for _, s := range states {
			u.run.unitProperties(map[string]dbus.Variant{"ActiveState": v(s), sinceOf(s): v(uint64(1e15))})
			u.run.serviceProperties(map[string]dbus.Variant{"Result": v("success")})
		}
		return u.status()
	}
	for name, c := range map[string]struct {
		states []string
		want   units.State
	}{
		"ended well":  {[]string{"activating", "inactive"}, units.Launched},
		"never ran":   {[]string{"inactive"}, units.Loaded},
		"stays":       {[]string{"activating", "active"}, units.Launched},
		"was stopped": {[]string{"activating", "active", "deactivating", "inactive"}, units.Loaded},
		"failed":      {[]string{"activating", "failed", "inactive"}, units.Loaded},
	} {
		if got := feed(oneShot(), c.states...).State(); got != c.want {
			t.Errorf("a one-shot that %s is %s", name, got)
		}
	}
	done := oneShot()
	done.mark.Done, done.mark.DoneAt = bootID(), time.Now()
	if done.status().State() != units.Launched {
		t.Error("a one-shot that was done is not")
	}
	done.mark.Done = "another boot"
	if done.status().State() != units.Loaded {
		t.Error("a one-shot of another boot is done")
	}
	killed := &unit{mark: mark{Name: "x.service"}}
	killed.run.serviceProperties(map[string]dbus.Variant{"ExecMainCode": v(int32(2)), "ExecMainStatus": v(int32(9)), "MainPID": v(uint32(0)), "Result": v("signal")})
	if s := killed.status(); s.Exit != 137 || s.Result != "signal" {
		t.Errorf("a killed process is %+v", s)
	}
	missing := &unit{disk: disk{missing: true}}
	if missing.status().State() != units.Inactive {
		t.Error("a missing unit is not inactive")
	}
}

// TestUnavailable: without systemd nothing is done, and the error says so.
func TestUnavailable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := New(Options{Address: "unix:path=" + dir + "/no-bus", Dir: dir + "/units", StateDir: dir + "/state"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Ping(t.Context()); !errors.Is(err, units.ErrUnavailable) || !strings.Contains(err.Error(), "no-bus") {
		t.Errorf("Ping gives %v", err)
	}
	if _, err := e.States(t.Context(), true); !errors.Is(err, units.ErrUnavailable) {
		t.Errorf("States gives %v", err)
	}
	e.Converge(t.Context(), []units.Target{{Name: "a.service", Want: units.Launched, Text: []byte("[Service]\n")}}, time.Minute, func(_ units.Target, r units.Result) {
		if !errors.Is(r.Err, units.ErrUnavailable) {
			t.Errorf("Converge reports %v", r.Err)
		}
	})
	if left, _ := os.ReadDir(dir + "/units"); len(left) != 0 {
		t.Errorf("files were placed: %v", left)
	}
	watching := make(chan error, 1)
	go func() { watching <- e.Watch(context.Background(), func(string) {}) }()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if err := <-watching; !errors.Is(err, units.ErrUnavailable) {
		t.Errorf("a closed engine ends Watch with %v", err)
	}
}

// TestFiles looks at files without any systemd.
func TestFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := &Engine{opts: Options{Dir: dir}, memory: newMemory()}
	k := mark{Name: "abide-no-such.service", DropIns: []string{"a.conf"}}
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if d := e.look(k, disk{}, false); !d.missing || d.digest != "" {
		t.Errorf("nothing there is %+v", d)
	}
	const text = "[Service]\nType=oneshot\nExecStart=/bin/true\n"
	write(k.Name, text)
	write(k.Name+".d/a.conf", "[Install]\nWantedBy=x.target\n")
	write(k.Name+".d/theirs.conf", "[Service]\n")
	write(k.Name+".d/README", "no drop-in")
	d := e.look(k, disk{}, false)
	want := units.Content([]byte(text), []units.DropIn{{Name: "a.conf", Text: []byte("[Install]\nWantedBy=x.target\n")}})
	if d.digest != want || d.missing || !d.oneShot || !d.installs || !slices.Equal(d.foreign, []string{"theirs.conf"}) {
		t.Errorf("the files are %+v", d)
	}
	if d.stamp != "" {
		t.Error("files that changed a moment ago are trusted not to change in the same tick")
	}
	path := filepath.Join(dir, k.Name)
	for what, replace := range map[string]func() error{
		"a mask":      func() error { return os.Symlink("/dev/null", path) },
		"a link":      func() error { return os.Symlink("/etc/passwd", path) },
		"a directory": func() error { return os.Mkdir(path, 0o755) },
		"a big file":  func() error { return os.WriteFile(path, make([]byte, maxFile+1), 0o644) },
	} {
		if err := os.RemoveAll(path); err != nil {
			t.Fatal(err)
		}
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		if d := e.look(k, disk{}, false); d.digest == want || d.missing || d.masked != (what == "a mask") {
			t.Errorf("%s in its place is %+v", what, d)
		}
		if err := notOurs(path, k.Name); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s of somebody else gives %v", what, err)
		}
	}
}
