package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// sound gives the bytes of a state file with a tree of some depth, with free
// pages, with an entry that overflows its page, and with small buckets.
func sound(t *testing.T) []byte {
	t.Helper()
	path := dbPath(t)
	b := mustOpen(t, path, Options{})
	ops := []Op{Put("big", make([]byte, 20_000))}
	for i := range 300 {
		ops = append(ops, Put(fmt.Sprintf("record/%04d", i), bytes.Repeat([]byte("v"), 200)))
	}
	mustCommit(t, b, ops...)
	for i := range 100 {
		mustCommit(t, b, Delete(fmt.Sprintf("record/%04d", 2*i)))
	}
	mustClose(t, b)
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

// TestDamagedFile opens files that are no sound state files: each is set aside
// as it is, and a fresh one works in its place, also over a restart.
func TestDamagedFile(t *testing.T) {
	t.Parallel()
	good := sound(t)
	page := os.Getpagesize()
	tests := map[string][]byte{
		"empty":               {},
		"one byte":            {0},
		"text":                []byte(strings.Repeat("not a database\n", 10_000)),
		"zeros":               make([]byte, 1<<20),
		"half a header":       good[:40],
		"one page":            good[:page],
		"two pages":           good[:2*page],
		"half":                good[:len(good)/2/page*page],
		"cut in a page":       good[:len(good)/2+100],
		"headers overwritten": append(bytes.Repeat([]byte{0xff}, 2*page), good[2*page:]...),
		"zeros after header":  append(bytes.Clone(good[:2*page]), make([]byte, len(good)-2*page)...),
		"a flipped bit":       flip(t, good, []byte("record/0299")),
		"another's bbolt":     foreign(t),
	}
	for name, data := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := dbPath(t)
			check(t, os.MkdirAll(filepath.Dir(path), 0o700))
			check(t, os.WriteFile(path, data, 0o600))
			var aside string
			var why error
			b := mustOpen(t, path, Options{Recovered: func(s string, err error) { aside, why = s, err }})
			if want := path + ".corrupt-20260102T120000Z"; b.Recovered() != want || aside != want || why == nil || b.Created() {
				t.Fatalf("recovered %q, told %q, %v; created %v", b.Recovered(), aside, why, b.Created())
			}
			if got, err := os.ReadFile(aside); err != nil || !bytes.Equal(got, data) {
				t.Errorf("the file set aside is not as it was (%v)", err)
			}
			mustClose(t, b)
			b = mustOpen(t, path, Options{})
			if b.Recovered() != aside {
				t.Errorf("before the first commit a restart forgets the file set aside: %q", b.Recovered())
			}
			mustCommit(t, b, Put("a", []byte("1")))
			mustClose(t, b)
			b = mustOpen(t, path, Options{})
			if b.Recovered() != "" {
				t.Errorf("after a commit it is still %q", b.Recovered())
			}
			wantValue(t, b, "a", "1")
		})
	}
}

// flip changes one bit of the value behind each copy of a key: the pages that
// are free by now hold old ones.
func flip(t *testing.T, data, key []byte) []byte {
	t.Helper()
	out := bytes.Clone(data)
	n := 0
	for at := 0; ; n++ {
		i := bytes.Index(out[at:], key)
		if i < 0 {
			break
		}
		at += i + len(key)
		out[at+valueHeader] ^= 1
	}
	if n == 0 {
		t.Fatalf("no %q in the file", key)
	}
	return out
}

func foreign(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := bolt.Open(path, 0o600, nil)
	check(t, err)
	check(t, db.Close())
	data, err := os.ReadFile(path)
	check(t, err)
	return data
}

// TestSetAsideTwice damages the file twice in the same second.
func TestSetAsideTwice(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	for _, want := range []string{"", "-2", "-3"} {
		check(t, os.WriteFile(path, []byte("x"), 0o600))
		b := mustOpen(t, path, Options{})
		if !strings.HasSuffix(b.Recovered(), "Z"+want) {
			t.Errorf("set aside as %q, want the ending %q", b.Recovered(), want)
		}
		mustClose(t, b)
	}
}

// TestTornHeader sees that a file with one bad header page is as good as ever:
// that is how a power cut leaves it.
func TestTornHeader(t *testing.T) {
	t.Parallel()
	good := sound(t)
	for n := range 2 {
		data := bytes.Clone(good)
		copy(data[n*os.Getpagesize():], make([]byte, 100))
		path := dbPath(t)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, data, 0o600))
		b := mustOpen(t, path, Options{})
		if b.Recovered() != "" {
			t.Errorf("header %d torn: set aside as %s", n, b.Recovered())
		}
		wantValue(t, b, "record/0299", strings.Repeat("v", 200))
	}
}

