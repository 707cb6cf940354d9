package service

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

// functions are what templates may call, besides what text/template has. They
// depend on their arguments alone. Missing values count as empty lists and
// texts where a list or a default is asked for, and are errors elsewhere.
var functions = template.FuncMap{
	"print":   func(args ...any) (string, error) { return bounded(fmt.Sprint(args...)) },
	"println": func(args ...any) (string, error) { return bounded(fmt.Sprintln(args...)) },
	"printf":  func(format string, args ...any) (string, error) { return bounded(fmt.Sprintf(format, args...)) },

	"default":   func(otherwise, v any) any { return choose(isEmpty(v), otherwise, v) },
	"has":       has,
	"required":  required,
	"fail":      fail,
	"list":      list,
	"first":     func(v any) (any, error) { return end(v, func(n int) int { return 0 }) },
	"last":      func(v any) (any, error) { return end(v, func(n int) int { return n - 1 }) },
	"sort":      func(v any) ([]any, error) { return sorted(v, false) },
	"uniq":      func(v any) ([]any, error) { return sorted(v, true) },
	"join":      join,
	"split":     split,
	"upper":     onText(strings.ToUpper),
	"lower":     onText(strings.ToLower),
	"trim":      onText(strings.TrimSpace),
	"contains":  onTexts(strings.Contains),
	"hasPrefix": onTexts(strings.HasPrefix),
	"hasSuffix": onTexts(strings.HasSuffix),
	"replace":   replace,
	"matches":   matches,
	"int":       number,
	"add":       onNumbers(func(a, b int64) int64 { return a + b }),
	"sub":       onNumbers(func(a, b int64) int64 { return a - b }),
	"seq":       seq,
	"address":   onPrefix(func(p netip.Prefix) string { return p.Addr().String() }),
	"network":   onPrefix(func(p netip.Prefix) string { return p.Masked().String() }),
	"prefixlen": onPrefix(func(p netip.Prefix) string { return strconv.Itoa(p.Bits()) }),
}

// rendering is the state of one execution of a template.
type rendering struct {
	ctx   context.Context
	at    func(line int) // told of each piece of text; nil: nobody is
	data  *data
	out   bytes.Buffer
	turns int
}

// render executes a set that is bound to the rendering.
func (r *rendering) render(set *template.Template, d *data) error {
	r.data, r.turns = d, 0
	r.out.Reset()
	return set.Execute(r, d)
}

// Write keeps what is printed, up to the limit.
func (r *rendering) Write(p []byte) (int, error) {
	if r.out.Len()+len(p) > maxRendered {
		return 0, &TemplateError{Message: fmt.Sprintf("the template makes more than %d bytes for one device", maxRendered), Hint: "make less, or split the instance"}
	}
	return r.out.Write(p)
}

// functions are those that a rewritten template calls, and those that depend on
// the device.
func (r *rendering) functions() template.FuncMap {
	return template.FuncMap{
		"_xml":  escape,
		"_list": r.list,
		"_turn": func() (string, error) { return "", r.turn(1) },
		"_at": func(line int) string {
			if r.at != nil {
				r.at(line)
			}
			return ""
		},
		"memberOf": func(groups ...string) bool {
			return slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(r.data.Device.Groups, g) })
		},
	}
}

// turn counts loops and calls.
func (r *rendering) turn(n int) error {
	if err := r.ctx.Err(); err != nil {
		return context.Cause(r.ctx)
	}
	if r.turns += n; r.turns > maxTurns {
		return &TemplateError{Message: fmt.Sprintf("the template loops more than %d times for one device", maxTurns), Hint: "loop less, or split the instance"}
	}
	return nil
}

// list gives what a range goes through.
func (r *rendering) list(v any) (any, error) {
	switch v := v.(type) {
	case int, int64:
		n, err := number(v)
		if err != nil {
			return nil, err
		}
		return int(n), r.turn(int(min(max(0, n), maxTurns+1)))
	case []device:
		return v, r.turn(len(v))
	}
	l, err := list(v)
	if err != nil {
		return nil, err
	}
	return l, r.turn(len(l))
}

// escape gives the text that XML reads as v, in the text of an element and in
// the value of an attribute alike. A blank text begins with a reference, as it
// would count for white space between elements.
func escape(action string, v any) (string, error) {
	if v == nil {
		return "", &TemplateError{Message: action + " has no value", Hint: "give one with `default`, or ask for it with {{if}}"}
	}
	s, err := text(v)
	if err != nil {
		return "", err
	}
	plain := strings.TrimLeft(s, " \t\r\n") != "" || s == ""
	for i := 0; plain && i < len(s); i++ {
		plain = s[i] >= ' ' && s[i] < utf8.RuneSelf && !strings.ContainsRune(`&<>"'`, rune(s[i]))
	}
	if plain {
		return s, nil
	}
	var b strings.Builder
	blank := strings.TrimLeft(s, " \t\r\n") == ""
	for i, c := range s {
		switch {
		case strings.ContainsRune("&<>\"'\t\r\n", c), blank && i == 0:
			fmt.Fprintf(&b, "&#%d;", c)
		case c == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			return "", &TemplateError{Message: action + " is not UTF-8", Hint: "correct the value"}
		case c < ' ' || c == 0xFFFE || c == 0xFFFF:
			return "", &TemplateError{Message: fmt.Sprintf("%s has the character %U, which XML can't hold", action, c), Hint: "correct the value"}
		default:
			b.WriteRune(c)
		}
	}
	return b.String(), nil
}

// matchers bounds what matches takes: patterns of Go's regexp match in time that
// grows with the text alone.
func matches(pattern string, v any) (bool, error) {
	if len(pattern) > 1000 {
		return false, fmt.Errorf("a pattern has more than 1000 bytes")
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return false, err
	}
	s, err := text(v)
	return err == nil && re.MatchString(s), err
}
