package service

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// text gives one value as a text.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int:
		return strconv.Itoa(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case nil:
		return "", errors.New("a value is missing; ask for it with {{if}}, or give one with `default`")
	case []any, []string, []device:
		return "", errors.New("a list is not one value; use {{range}}, or `join`")
	case values, device, *device, *data:
		return "", errors.New("something with values of its own is not one value; name the one that is meant")
	}
	return "", fmt.Errorf("a %T is not a text", v)
}

// texts gives a list of values as texts.
func texts(v any) ([]string, error) {
	l, err := list(v)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(l))
	for i := range l {
		if out[i], err = text(l[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// list puts values and lists into one list. A missing value is none.
func list(args ...any) ([]any, error) {
	var out []any
	for _, v := range args {
		switch v := v.(type) {
		case nil:
		case []any:
			if len(args) == 1 {
				return v, nil
			}
			out = append(out, v...)
		case []string:
			for _, s := range v {
				out = append(out, s)
			}
		case []device:
			return nil, errors.New("devices can be gone through by {{range}} only")
		default:
			out = append(out, v)
		}
	}
	if len(out) > maxTurns {
		return nil, fmt.Errorf("a list has more than %d values", maxTurns)
	}
	return out, nil
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case values:
		return len(v) == 0
	}
	return false
}

func choose(yes bool, a, b any) any {
	if yes {
		return a
	}
	return b
}

// has says whether there is a value of that name, be it empty.
func has(v any, name string) bool {
	m, ok := v.(values)
	_, ok2 := m[name]
	return ok && ok2
}

func required(message string, v any) (any, error) {
	if isEmpty(v) {
		return nil, &TemplateError{Message: message, Hint: "give the instance, or the device, the value"}
	}
	return v, nil
}

func fail(message string) (string, error) {
	return "", &TemplateError{Message: message, Hint: "the template refuses this; correct the instance, or the template"}
}

func end(v any, index func(n int) int) (any, error) {
	l, err := list(v)
	if err != nil || len(l) == 0 {
		return nil, err
	}
	return l[index(len(l))], nil
}

// sorted gives texts in the order of their bytes; without those that come twice
// and in the order in which they came, if uniq.
func sorted(v any, uniq bool) ([]any, error) {
	l, err := texts(v)
	if err != nil {
		return nil, err
	}
	if !uniq {
		slices.Sort(l)
	}
	out := make([]any, 0, len(l))
	seen := map[string]bool{}
	for _, s := range l {
		if !uniq || !seen[s] {
			out = append(out, s)
		}
		seen[s] = true
	}
	return out, nil
}

func join(separator string, v any) (string, error) {
	l, err := texts(v)
	if err != nil {
		return "", err
	}
	size := 0
	for _, s := range l {
		if size += len(s) + len(separator); size > maxRendered {
			return "", errLong
		}
	}
	return strings.Join(l, separator), nil
}

func split(separator string, v any) ([]any, error) {
	s, err := text(v)
	if err != nil {
		return nil, err
	}
	if s == "" {
		return nil, nil
	}
	var out []any
	for part := range strings.SplitSeq(s, separator) {
		out = append(out, part)
	}
	return out, nil
}

func replace(old, with string, v any) (string, error) {
	s, err := text(v)
	if err != nil {
		return "", err
	}
	if size := len(s) + strings.Count(s, old)*(len(with)-len(old)); size > maxRendered {
		return "", errLong
	}
	return strings.ReplaceAll(s, old, with), nil
}

var errLong = fmt.Errorf("a text has more than %d bytes", maxRendered)

// bounded keeps texts that are put together from growing without limit.
func bounded(s string) (string, error) {
	if len(s) > maxRendered {
		return "", errLong
	}
	return s, nil
}

func onText(f func(string) string) func(any) (string, error) {
	return func(v any) (string, error) {
		s, err := text(v)
		return f(s), err
	}
}

func onTexts(f func(s, part string) bool) func(part string, v any) (bool, error) {
	return func(part string, v any) (bool, error) {
		s, err := text(v)
		return err == nil && f(s, part), err
	}
}

func number(v any) (int64, error) {
	s, err := text(v)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, errors.New("a value is not a whole number")
	}
	return n, nil
}

func onNumbers(f func(a, b int64) int64) func(a, b any) (int64, error) {
	return func(a, b any) (int64, error) {
		x, err := number(a)
		if err != nil {
			return 0, err
		}
		y, err := number(b)
		return f(x, y), err
	}
}

// seq gives the numbers from one to another.
func seq(from, to any) ([]any, error) {
	a, err := number(from)
	if err != nil {
		return nil, err
	}
	b, err := number(to)
	if err != nil {
		return nil, err
	}
	if b < a {
		return nil, nil
	}
	if uint64(b)-uint64(a) >= 65536 {
		return nil, errors.New("a sequence has more than 65536 numbers")
	}
	out := make([]any, 0, b-a+1)
	for ; ; a++ {
		out = append(out, a)
		if a == b {
			return out, nil
		}
	}
}

// onPrefix takes an address with the length of its prefix: 192.0.2.1/24.
func onPrefix(f func(netip.Prefix) string) func(any) (string, error) {
	return func(v any) (string, error) {
		s, err := text(v)
		if err != nil {
			return "", err
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return "", errors.New("a value is not an address with the length of its prefix, such as 192.0.2.1/24")
		}
		return f(p), nil
	}
}
