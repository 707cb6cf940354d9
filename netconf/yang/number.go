package yang

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// number is a value of one of the numeric types: int64 and uint64 in one, and
// decimal64 multiplied by 10 to the power of its fraction digits.
type number struct {
	negative  bool
	magnitude uint64
}

func (a number) compare(b number) int {
	switch {
	case a.negative != b.negative:
		if a.negative {
			return -1
		}
		return 1
	case a.negative:
		return cmp.Compare(b.magnitude, a.magnitude)
	}
	return cmp.Compare(a.magnitude, b.magnitude)
}

// text gives the canonical form, with the point where a decimal64 has it.
func (a number) text(fraction int) string {
	s := strconv.FormatUint(a.magnitude, 10)
	if fraction > 0 {
		for len(s) <= fraction {
			s = "0" + s
		}
		whole, rest := s[:len(s)-fraction], strings.TrimRight(s[len(s)-fraction:], "0")
		if rest == "" {
			rest = "0"
		}
		s = whole + "." + rest
	}
	if a.negative {
		return "-" + s
	}
	return s
}

var errNumber = errors.New("this is not a number")

// parseNumber reads an integer, or a decimal64 where fraction is not 0.
func parseNumber(s string, fraction int) (number, error) {
	var n number
	digits, signed := s, false
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.negative, signed = s[0] == '-', true
		digits = s[1:]
	}
	whole, rest, point := strings.Cut(digits, ".")
	if whole == "" || (point && (rest == "" || fraction == 0)) || (signed && s[0] == '+' && fraction > 0) {
		return n, errNumber
	}
	if fraction > 0 {
		rest = strings.TrimRight(rest, "0")
		if len(rest) > fraction {
			return n, fmt.Errorf("more than %d digits follow the point", fraction)
		}
		whole += rest + strings.Repeat("0", fraction-len(rest))
	}
	for _, r := range whole {
		if r < '0' || r > '9' {
			return n, errNumber
		}
	}
	v, err := strconv.ParseUint(whole, 10, 64)
	if err != nil {
		return n, errors.New("the number is too large")
	}
	n.magnitude = v
	if v == 0 {
		n.negative = false
	}
	return n, nil
}

// span is one part of a range or length, both ends included.
type span struct{ low, high number }

func inSpans(spans []span, n number) bool {
	for _, s := range spans {
		if n.compare(s.low) >= 0 && n.compare(s.high) <= 0 {
			return true
		}
	}
	return len(spans) == 0
}

func spansText(spans []span, fraction int) string {
	var b strings.Builder
	for i, s := range spans {
		switch {
		case i == 8:
			b.WriteString(" | …")
			return b.String()
		case i > 0:
			b.WriteString(" | ")
		}
		b.WriteString(s.low.text(fraction))
		if s.low != s.high {
			b.WriteString("..")
			b.WriteString(s.high.text(fraction))
		}
	}
	return b.String()
}

// parseSpans reads a range or length within what it restricts (RFC 7950 section
// 9.2.4): the parts ascend, don't overlap, and lie inside.
func parseSpans(text string, within []span, fraction int) ([]span, error) {
	end := func(s string) (number, error) {
		switch s {
		case "min":
			return within[0].low, nil
		case "max":
			return within[len(within)-1].high, nil
		}
		return parseNumber(s, fraction)
	}
	var out []span
	at := 0 // the part of within that may hold the next part
	for part := range strings.SplitSeq(text, "|") {
		low, high, two := strings.Cut(part, "..")
		if !two {
			high = low
		}
		a, err := end(strings.TrimSpace(low))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(low), err)
		}
		b, err := end(strings.TrimSpace(high))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(high), err)
		}
		if a.compare(b) > 0 || (len(out) > 0 && out[len(out)-1].high.compare(a) >= 0) {
			return nil, fmt.Errorf("%q: the parts must ascend and not overlap", strings.TrimSpace(part))
		}
		for at < len(within) && within[at].high.compare(a) < 0 {
			at++
		}
		if at == len(within) || within[at].low.compare(a) > 0 || within[at].high.compare(b) < 0 {
			return nil, fmt.Errorf("%q lies outside of what it restricts, %s", strings.TrimSpace(part), spansText(within, fraction))
		}
		out = append(out, span{a, b})
	}
	return out, nil
}

func signed(bits int) []span {
	m := uint64(1) << (bits - 1)
	return []span{{number{true, m}, number{false, m - 1}}}
}

func unsigned(bits int) []span {
	return []span{{number{}, number{false, math.MaxUint64 >> (64 - bits)}}}
}

// integers are the built-in integer types with what they hold.
var integers = map[string][]span{
	"int8": signed(8), "int16": signed(16), "int32": signed(32), "int64": signed(64),
	"uint8": unsigned(8), "uint16": unsigned(16), "uint32": unsigned(32), "uint64": unsigned(64),
}