// TestDamageAnywhere damages the file in one place at a time. Whatever that
// does, nothing panics or hangs, and what is read is what was written.
func TestDamageAnywhere(t *testing.T) {
	t.Parallel()
	good := sound(t)
	page := os.Getpagesize()
	path := dbPath(t)
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	damages := []func([]byte){
		func(p []byte) { clear(p[:16]) },
		func(p []byte) { p[0] ^= 1 },                                    // another id
		func(p []byte) { p[8] ^= 3 },                                    // another kind
		func(p []byte) { p[10] ^= 0x40 },                                // another count
		func(p []byte) { p[12] = 1 },                                    // it overflows
		func(p []byte) { copy(p[16:], bytes.Repeat([]byte{0xff}, 64)) }, // other elements
		func(p []byte) { p[24]++ },
		func(p []byte) { p[page-1] ^= 0x80 },
	}
	caught := 0
	for at := 0; at < len(good); at += page {
		for i, damage := range damages {
			data := bytes.Clone(good)
			damage(data[at : at+page])
			check(t, os.WriteFile(path, data, 0o600))
			b, err := Open(path, Options{Now: noon})
			if err != nil {
				t.Fatalf("page %d, damage %d: %v", at/page, i, err)
			}
			if b.Recovered() != "" {
				caught++
				check(t, os.Remove(b.Recovered()))
			} else {
				for _, e := range list(t, b, "record/") {
					if string(e.Value) != strings.Repeat("v", 200) {
						t.Errorf("page %d, damage %d: read %q", at/page, i, e.Value)
					}
				}
				mustCommit(t, b, Put("new", nil))
			}
			mustClose(t, b)
		}
	}
	t.Logf("%d of %d damages were caught at Open; the others are in free pages", caught, len(good)/page*len(damages))
	if caught < 100 {
		t.Error("hardly any damage was caught")
	}
}

// TestDamageWhileOpen cuts the file off below an open store. Calls fail with a
// CorruptError, and the next Open sets the file aside.
func TestDamageWhileOpen(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, sound(t), 0o600))
	b := mustOpen(t, path, Options{})
	check(t, os.Truncate(path, int64(2*os.Getpagesize())))
	_, errGet := b.Get(t.Context(), "record/0299")
	_, _, errList := b.List(t.Context(), "", "", 0)
	_, errCommit := b.Commit(t.Context(), Put("record/0299", nil))
	_, errAgain := b.Commit(t.Context(), Put("record/0299", nil))
	_, errGetAgain := b.Get(t.Context(), "record/0299")
	for i, err := range []error{errGet, errList, errCommit, errAgain, errGetAgain} {
		if _, ok := errors.AsType[*CorruptError](err); !ok {
			t.Errorf("call %d: %v, want a CorruptError", i, err)
		}
	}
	mustClose(t, b)
	b = mustOpen(t, path, Options{})
	if b.Recovered() == "" {
		t.Error("the file was not set aside")
	}
	mustCommit(t, b, Put("a", nil))
}

// TestHeals puts the file right again below a store that has found it damaged.
func TestHeals(t *testing.T) {
	t.Parallel()
	path, good := dbPath(t), sound(t)
	check(t, os.MkdirAll(filepath.Dir(path), 0o700))
	check(t, os.WriteFile(path, good, 0o600))
	b := mustOpen(t, path, Options{})
	check(t, os.Truncate(path, 0))
	if _, err := b.Commit(t.Context(), Put("a", nil)); err == nil {
		t.Fatal("a commit to an empty file succeeded")
	}
	check(t, os.WriteFile(path, good, 0o600))
	mustCommit(t, b, Put("a", []byte("1")))
	wantValue(t, b, "a", "1")
}

// FuzzOpen overwrites a part of a sound file. Whatever that makes of it, Open
// gives a store that works.
func FuzzOpen(f *testing.F) {
	f.Add(uint32(0), []byte("x"))
	f.Add(uint32(3*4096), make([]byte, 4096))
	f.Add(uint32(5*4096+8), []byte{1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	var good []byte
	f.Fuzz(func(t *testing.T, at uint32, patch []byte) {
		if good == nil {
			good = sound(t)
		}
		data := bytes.Clone(good)
		copy(data[int(at)%len(data):], patch)
		path := dbPath(t)
		check(t, os.MkdirAll(filepath.Dir(path), 0o700))
		check(t, os.WriteFile(path, data, 0o600))
		b := mustOpen(t, path, Options{})
		list(t, b, "")
		mustCommit(t, b, Put("new", nil))
		mustClose(t, b)
	})
}
