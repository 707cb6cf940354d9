package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestParseRefuses has the texts that are no pipeline at all.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"empty":            {"", "f: the file is empty; list the jobs to run under 'workflow:'"},
		"blank":            {" \n\t\n", "f: the file is empty; "},
		"comment":          {"# nothing\n", "f:1:1: the file is empty; "},
		"null":             {"~\n", "f:1:1: the file is empty; "},
		"text":             {"hello", "f:1:1: a pipeline is a map with a 'workflow' key, found a string; "},
		"list":             {"- a\n", "f:1:1: a pipeline is a map with a 'workflow' key, found a list; "},
		"NUL":              {"a: b\nc: \x00\n", "f:2:4: the file is binary: it holds a NUL byte; "},
		"ELF":              {"\x7fELF\x02", "f:1:1: the control character U+007F is not allowed in YAML; "},
		"Latin-1":          {"a: caf\xe9\n", "f:1:7: the file is not UTF-8: byte 0xe9 is no character; save it as UTF-8"},
		"UTF-16":           {"\xff\xfea\x00", "f:1:1: the file is UTF-16; save it as UTF-8"},
		"bell":             {"ä: \x07", "f:1:4: the control character U+0007"},
		"too long":         {strings.Repeat("#", MaxPipelineBytes+1), "f: the file has 1048577 bytes, and a pipeline may have 1048576; "},
		"tab":              {"a:\n\tb: c", "f:2:1: the file is not valid YAML: a tab can't be used for indentation; indent with spaces"},
		"at sign":          {"schedule: @daily", "f:1:11: the file is not valid YAML: a value can't start with '@'; put the value in quotes"},
		"star":             {"schedule: * * * * *", "f:1:12: the file is not valid YAML: did not find expected alphabetic or numeric character; a value that starts with '*'"},
		"glob":             {"copyIgnore: *.log", "f:1:13: the file is not valid YAML: unknown anchor '.log' referenced; a value that starts with '*'"},
		"colon":            {"a: b: c", "f:1:5: the file is not valid YAML: mapping values are not allowed in this context; a value that holds a colon"},
		"quote":            {"a: \"b\n", "f:2:1: the file is not valid YAML: found unexpected end of stream; a quote or bracket is not closed"},
		"quoted half":      {`condition: "a" == $B`, "f:1:16: the file is not valid YAML: did not find expected key; put the whole value in single quotes"},
		"self":             {"a: &a [*a]", "f:1:4: the file is not valid YAML: the anchor &a contains itself; write the values out"},
		"key":              {"? [a]\n: b", "f:1:3: the file is not valid YAML: a key must be a plain name, not a list or a map; "},
		"merge":            {"a: {<<: b}", "f:1:9: the file is not valid YAML: a merge key (<<) takes a map or a list of maps; "},
		"deep":             {"a: " + strings.Repeat("[", 100), "f:1:68: the file is not valid YAML: it is nested more than 64 levels deep; a pipeline needs four"},
		"deeper":           {strings.Repeat("{", 1<<20), "f:1:65: the file is not valid YAML: it is nested more than 64 levels deep; "},
		"unclosed bracket": {"a: [1\nb: 2", "f:2:2: the file is not valid YAML: did not find expected ',' or ']'; check the indentation"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, list := Parse("n", "f", []byte(tc.text))
			if p != nil || len(list) != 1 || list[0].Hint == "" {
				t.Fatalf("%v %v", p, list)
			}
			if got := list[0].String(); !strings.HasPrefix(got, tc.want) {
				t.Error(got)
			}
		})
	}
}

// TestParseBombs has small files that would be huge, or slow, to expand.
func TestParseBombs(t *testing.T) {
	t.Parallel()
	var laughs strings.Builder
	laughs.WriteString("workflow: [j]\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&laughs, "a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	laughs.WriteString("j: {image: a, script: *a39}\n")

	var merges strings.Builder
	merges.WriteString("workflow: [j]\nb: &b {image: a")
	for i := range 3000 {
		fmt.Fprintf(&merges, ", k%d: v", i)
	}
	merges.WriteString("}\nj: {<<: [" + strings.TrimSuffix(strings.Repeat("*b, ", 100_000), ", ") + "]}\n")

	for name, tc := range map[string]struct{ text, want string }{
		"nested aliases": {laughs.String(), "all script items must be strings, found a list at index 0"},
		"merges":         {merges.String(), "merge keys bring in more than 100000 keys"},
		"long aliases":   {"x: &x '" + strings.Repeat("y", 500_000) + "'\nworkflow: [j]\nj: {image: a, script: [" + strings.Repeat("*x, ", 100_000) + "]}\n", "the file's aliases expand to more than 8388608 bytes"},
		"many jobs":      {"workflow: [" + strings.Repeat("j, ", 20_000) + "]\nj: {image: a}\n", "workflow lists 20000 jobs, and 10000 are allowed"},
		"dotted name":    {"workflow: [" + strings.Repeat("a.", 60) + "a]\na: &a {a: {image: x}}\n", "is not defined or is empty"},
		"many keys":      {"workflow: [j]\n" + manyKeys() + "j: {image: a}\n", "more problems are not shown"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, list := Parse("n", "f", []byte(tc.text))
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if len(list) == 0 || !strings.Contains(list.Error(), tc.want) {
				t.Errorf("%.300s", list)
			}
		})
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	return b.String()
}

func TestParseTakesAnyText(t *testing.T) {
	t.Parallel()
	text := "\ufeffworkflow:\r\n  - j\r\nj:\r\n  image: alpine\r\n  script:\r\n    - echo hé\r\n"
	p, list := Parse("n", "f", []byte(text))
	if p == nil || len(list) != 0 || p.Jobs[0].Script[0] != "echo hé" {
		t.Errorf("%v %v", p, list)
	}
}

func TestIsPipeline(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"workflow: [a]":                       true,
		"# x\n\nWorkFlow :\n  - a":            true,
		"\ufeffworkflow: a":                   true,
		"---\nworkflow: a":                    true,
		"%YAML 1.2\n---\n'workflow': a":       true,
		"  a: b\n  workflow: c\n":             true,
		"a: b\r\nworkflow: c\r\n":             true,
		"a: [broken\nworkflow: x\n\t}{":       true,
		"a: b\n\tc\nworkflow:":                true,
		`{"a": 1, "workflow": ["b"]}`:         true,
		`{"workflow": ["b"`:                   true,
		"--- {workflow: a}":                   true,
		"":                                    false,
		"a: b":                                false,
		"on:\n  workflow_dispatch:\njobs: {}": false,
		"a:\n  workflow: b\n":                 false,
		"workflow_run: x":                     false,
		"workflow:x\n":                        false,
		"a: b\n---\nworkflow: c":              false,
		"{a: {workflow: b}}":                  false,
		"# workflow: x":                       false,
		"workflow:\n  rules:\n    - if: $CI\nstages: [a]": false,
		"workflow:\n  # ours\n  - rules\n":                true,
		"\x00workflow":                                    false,
	} {
		if got := IsPipeline([]byte(text)); got != want {
			t.Errorf("%q: %t", text, got)
		}
	}
	if !IsPipeline([]byte("workflow: a\n" + strings.Repeat("#", 2*MaxPipelineBytes))) {
		t.Error("too long a pipeline is nobody's")
	}
}
