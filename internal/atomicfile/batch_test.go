package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestCommitAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.Mkdir(other, 0o755); err != nil {
		t.Fatal(err)
	}
	var files []*File
	for i := range 40 {
		f, err := Create(filepath.Join([]string{dir, other}[i%2], fmt.Sprint(i)), 0o644)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(f, i)
		files = append(files, f)
	}
	files[7].Abort()
	for i, err := range CommitAll(files) {
		if i == 7 {
			if !errors.Is(err, os.ErrClosed) {
				t.Errorf("a file that was given up gives %v", err)
			}
			continue
		}
		text, _ := os.ReadFile(files[i].path)
		if err != nil || string(text) != fmt.Sprint(i) {
			t.Errorf("file %d holds %q (%v)", i, text, err)
		}
	}
	left, _ := filepath.Glob(filepath.Join(dir, ".*"))
	if len(left) != 0 {
		t.Errorf("temporary files are left: %v", left)
	}
}
