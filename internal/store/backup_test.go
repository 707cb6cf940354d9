package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var withBackup = Options{BackupPrefixes: []string{"owner/", "hold/", "owner/a"}, Now: noon}

func TestBackup(t *testing.T) {
	t.Parallel()
	path := dbPath(t)
	b := mustOpen(t, path, withBackup)
	mustCommit(t, b, Put("record/a", []byte("not backed up")))
	if _, err := LoadBackup(BackupPath(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("there is a backup of nothing: %v", err)
	}
	mustCommit(t, b, Put("owner/a", []byte("1")), Put("record/b", nil))
	mustCommit(t, b, Put("hold/\xff", []byte{0, 0xff}))
	mustCommit(t, b, Put("owner/b", []byte("1")))
	wantBackup(t, path,
		Entry{Key: "hold/\xff", Value: []byte{0, 0xff}, Revision: 3},
		Entry{Key: "owner/a", Value: []byte("1"), Revision: 2},
		Entry{Key: "owner/b", Value: []byte("1"), Revision: 4})
	mustCommit(t, b, Delete("owner/a"))
	mustCommit(t, b, Delete("owner/b"), Delete("hold/\xff"))
	wantBackup(t, path)
}

// TestBackupAtOpen sees that opening brings the backup in line with the state.
func TestBackupAtOpen(t *testing.T) {
	t.Parallel()
	owner := Entry{Key: "owner/a", Value: []byte("1"), Revision: 1}
	tests := map[string]func(t *testing.T, bak string){
		"as it should be": func(*testing.T, string) {},
		"missing":         func(t *testing.T, bak string) { check(t, os.Remove(bak)) },
		"damaged":         func(t *testing.T, bak string) { check(t, os.Truncate(bak, 10)) },
		"behind": func(t *testing.T, bak string) {
			old, err := loadDump(bak)
			check(t, err)
			old.entries = nil
			check(t, os.WriteFile(bak, encode(t, old), 0o600))
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := dbPath(t)
			b := mustOpen(t, path, withBackup)
			mustCommit(t, b, Put(owner.Key, owner.Value))
			mustClose(t, b)
			change(t, BackupPath(path))
			mustClose(t, mustOpen(t, path, withBackup))
			wantBackup(t, path, owner)
		})
	}
}

func encode(t *testing.T, d dump) []byte {
	t.Helper()
	var buf bytes.Buffer
	check(t, d.write(&buf))
	return buf.Bytes()
}

// TestRestore loses the state, by damage or altogether, and restores what has a
// backup, also when the agent dies before it comes to that.
func TestRestore(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T, path string){
		"damaged": func(t *testing.T, path string) { check(t, os.WriteFile(path, []byte("x"), 0o600)) },
		"lost":    func(t *testing.T, path string) { check(t, os.Remove(path)) },
	}
	for name, lose := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := dbPath(t)
			b := mustOpen(t, path, withBackup)
			mustCommit(t, b, Put("owner/a", []byte("1")))
			mustCommit(t, b, Put("owner/b", []byte("2")), Put("record/a", nil))
			mustClose(t, b)

			lose(t, path)
			mustClose(t, mustOpen(t, path, withBackup)) // dies at once
			b = mustOpen(t, path, withBackup)
			if b.Created() == (b.Recovered() != "") {
				t.Errorf("created %v, recovered %q", b.Created(), b.Recovered())
			}
			n, err := b.Restore(t.Context(), Put("hold/repo", []byte("the state was lost")))
			if err != nil || n != 2 {
				t.Fatalf("Restore = %d, %v", n, err)
			}
			want := []Entry{
				{Key: "hold/repo", Value: []byte("the state was lost"), Revision: 3},
				{Key: "owner/a", Value: []byte("1"), Revision: 3},
				{Key: "owner/b", Value: []byte("2"), Revision: 3},
			}
			if diff := cmp.Diff(want, list(t, b, "")); diff != "" {
				t.Errorf("restored, -want +got:\n%s", diff)
			}
			wantBackup(t, path, want...)
			if unused, _ := filepath.Glob(path + ".bak.*"); len(unused) > 0 {
				t.Errorf("a backup that was restored is kept as %v", unused)
			}
		})
	}
}

