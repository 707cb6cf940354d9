package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// environment looks variables up in "A=1 B=2".
func environment(text string) func(string) (string, bool) {
	vars := map[string]string{}
	for _, kv := range strings.Fields(text) {
		k, v, _ := strings.Cut(kv, "=")
		vars[k] = v
	}
	return func(name string) (string, bool) {
		v, ok := vars[name]
		return v, ok
	}
}

func TestConditionEval(t *testing.T) {
	t.Parallel()
	const env = "BRANCH=main DEPLOY=true OFF=false ZERO=0 EMPTY= CAP=False NO=no V=a&&b TAG=v1.0 PATHLIKE=feature/x-1"
	for text, want := range map[string]bool{
		// as pin's documentation shows it
		`$BRANCH == "main"`: true, `$BRANCH == 'main'`: true, `$BRANCH == main`: true, `$BRANCH==main`: true,
		`$BRANCH == "dev"`: false, `$BRANCH != "dev"`: true, `$BRANCH != "main"`: false, `"main" == "main"`: true,
		`$BRANCH == "main" && $DEPLOY == "true"`: true, `$BRANCH == "dev" || $BRANCH == "main"`: true,
		`$DEPLOY`: true, `$OFF`: false, `$ZERO`: false, `$EMPTY`: false, `$UNSET`: false, `  $DEPLOY	`: true,
		// exactly empty, false and 0 are false
		`$CAP`: true, `$NO`: true, `false`: false, `0`: false, `""`: false, `''`: false, `00`: true, `" "`: true, `BRANCH`: true,
		// what pin gets wrong
		`!$BRANCH`: false, `!$UNSET`: true, `!!$BRANCH`: true, `! $OFF`: true, `(false)`: false, `(($DEPLOY))`: true,
		`${BRANCH} == "main"`: true, `"$BRANCH" == "main"`: true, `"${BRANCH}-x" == main-x`: true, `'$BRANCH' == "$BRANCH"`: false,
		`$V == "a&&b"`: true, `$V == 'a&&b' && $DEPLOY`: true,
		`$BRANCH == "main" || $UNSET && $UNSET`: true, `$BRANCH == "main" && $UNSET || $BRANCH == "main"`: true,
		`($BRANCH == "main" || $DEPLOY) && $UNSET`: false, `!($BRANCH == dev)`: true, `!$UNSET == true`: true,
		`$TAG == v1.0`: true, `$PATHLIKE == feature/x-1`: true, `$UNSET == ""`: true, `$UNSET == $EMPTY`: true,
		// texts in double quotes
		`"a\"b" == 'a"b'`: true, `"\$BRANCH" == '$BRANCH'`: true, `"a\b" == 'a\b'`: true, `"$" == '$'`: true, `"5$" == '5$'`: true, `"\\" == '\'`: true,
		"$BRANCH == \"main\" &&\n  $DEPLOY": true,
	} {
		c, err := ParseCondition(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got := c.Eval(environment(env)); got != want {
			t.Errorf("%q: %t", text, got)
		}
		if c.String() != text {
			t.Errorf("%q is written %q", text, c)
		}
		again, err := ParseCondition(c.root.String())
		if err != nil || again.Eval(environment(env)) != want {
			t.Errorf("%q is written out as %q: %v", text, c.root, err)
		}
	}
}

func TestConditionFaults(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "'condition' cannot be empty; remove the key, and the job always runs",
		" ":                       "'condition' cannot be empty; ",
		`"`:                       "condition: a double quote is not closed at character 1; add the closing quote",
		`$A == 'x`:                "condition: a single quote is not closed at character 7; ",
		`$A > "0.9"`:              "condition: unknown operator '>' at character 4; texts can't be ordered",
		`$A >= 1`:                 "condition: unknown operator '>=' at character 4; ",
		`$A < 1`:                  "condition: unknown operator '<' at character 4; ",
		`$A =~ x`:                 "condition: unknown operator '=~' at character 4; there are no patterns",
		`$BRANCH = "main"`:        "condition: unknown operator '=' at character 9; use == to compare",
		`$A === b`:                "condition: unknown operator '===' at character 4; use ==",
		`$A !== b`:                "condition: unknown operator '!==' at character 4; use !=",
		`$A == b == c`:            "condition: comparisons can't be chained at character 9; ",
		`$A & $B`:                 "condition: unexpected '&' at character 4; use &&",
		`$A | $B`:                 "condition: unexpected '|' at character 4; use ||",
		`$A and $B`:               "condition: unexpected 'and' at character 4; use &&",
		`$A OR $B`:                "condition: unexpected 'OR' at character 4; use ||",
		`$A -eq 1`:                "condition: unexpected '-eq' at character 4; use ==",
		`$A &&`:                   "condition: a value is missing at character 6; ",
		`$A && || $B`:             "condition: unexpected '||' at character 7; put a value before it",
		`== x`:                    "condition: unexpected '==' at character 1; put a value before it",
		`!= x`:                    "condition: unexpected '!=' at character 1; put a value before it",
		`!`:                       "condition: a value is missing at character 2; ",
		`($A`:                     "condition: the '(' is not closed at character 1; add a ')'",
		`()`:                      "condition: unexpected ')' at character 2; ",
		`$A)`:                     "condition: unexpected ')' at character 3; ",
		`$A $B`:                   "condition: unexpected '$B' at character 4; ",
		`release candidate == $A`: "condition: unexpected 'candidate' at character 9; ",
		`$`:                       "condition: '$' is not followed by the name of a variable at character 1; ",
		`$1`:                      "condition: '$' is not followed by the name of a variable at character 1; ",
		`${A`:                     "condition: '${' is not closed after the name at character 1; ",
		`${A:-x}`:                 "condition: '${' is not closed after the name at character 1; ",
		`$A-b == c`:               "condition: '-' follows a value directly at character 3; ",
		`"a"b`:                    "condition: 'b' follows a value directly at character 4; ",
		`é == "ü" x`:              "condition: unexpected 'x' at character 10; ",
		`x"`:                      "condition: '\"' follows a value directly at character 2; ",
		strings.Repeat("(", 4000): "condition: more than 50 levels of parentheses and negations at character 52; simplify it",
		strings.Repeat("!", 4000): "condition: more than 50 levels of parentheses and negations at character 52; ",
		strings.Repeat("a", 5000): "the condition is longer than 4096 bytes; ",
	} {
		c, err := ParseCondition(text)
		if c != nil || err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.50q: %v", text, err)
		}
	}
}

