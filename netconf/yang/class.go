package yang

import (
	"fmt"
	"regexp/syntax"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the escapes \i and \c stand for: the letters of XML's names.
const (
	nameStart = `:A-Z_a-z\xC0-\xD6\xD8-\xF6\xF8-\x{2FF}\x{370}-\x{37D}\x{37F}-\x{1FFF}\x{200C}-\x{200D}` +
		`\x{2070}-\x{218F}\x{2C00}-\x{2FEF}\x{3001}-\x{D7FF}\x{F900}-\x{FDCF}\x{FDF0}-\x{FFFD}\x{10000}-\x{EFFFF}`
	nameRest = nameStart + `\-.0-9\xB7\x{0300}-\x{036F}\x{203F}-\x{2040}`
)

// blocks are the blocks of Unicode that modules name; package regexp knows none.
var blocks = map[string]string{
	"IsBasicLatin":         `\x00-\x7f`,
	"IsLatin-1Supplement":  `\x{80}-\x{ff}`,
	"IsLatinExtended-A":    `\x{100}-\x{17f}`,
	"IsLatinExtended-B":    `\x{180}-\x{24f}`,
	"IsGreek":              `\x{370}-\x{3ff}`,
	"IsCyrillic":           `\x{400}-\x{4ff}`,
	"IsGeneralPunctuation": `\x{2000}-\x{206f}`,
}

// class reads a class in brackets, the first of which is read.
func (t *translator) class(depth int) (string, error) {
	if depth > maxGroups {
		return "", fmt.Errorf("its classes are nested too deep")
	}
	var b strings.Builder
	b.WriteByte('[')
	if t.accept("^") {
		b.WriteByte('^')
	}
	for empty := true; ; empty = false {
		if t.rest == "" {
			return "", fmt.Errorf("a class is not closed")
		}
		if t.accept("]") {
			if empty {
				return "", fmt.Errorf("a class is empty")
			}
			b.WriteByte(']')
			return b.String(), nil
		}
		if !empty && t.accept("-[") {
			minus, err := t.class(depth + 1)
			if err != nil {
				return "", err
			}
			if !t.accept("]") {
				return "", fmt.Errorf("something follows the class that is subtracted")
			}
			inside, err := without(b.String()+"]", minus)
			return "[" + inside + "]", err
		}
		if err := t.classItem(&b); err != nil {
			return "", err
		}
	}
}

// classItem reads one letter, range or escape of a class.
func (t *translator) classItem(b *strings.Builder) error {
	low, single, err := t.classLetter()
	if err != nil {
		return err
	}
	b.WriteString(low)
	if !single || len(t.rest) < 2 || t.rest[0] != '-' || t.rest[1] == ']' || t.rest[1] == '[' {
		return nil
	}
	t.rest = t.rest[1:]
	high, single, err := t.classLetter()
	if err != nil {
		return err
	}
	if !single {
		return fmt.Errorf("a range ends with a class")
	}
	b.WriteString("-" + high)
	return nil
}

// classLetter reads one letter of a class, and says whether it is a single one.
func (t *translator) classLetter() (text string, single bool, err error) {
	r := t.next()
	if r != '\\' {
		return quoteInClass(r), true, nil
	}
	letter, _ := utf8.DecodeRuneInString(t.rest)
	text, err = t.escape()
	return text, !strings.ContainsRune("dDsSwWiIcCpP", letter), err
}

func quoteInClass(r rune) string { return fmt.Sprintf(`\x{%x}`, r) }

// without gives the inside of the class that holds what is in a and not in b.
func without(a, b string) (string, error) {
	in, err := runes(a)
	if err != nil {
		return "", err
	}
	out, err := runes(b)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	emit := func(low, high rune) {
		if low <= high {
			fmt.Fprintf(&text, `\x{%x}-\x{%x}`, low, high)
		}
	}
	for i := 0; i < len(in); i += 2 {
		low, high := in[i], in[i+1]
		for j := 0; j < len(out) && low <= high; j += 2 {
			if out[j+1] < low {
				continue
			}
			if out[j] > high {
				break
			}
			emit(low, out[j]-1)
			low = out[j+1] + 1
		}
		emit(low, high)
	}
	if text.Len() == 0 {
		return "", fmt.Errorf("nothing is left of a class")
	}
	return text.String(), nil
}

// runes gives the sorted pairs of first and last letter of a class.
func runes(class string) ([]rune, error) {
	re, err := syntax.Parse(class, syntax.Perl)
	if err != nil {
		return nil, err
	}
	switch re.Op {
	case syntax.OpCharClass:
		return re.Rune, nil
	case syntax.OpLiteral:
		return []rune{re.Rune[0], re.Rune[0]}, nil
	case syntax.OpNoMatch:
		return nil, nil
	}
	return []rune{0, unicode.MaxRune}, nil
}
