package testimage

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAppletsAreWhatTheShellImplements(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "run", shellPackage, "--list").Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Fields(string(out)), applets); diff != "" {
		t.Errorf("the shell's commands (-) are not the image's links (+):\n%s", diff)
	}
}

func TestRootOfEachVariant(t *testing.T) {
	t.Parallel()
	for _, homes := range []bool{true, false} {
		var buf bytes.Buffer
		if err := writeRoot(&buf, homes, []byte("binary")); err != nil {
			t.Fatal(err)
		}
		seen := map[string]byte{}
		for tr := tar.NewReader(&buf); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			seen[h.Name] = h.Typeflag
		}
		if _, ok := seen["root/"]; ok != homes {
			t.Errorf("homes %v: /root present: %v", homes, ok)
		}
		if seen["bin/sh"] != tar.TypeSymlink {
			t.Errorf("homes %v: /bin/sh is %q, want a link", homes, seen["bin/sh"])
		}
	}
}

func TestEnsureTwiceGivesTheSameNames(t *testing.T) {
	t.Parallel()
	first := Require(t)
	second, err := Ensure(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second); diff != "" {
		t.Error(diff)
	}
	for name, ref := range first.All() {
		if !strings.HasPrefix(ref, Repository+":"+name+"-") {
			t.Errorf("variant %s is called %s", name, ref)
		}
	}
}
