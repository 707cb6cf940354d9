package sources

import (
	"bytes"
	"testing"
)

func FuzzReadRef(f *testing.F) {
	for _, s := range []string{
		"", "0000", "003d1111111111111111111111111111111111111111 refs/heads/main\n0000",
		"0040unborn HEAD symref-target:refs/heads/main\n0000", "0008ERR \n", "0001", "fff0", "0004",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		h, found, err := readRef(bytes.NewReader(answer), "refs/heads/main")
		if found && (err != nil || h.IsZero() && !bytes.Contains(answer, []byte("0000000000000000000000000000000000000000")) ||
			!bytes.Contains(bytes.ToLower(answer), []byte(h.String()+" refs/heads/main"))) {
			t.Errorf("%q gives %s, %v", answer, h, err)
		}
	})
}
