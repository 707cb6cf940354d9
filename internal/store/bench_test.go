package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/abide-agent/abide/internal/store"
)

// record is as long as the record of a resource.
var record = make([]byte, 512)

func openBench(b *testing.B) *store.Bolt {
	b.Helper()
	s, err := store.Open(filepath.Join(b.TempDir(), "abide.db"), store.Options{BackupPrefixes: []string{"owner/"}})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

// BenchmarkFloorAppendSync is what the disk allows: one append and one fsync.
func BenchmarkFloorAppendSync(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for b.Loop() {
		if _, err := f.Write(record); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitLone is one caller that waits for each commit.
func BenchmarkCommitLone(b *testing.B) {
	s := openBench(b)
	for i := 0; b.Loop(); i++ {
		if _, err := s.Commit(b.Context(), store.Put(fmt.Sprintf("record/%04d", i%1000), record)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitBackup is a commit that rewrites the backup of 100 entries.
func BenchmarkCommitBackup(b *testing.B) {
	s := openBench(b)
	for i := 0; b.Loop(); i++ {
		if _, err := s.Commit(b.Context(), store.Put(fmt.Sprintf("owner/%04d", i%100), record)); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommitParallel is 64 callers at the same time.
func BenchmarkCommitParallel(b *testing.B) {
	s := openBench(b)
	var n atomic.Int64
	b.SetParallelism((64 + runtime.GOMAXPROCS(0) - 1) / runtime.GOMAXPROCS(0))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Commit(b.Context(), store.Put(fmt.Sprintf("record/%04d", n.Add(1)%1000), record)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "commits/s")
}

// BenchmarkList reads 1,000 records.
func BenchmarkList(b *testing.B) {
	s := openBench(b)
	fillBench(b, s, 1000)
	for b.Loop() {
		if got, _, err := s.List(b.Context(), "record/", "", 0); err != nil || len(got) != 1000 {
			b.Fatal(len(got), err)
		}
	}
}

// BenchmarkOpen opens, and so checks, a state of 20,000 records.
func BenchmarkOpen(b *testing.B) {
	s := openBench(b)
	fillBench(b, s, 20_000)
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		s, err := store.Open(s.Path(), store.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func fillBench(b *testing.B, s store.Store, n int) {
	b.Helper()
	ops := make([]store.Op, n)
	for i := range ops {
		ops[i] = store.Put(fmt.Sprintf("record/%06d", i), record)
	}
	if _, err := s.Commit(b.Context(), ops...); err != nil {
		b.Fatal(err)
	}
}