func TestRestoreNothing(t *testing.T) {
	t.Parallel()
	b := mustOpen(t, dbPath(t), withBackup)
	if n, err := b.Restore(t.Context(), Put("hold/a", nil)); n != 0 || err != nil {
		t.Errorf("Restore without a backup = %d, %v", n, err)
	}
	wantValue(t, b, "hold/a", "")
}

// TestBackupNotRestored sees that a backup which nobody has restored, or could,
// is moved aside before another one takes its name.
func TestBackupNotRestored(t *testing.T) {
	t.Parallel()
	for _, damaged := range []bool{false, true} {
		path := dbPath(t)
		b := mustOpen(t, path, withBackup)
		mustCommit(t, b, Put("owner/a", []byte("1")))
		mustClose(t, b)
		check(t, os.Remove(path))
		if damaged {
			check(t, os.Truncate(BackupPath(path), 100))
		}
		before, err := os.ReadFile(BackupPath(path))
		check(t, err)

		b = mustOpen(t, path, withBackup)
		if damaged {
			if _, err := b.Restore(t.Context()); err == nil || !strings.Contains(err.Error(), "cannot be used: line 1") {
				t.Errorf("Restore of a damaged backup: %v", err)
			}
		}
		mustCommit(t, b, Put("owner/b", []byte("2")))
		mustCommit(t, b, Put("owner/c", []byte("3")))
		wantBackup(t, path,
			Entry{Key: "owner/b", Value: []byte("2"), Revision: 1},
			Entry{Key: "owner/c", Value: []byte("3"), Revision: 2})
		after, err := os.ReadFile(BackupPath(path) + ".unused-20260102T120000Z")
		check(t, err)
		if !bytes.Equal(before, after) {
			t.Errorf("the unused backup is %q, want %q", after, before)
		}
	}
}

func TestExportImport(t *testing.T) {
	t.Parallel()
	from := mustOpen(t, dbPath(t), Options{})
	for i := range 50 {
		mustCommit(t, from, Put(strings.Repeat("k", i+1), bytes.Repeat([]byte{byte(i)}, i)))
	}
	var buf bytes.Buffer
	check(t, from.Export(t.Context(), &buf))

	to := mustOpen(t, dbPath(t), withBackup)
	mustCommit(t, to, Put("other", []byte("stays")), Put("k", []byte("goes")))
	if n, err := to.Import(t.Context(), bytes.NewReader(buf.Bytes())); n != 50 || err != nil {
		t.Fatalf("Import = %d, %v", n, err)
	}
	if diff := cmp.Diff(list(t, from, "k"), list(t, to, "k"), cmpopts.IgnoreFields(Entry{}, "Revision")); diff != "" {
		t.Errorf("imported, -want +got:\n%s", diff)
	}
	wantValue(t, to, "other", "stays")
	if rev := mustCommit(t, to, Put("a", nil)); rev != 52 {
		t.Errorf("the revision after the import is %d, want 52: beyond that of the export", rev)
	}

	_, err := to.Import(t.Context(), bytes.NewReader(buf.Bytes()[:buf.Len()/2]))
	if err == nil || !strings.Contains(err.Error(), "nothing was imported") {
		t.Errorf("half an export: %v", err)
	}
}

