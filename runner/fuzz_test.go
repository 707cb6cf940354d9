package runner

import (
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"workflow: [j]\nj: {image: a, script: [x]}",
		"workflow: a.b\na: &x {b: {dockerfile: D, retry: {attempts: 3}}}\nc: {<<: *x}",
		"schedule: '@daily'\ntrigger: {paths: ['**']}\nworkflow: j\nj:\n  image: a\n  condition: !$A && \"b\n",
		"workflow: [j, J]\nj: {image: a, port: '[::1]:1:2/udp', env: A=b, copyIgnore: '*.log'}\n---\n",
		`{"workflow": ["j"], "j": {"image": "a\u0000"}}`, "a: &a [*a]", "\xff\xfe", "\ufeff%YAML 1.2\n---\n? [x]\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, list := Parse("n", "f", text)
		if (p == nil) != (list.Err() != nil) {
			t.Fatalf("pipeline %v with %v", p, list)
		}
		for _, pr := range list {
			if pr.Message == "" || pr.Hint == "" || pr.File != "f" || pr.Line < 0 || pr.Column < 0 || utf8.Valid(text) && !utf8.ValidString(pr.String()) {
				t.Errorf("%+v", pr)
			}
		}
		IsPipeline(text)
		if p == nil {
			return
		}
		names := map[string]bool{}
		for _, j := range p.Jobs {
			if names[j.Name] || j.Image == "" && j.Dockerfile == "" || j.Retry.Attempts < 1 || !(j.Retry.Backoff >= 0.1 && j.Retry.Backoff <= 10) {
				t.Errorf("%+v", j)
			}
			names[j.Name] = true
		}
		if len(p.Jobs) == 0 || !IsPipeline(text) && utf8.Valid(text) && p.Jobs[0].Line == 0 {
			t.Errorf("%+v", p)
		}
	})
}

func FuzzCondition(f *testing.F) {
	for _, seed := range []string{`$A == "x" && (!$B || ${C} != 'y')`, `"$A-${B}\""`, `"`, `!((`, `a = b`, "$A =~ \xff"} {
		f.Add(seed)
	}
	lookup := environment("A=x B=")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v %v", c, err)
		}
		if err != nil {
			return
		}
		value := c.Eval(lookup)
		if (c.Explain(lookup) == "") != value {
			t.Errorf("%q is %t: %q", text, value, c.Explain(lookup))
		}
		written := c.root.String()
		if len(written) > MaxConditionBytes {
			return
		}
		if again, err := ParseCondition(written); err != nil || again.Eval(lookup) != value {
			t.Errorf("%q is written out as %q: %v", text, written, err)
		}
	})
}

func FuzzSchedule(f *testing.F) {
	for _, seed := range []string{"30 3 * * 1-5", "TZ=0", "@every 1h", "0 0 31 2 *", "0 0 * * 5-7/2", "*/7 1,2 ? jan-mar sun", ", * * * *", "0 0 29 2 *", "* * * * * *"} {
		f.Add(seed, "Europe/Berlin", int64(1774746000))
	}
	f.Add("30 2 * * *", "Australia/Lord_Howe", int64(1775314800))
	f.Fuzz(func(t *testing.T, expr, zone string, unix int64) {
		s, err := ParseSchedule(expr, zone)
		if (s == nil) == (err == nil) {
			t.Fatalf("%v %v", s, err)
		}
		if err != nil {
			return
		}
		from := time.Unix(unix%4_000_000_000, 0)
		for range 3 {
			next := s.Next(from)
			if !next.After(from) {
				t.Fatalf("%s: %s after %s", s, next, from)
			}
			from = next
		}
	})
}
