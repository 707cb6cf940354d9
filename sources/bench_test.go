package sources_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/gitrepo"
	"github.com/abide-agent/abide/sources"
)

// walk visits every name of a tree.
func walk(b *testing.B, s *sources.Snapshot) (n int) {
	check(b, fs.WalkDir(s.Tree, ".", func(_ string, _ fs.DirEntry, err error) error {
		n++
		return err
	}))
	return n
}

// BenchmarkSnapshot10kFiles is a snapshot and a walk over its names after a
// commit of one file, in a packed repository of 10,000.
func BenchmarkSnapshot10kFiles(b *testing.B) {
	r := gitrepo.New(b)
	for i := range 10_000 {
		r.Put(fmt.Sprintf("dir%03d/file%05d", i%100, i), fmt.Sprint(i))
	}
	r.Commit("all")
	r.Pack()
	g := newGit(b, sources.GitOptions{URL: r.Dir})
	walk(b, snap(b, g))
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		r.Put("dir042/changing", fmt.Sprint(n))
		r.Commit("one file")
		b.StartTimer()
		if walk(b, snap(b, g)) != 10_102 {
			b.Fatal("names are missing")
		}
	}
}

// BenchmarkFirstSnapshot10kFiles is the same from nothing, as a start does it.
func BenchmarkFirstSnapshot10kFiles(b *testing.B) {
	r := gitrepo.New(b)
	for i := range 10_000 {
		r.Put(fmt.Sprintf("dir%03d/file%05d", i%100, i), fmt.Sprint(i))
	}
	r.Commit("all")
	r.Pack()
	for b.Loop() {
		g, err := sources.NewGit(sources.GitOptions{URL: r.Dir})
		check(b, err)
		walk(b, snap(b, g))
		check(b, g.Close())
	}
}

// BenchmarkSnapshotUnchanged is what a poll of a repository on this machine costs.
func BenchmarkSnapshotUnchanged(b *testing.B) {
	r := gitrepo.New(b)
	r.Put("a", "1")
	r.Commit("one")
	g := newGit(b, sources.GitOptions{URL: r.Dir})
	for b.Loop() {
		snap(b, g)
	}
}

// BenchmarkDirRescan is a full scan of 10,000 files of which none has changed.
func BenchmarkDirRescan(b *testing.B) {
	dir := b.TempDir()
	for i := range 10_000 {
		write(b, filepath.Join(dir, fmt.Sprintf("dir%03d/file%05d", i%100, i)), fmt.Sprint(i))
	}
	later := time.Now().Add(time.Hour)
	d := newDir(b, sources.DirOptions{Path: dir, Now: func() time.Time { return later }})
	snap(b, d)
	for b.Loop() {
		snap(b, d)
	}
}

// hintTimes measures from the end of a change to the hint that it causes.
func hintTimes(b *testing.B, s sources.Source, change func(n int)) {
	hint := make(chan time.Time, 100)
	ctx, done := b.Context(), make(chan error, 1)
	go func() { done <- s.Run(ctx, func() { hint <- time.Now() }) }()
	<-hint
	var took []time.Duration
	for n := range b.N {
		change(n)
		began := time.Now()
		took = append(took, (<-hint).Sub(began))
		for quiet := false; !quiet; { // what is left of the burst
			select {
			case <-hint:
			case <-time.After(50 * time.Millisecond):
				quiet = true
			}
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCommitToHint is the time from a moved ref to the hint.
func BenchmarkCommitToHint(b *testing.B) {
	r := gitrepo.New(b)
	r.Put("a", "1")
	r.Commit("one")
	hintTimes(b, newGit(b, sources.GitOptions{URL: r.Dir}), func(n int) {
		r.Put("a", fmt.Sprint("change ", n))
		r.Commit("change")
	})
}

// BenchmarkDropToHint is the time from a dropped file to the hint, with the
// default settle time of 100 ms.
func BenchmarkDropToHint(b *testing.B) {
	dir := b.TempDir()
	hintTimes(b, newDir(b, sources.DirOptions{Path: dir}), func(n int) {
		check(b, os.WriteFile(filepath.Join(dir, fmt.Sprint("f", n)), []byte("x"), 0o644))
	})
}
