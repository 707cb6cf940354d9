package settings

import (
	"strings"
	"testing"
)

// FuzzDecode feeds the file reader anything: it must end, report places inside
// the file, and never show a password.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "grace: 1s\n", "sources: [{git: 'https://u:hunter2@h/x', policy: {host_executor: true}}]",
		"a: &a [*a]", "docker: &d {host: *d}", "labels: {a: b}", "- - -", "tokens: [{name: x, role: read}]", "\x00", "<<: *x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s := Default()
		r := &reading{file: "F"}
		r.decode(data, &s)
		faults := append(r.faults, finish(&s)...)
		lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + strings.Count(string(data), "\u0085") + 1
		for _, p := range faults {
			if p.Line > lines+1 || p.Message == "" {
				t.Errorf("a fault outside the file of %d lines: %+v", lines, p)
			}
		}
		if faults.Err() == nil {
			for _, src := range s.Sources {
				if src.Name == "" || plainName(src.Name) != src.Name {
					t.Errorf("source name %q", src.Name)
				}
			}
		}
	})
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"30d", "1d12h", "5m", "-1s", "d", "9999999h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, v string) {
		if d, err := parseDuration(v); err == nil && d < 0 {
			t.Errorf("%q is %v", v, d)
		}
		if n, err := parseSize(v); err == nil && n < 0 {
			t.Errorf("%q is %v", v, n)
		}
	})
}