func TestConditionVariablesAndExplain(t *testing.T) {
	t.Parallel()
	const env = "BRANCH=secret OFF=0"
	for text, want := range map[string]struct {
		vars []string
		why  string
	}{
		`$BRANCH == secret`:                     {[]string{"BRANCH"}, ""},
		`$BRANCH == "main" && $X`:               {[]string{"BRANCH", "X"}, `$BRANCH is not "main"`},
		`$BRANCH && $X`:                         {[]string{"BRANCH", "X"}, `$X is not set`},
		`"${X}$BRANCH" == a || $OFF || $X=="b"`: {[]string{"X", "BRANCH", "OFF"}, `"${X}${BRANCH}" is not "a", and $OFF is empty, false or 0, and $X is not "b" (it is not set)`},
		`$BRANCH != "secret"`:                   {[]string{"BRANCH"}, `$BRANCH is "secret"`},
		`!$BRANCH`:                              {[]string{"BRANCH"}, `$BRANCH is true`},
		`($X)`:                                  {[]string{"X"}, `$X is not set`},
		`false`:                                 {nil, `"false" is false`},
	} {
		c, err := ParseCondition(text)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.vars, c.Variables()); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if got := c.Explain(environment(env)); got != want.why {
			t.Errorf("%q: %s", text, got)
		}
	}
}
