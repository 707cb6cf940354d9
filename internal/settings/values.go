package settings

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// text takes any value but an empty one.
func text[T any, S ~string](field func(*T) *S) func(*T, string) error {
	return func(t *T, v string) error {
		if v == "" {
			return fault{"the value is empty", "give one, or leave the setting away"}
		}
		*field(t) = S(v)
		return nil
	}
}

// checked takes a value that check lets pass.
func checked[T any, S ~string](field func(*T) *S, check func(string) error) func(*T, string) error {
	set := text(field)
	return func(t *T, v string) error {
		if err := check(v); err != nil {
			return err
		}
		return set(t, v)
	}
}

// choice takes one of a few words.
func choice[T any](field func(*T) *string, words ...string) func(*T, string) error {
	return checked(field, func(v string) error { return oneOf(v, words) })
}

func oneOf(v string, words []string) error {
	if slices.Contains(words, v) {
		return nil
	}
	hint := "choose one of " + strings.Join(words, ", ")
	if near := nearest(v, words); near != "" {
		hint = "did you mean " + near + "? It is one of " + strings.Join(words, ", ")
	}
	return fault{fmt.Sprintf("%q is not a choice", v), hint}
}

// words takes a list, each element passing check when there is one.
func words[T any](field func(*T) *[]string, check func(string) error) (func(*T), func(*T, string) error) {
	reset := func(t *T) { *field(t) = nil }
	return reset, func(t *T, v string) error {
		if v == "" {
			return fault{"an element is empty", "give it a value, or leave it away"}
		}
		if check != nil {
			if err := check(v); err != nil {
				return err
			}
		}
		*field(t) = append(*field(t), v)
		return nil
	}
}

// on takes true or false and nothing else, so that a typo never grants anything.
func on[T any](field func(*T) *bool) func(*T, string) error {
	return func(t *T, v string) error {
		switch v {
		case "true", "1":
			*field(t) = true
		case "false", "0":
			*field(t) = false
		default:
			return fault{fmt.Sprintf("%q is neither true nor false", v), "write true or false"}
		}
		return nil
	}
}

func number[T any](field func(*T) *int, low, high int) func(*T, string) error {
	return func(t *T, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < low || n > high {
			return fault{fmt.Sprintf("%q is not a number from %d to %d", v, low, high), "write a whole number in that range"}
		}
		*field(t) = n
		return nil
	}
}

func duration[T any](field func(*T) *time.Duration, low, high time.Duration) func(*T, string) error {
	return func(t *T, v string) error {
		d, err := parseDuration(v)
		if err != nil {
			return err
		}
		if d < low || d > high {
			return fault{fmt.Sprintf("%s is outside %s to %s", v, short(low), short(high)), "choose a time in that range"}
		}
		*field(t) = d
		return nil
	}
}

// parseDuration reads Go's durations and whole days, alone ("30d") or before
// the rest ("1d12h"): retention is thought of in days.
func parseDuration(v string) (time.Duration, error) {
	bad := fault{fmt.Sprintf("%q is not a time", v), "write it like 500ms, 30s, 5m, 1h30m or 30d"}
	rest, days := v, time.Duration(0)
	if before, after, ok := strings.Cut(v, "d"); ok {
		n, err := strconv.ParseUint(before, 10, 16)
		if err != nil {
			return 0, bad
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d > math.MaxInt64-days {
		return 0, bad
	}
	return days + d, nil
}

// short writes a bound without the zeros that Duration.String leaves behind.
func short(d time.Duration) string {
	if d >= 24*time.Hour && d%(24*time.Hour) == 0 {
		return strconv.Itoa(int(d/(24*time.Hour))) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func size[T any](field func(*T) *int64, low int64) func(*T, string) error {
	return func(t *T, v string) error {
		n, err := parseSize(v)
		if err != nil {
			return err
		}
		if n < low {
			return fault{fmt.Sprintf("%s is below the least of %d bytes", v, low), "choose a larger size"}
		}
		*field(t) = n
		return nil
	}
}

// parseSize reads bytes, with an optional unit: kB, MB, GB, TB (powers of 1000)
// or KiB, MiB, GiB, TiB (powers of 1024), in any case.
func parseSize(v string) (int64, error) {
	bad := fault{fmt.Sprintf("%q is not a size", v), "write it like 500MB, 64MiB or 1GiB"}
	digits := strings.TrimRight(v, "kKmMgGtTiIbB ")
	factor, ok := map[string]int64{
		"": 1, "b": 1,
		"kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12,
		"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40,
	}[strings.ToLower(strings.TrimSpace(v[len(digits):]))]
	if !ok {
		return 0, bad
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return 0, bad
	}
	return n * factor, nil
}

// labelled takes key=value.
func labelled[T any](field func(*T) *map[string]string) (func(*T), func(*T, string) error) {
	reset := func(t *T) { *field(t) = nil }
	return reset, func(t *T, v string) error {
		key, value, ok := strings.Cut(v, "=")
		if !ok || key == "" {
			return fault{fmt.Sprintf("%q is not a label", v), "write it like region=north"}
		}
		m := field(t)
		if *m == nil {
			*m = map[string]string{}
		}
		(*m)[key] = value
		return nil
	}
}
