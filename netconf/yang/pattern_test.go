package yang

import (
	"regexp"
	"strings"
	"testing"
)

func TestPatterns(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern  string
		yes, no  string // values, separated by blanks; _ is the empty one
		failsFor string // why it can't be evaluated
	}{
		{pattern: ``, yes: `_`, no: `a`},
		{pattern: `abc`, yes: `abc`, no: `abcd xabc ab`},
		{pattern: `a|b`, yes: `a b`, no: `ab ax xb`},
		{pattern: `^a$`, yes: `^a$`, no: `a`},
		{pattern: `a.c`, yes: `abc a:c aäc`, no: "ac a\nc"},
		{pattern: `[a-z-[aeiou]]+`, yes: `xyz`, no: `xaz _`},
		{pattern: `[\w-[\d]]*`, yes: `ab_ä _`, no: `a1 a-b`},
		{pattern: `\W+`, yes: `-.`, no: `a`},
		{pattern: `[^a-c-[x]]`, yes: `d`, no: `a x`},
		{pattern: `[-a]+[b-]`, yes: `-a- ab`, no: `b`},
		{pattern: `[a\-z\]]+`, yes: `a-z]`, no: `b`},
		{pattern: `\i\c*`, yes: `a x:b-c.1 é`, no: `1a -a _`},
		{pattern: `\I\C`, yes: `1!`, no: `a! 1a`},
		{pattern: `[\i-[:]][\c-[:]]*`, yes: `a-1`, no: `:a a:b`},
		{pattern: `\d{1,3}`, yes: `1 123 ٣`, no: `1234 a`},
		{pattern: `\s\S`, yes: ``, no: `a`},
		{pattern: `\p{Lu}\P{L}`, yes: `A1 Ä-`, no: `a1 AA`},
		{pattern: `[\p{IsBasicLatin}]*`, yes: `abc`, no: `ä`},
		{pattern: `[ab]{0,1500}c`, yes: `c abc`, no: `ab`},
		{pattern: `([0-9]{3}){500}`, yes: strings.Repeat("1", 1500), no: `111`},
		{pattern: `a{2,}`, yes: `aa aaaa`, no: `a`},
		{pattern: `a{0}b`, yes: `b`, no: `ab`},
		{pattern: `(a{2}){0}b`, yes: `b`, no: `aab`},
		{pattern: `(a|b)*c?`, yes: `_ abab abc`, no: `cc`},
		{pattern: `\.\*\\`, yes: `.*\`, no: `a`},
		{pattern: `}]`, yes: `}]`, no: `}`},
		{pattern: `(a{1000}){1000}`, failsFor: "repeats too much"},
		{pattern: `a{3,2}`, failsFor: "no count"},
		{pattern: `a{x}`, failsFor: "no count"},
		{pattern: `*a`, failsFor: "repeats nothing"},
		{pattern: `(?:a)`, failsFor: "repeats nothing"},
		{pattern: `(a`, failsFor: "not closed"},
		{pattern: `a)`, failsFor: "no counterpart"},
		{pattern: `[a`, failsFor: "not closed"},
		{pattern: `[]`, failsFor: "empty"},
		{pattern: `[z-a]`, failsFor: "invalid character class range"},
		{pattern: `[a-\d]`, failsFor: "ends with a class"},
		{pattern: `[a-[a]]`, failsFor: "nothing is left"},
		{pattern: `\1`, failsFor: "no meaning"},
		{pattern: `\`, failsFor: "ends with a backslash"},
		{pattern: `\p{Xx}`, failsFor: "not known"},
		{pattern: `\pL`, failsFor: "names no category"},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			t.Parallel()
			text, _, err := translate(c.pattern)
			var re *regexp.Regexp
			if err == nil {
				re, err = regexp.Compile(text)
			}
			if c.failsFor != "" {
				if err == nil || !strings.Contains(err.Error(), c.failsFor) {
					t.Errorf("%v, want: %s", err, c.failsFor)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range []struct {
				values string
				want   bool
			}{{c.yes, true}, {c.no, false}} {
				for _, value := range strings.Split(list.values, " ") {
					if value == "" {
						continue
					}
					if value == "_" {
						value = ""
					}
					if re.MatchString(value) != list.want {
						t.Errorf("%q and %q: want %v", c.pattern, value, list.want)
					}
				}
			}
		})
	}
}

// FuzzPattern looks for expressions whose translation package regexp refuses
// for another reason than a range that descends, or that grow too large.
func FuzzPattern(f *testing.F) {
	f.Add(`[a-z-[aeiou]]{2,1500}\p{L}|(\i\c*)?[^\d\-.]`, "abc")
	f.Add(`(([0-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-5])\.){3}([0-9]|25[0-5])(%[\p{N}\p{L}]+)?`, "127.0.0.1")
	f.Fuzz(func(t *testing.T, pattern, value string) {
		text, size, err := translate(pattern)
		if err != nil {
			return
		}
		if size > maxProgram || len(text) > 4<<20 {
			t.Errorf("%q has the size %d, and %d bytes", pattern, size, len(text))
		}
		re, err := regexp.Compile(text)
		if err != nil {
			if !strings.Contains(err.Error(), "invalid character class range") {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		re.MatchString(value)
	})
}
