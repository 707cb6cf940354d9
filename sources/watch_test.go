package sources

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestQuietWaitsForTheEndOfABurstButNotForEver(t *testing.T) {
	t.Parallel()
	var q quiet
	begin := time.Unix(100, 0)
	for _, c := range []struct{ at, want time.Duration }{
		{0, 100 * time.Millisecond},
		{90 * time.Millisecond, 100 * time.Millisecond},
		{950 * time.Millisecond, 50 * time.Millisecond},
		{1100 * time.Millisecond, 0},
	} {
		if got := q.event(begin.Add(c.at), 100*time.Millisecond, time.Second); got != c.want {
			t.Errorf("after %v: wait %v, want %v", c.at, got, c.want)
		}
	}
	q.reset()
	if got := q.event(begin.Add(time.Hour), 100*time.Millisecond, time.Second); got != 100*time.Millisecond {
		t.Errorf("a new burst waits %v", got)
	}
}

func TestJitterStaysWithinTenPercent(t *testing.T) {
	t.Parallel()
	for r, want := range map[float64]time.Duration{0: 27 * time.Second, 0.5: 30 * time.Second, 0.75: 31500 * time.Millisecond} {
		if got := jitter(30*time.Second, func() float64 { return r }); got != want {
			t.Errorf("jitter at %v is %v, want %v", r, got, want)
		}
	}
	for range 1000 {
		if d := jitter(30*time.Second, nil); d < 27*time.Second || d > 33*time.Second {
			t.Fatalf("jitter gives %v", d)
		}
	}
}

// TestPollWithoutEvents is what happens where the system grants no watcher.
func TestPollWithoutEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began, hints := time.Now(), 0
		w := &watcher{every: func() time.Duration { return time.Minute }, after: time.After, note: func(string) {}}
		err := w.poll(ctx, func() {
			if hints++; hints == 4 {
				cancel()
			}
		})
		if took := time.Since(began); err != nil || hints != 4 || took != 3*slowPoll {
			t.Errorf("%d hints in %v, %v", hints, took, err)
		}
	})
}

func TestRemotePollKeepsItsInterval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g, err := NewGit(GitOptions{URL: "https://git.example.org/app", Dir: t.TempDir(), Interval: 10 * time.Second, Rand: func() float64 { return 1 }})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 35*time.Second)
		defer cancel()
		var at []string
		began := time.Now()
		if err := g.Run(ctx, func() { at = append(at, time.Since(began).String()) }); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(at); got != "[11s 22s 33s]" {
			t.Errorf("hints at %v", got)
		}
	})
}

func TestWhatMatters(t *testing.T) {
	t.Parallel()
	g, err := NewGit(GitOptions{URL: "/srv/x/repo"})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDir(DirOptions{Path: "/srv/x/dir"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		"/srv/x/repo/.git/HEAD": true, "/srv/x/repo/.git/packed-refs": true, "/srv/x/repo/.git/refs/heads/main": true,
		"/srv/x/repo/.git/refs/heads/feature/deep": true, "/srv/x/repo": true, "/srv/x": true, "/srv/x/repo/.git": true,
		"/srv/x/repo/.git/refs/heads/main.lock": false, "/srv/x/repo/.git/index": false, "/srv/x/repo/.git/HEAD.lock": false,
		"/srv/x/repo/.git/objects": false, "/srv/x/other": false, "/srv/x/repo/.git/COMMIT_EDITMSG": false,
	} {
		if got := g.matters(name); got != want {
			t.Errorf("Git: %s: %v", name, got)
		}
	}
	for name, want := range map[string]bool{
		"/srv/x/dir": true, "/srv/x": true, "/srv/x/dir/a.yaml": true, "/srv/x/dir/d/b": true,
		"/srv/x/other": false, "/srv/x/dir2": false, "/srv/x/dir/.a.yaml.swp": false, "/srv/x/dir/a.yaml~": false, "/srv/x/dir/4913": false,
		"/srv/x/dir/.git/index": false, "/srv/x/dir/#a#": false, "/srv/x/dir/.#a": false,
	} {
		if got := d.matters(name); got != want {
			t.Errorf("Dir: %s: %v", name, got)
		}
	}
}

// TestWatchLimit drives the watcher into the system's limit, which a fake
// directory that cannot be watched stands in for.
func TestWatchLimitIsNotedOnce(t *testing.T) {
	t.Parallel()
	var notes []string
	w := &watcher{every: func() time.Duration { return time.Minute }, note: func(s string) { notes = append(notes, s) }, what: "/srv/dir"}
	s := &watchState{w: w, add: func(string) error { return &os.PathError{Op: "inotify_add_watch", Err: errNoSpace} }}
	for range 3 {
		s.arm(func(yield func(string) bool) {
			if yield("/a") {
				t.Error("goes on at the limit")
			}
		})
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "max_user_watches") || s.interval() != slowPoll {
		t.Errorf("notes %q, interval %v", notes, s.interval())
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := nearest(filepath.Join(dir, "a", "b", "c")); got != dir {
		t.Errorf("nearest is %s, want %s", got, dir)
	}
}