func TestReadDump(t *testing.T) {
	t.Parallel()
	good := string(encode(t, dump{
		dumpHeader: dumpHeader{State: "S", Revision: 9},
		entries:    []Entry{{Key: "a", Value: []byte("one"), Revision: 1}, {Key: "b", Value: []byte("two"), Revision: 2}},
	}))
	lines := strings.SplitAfter(good, "\n")
	replace := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q in %s", old, good)
		}
		return strings.Replace(good, old, new, 1)
	}
	tests := []struct {
		name, text, want string
	}{
		{"good", good, ""},
		{"without the last newline", strings.TrimSuffix(good, "\n"), ""},
		{"empty", "", "line 1: the file ends too early"},
		{"another file", "hello\n", "line 1: this is no export"},
		{"another JSON", "{}\n", "line 1: this is no export"},
		{"newer", replace(`"version":1`, `"version":2`), "line 1: the file has version 2"},
		{"cut off in a line", good[:len(lines[0])+10], "line 2: the line is damaged"},
		{"cut off at a line", lines[0] + lines[1], "line 3: the file ends too early"},
		{"no end", lines[0] + lines[1] + lines[2], "line 4: the file ends too early"},
		{"a line is missing", lines[0] + lines[2] + lines[3], "line 3: the checksum"},
		{"a line twice", lines[0] + lines[1] + lines[1] + lines[2] + lines[3], `line 3: the key "a" is not in its place`},
		{"order", lines[0] + lines[2] + lines[1] + lines[3], "not in its place"},
		{"a value changed", replace("b25l", "b25m"), "line 4: the checksum"},
		{"the header changed", replace(`"revision":9`, `"revision":8`), "line 4: the checksum"},
		{"the end changed", replace(`"entries":2`, `"entries":3`), "line 4: the checksum"},
		{"a broken end", replace(`{"entries":2`, `{"entries":x`), "line 4: the last line is damaged"},
		{"no key", replace(`"key":"a"`, `"k":"a"`), "line 2: the line has no key"},
		{"two keys", replace(`"key":"a"`, `"key":"a","key_base64":"YQ=="`), "line 2: the line has no key, or two"},
		{"something more", good + "{}\n", "line 5: something follows"},
		{"a line without end", lines[0] + strings.Repeat("x", maxDumpLine), "line 2: bufio.Scanner: token too long"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d, err := readDump(strings.NewReader(tt.text))
			switch {
			case tt.want == "" && (err != nil || len(d.entries) != 2 || d.Revision != 9):
				t.Errorf("got %+v, %v", d, err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want) && !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadDumpFails(t *testing.T) {
	t.Parallel()
	if _, err := readDump(brokenReader{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

// FuzzReadDump reads anything. What is accepted can be written and read again,
// and is the same then.
func FuzzReadDump(f *testing.F) {
	for _, d := range []dump{
		{},
		{dumpHeader: dumpHeader{State: "S", Revision: 1, Prefixes: []string{"owner/"}}},
		{entries: []Entry{{Key: "a", Value: []byte("1"), Revision: 1}, {Key: "b\xff", Revision: 2}}},
	} {
		var buf bytes.Buffer
		if err := d.write(&buf); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		first, err := readDump(bytes.NewReader(data))
		if err != nil {
			return
		}
		second, err := readDump(bytes.NewReader(encode(t, first)))
		check(t, err)
		if diff := cmp.Diff(first, second, cmp.AllowUnexported(dump{}), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("read again, -want +got:\n%s", diff)
		}
	})
}

// TestBackupAfterFailure: a backup holds what was written, also where a write
// before it failed and its revision was given anew.
func TestBackupAfterFailure(t *testing.T) {
	t.Parallel()
	path, refuse := dbPath(t), false
	b := mustOpen(t, path, Options{BackupPrefixes: []string{"owner/"}, step: func(name string) error {
		if refuse && name == "store.before-commit" {
			return errors.New("no room")
		}
		return nil
	}})
	mustCommit(t, b, Put("owner/a", []byte("1")), Put("owner/b", []byte("1")))
	refuse = true
	if _, err := b.Commit(t.Context(), Put("owner/a", []byte("lost"))); err == nil {
		t.Fatal("a write that was refused gives no error")
	}
	refuse = false
	for _, value := range []string{"2", "3"} {
		mustCommit(t, b, Put("owner/a", []byte(value)))
		entries, err := LoadBackup(BackupPath(path))
		check(t, err)
		if len(entries) != 2 || string(entries[0].Value) != value || string(entries[1].Value) != "1" {
			t.Errorf("the backup holds %+v", entries)
		}
	}
}
