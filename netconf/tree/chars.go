package tree

import "unicode/utf8"

// What a byte may be in a document.
const (
	plainText byte = 1 << iota // needs no care in the text of an element
	nameByte                   // may stand in a name
	nameStart                  // may begin a name
	space
)

// class tells ASCII apart. All bytes of characters beyond it have no class.
var class = func() (t [256]byte) {
	for c := range 128 {
		if c >= ' ' || c == '\t' || c == '\n' {
			t[c] |= plainText
		}
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			t[c] |= nameByte | nameStart
		case c >= '0' && c <= '9', c == '-', c == '.':
			t[c] |= nameByte
		case c == ' ', c == '\t', c == '\n', c == '\r':
			t[c] |= space
		}
	}
	for _, c := range "<&]" {
		t[c] &^= plainText
	}
	return t
}()

// isChar says whether XML allows a character (XML 1.0 section 2.2).
func isChar(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF ||
		r >= 0xE000 && r <= 0xFFFD || r >= 0x10000 && r <= 0x10FFFF
}

// isName says whether a name without a prefix is one (NCName).
func isName(b []byte) bool {
	if len(b) == 0 || b[0] < utf8.RuneSelf && class[b[0]]&nameStart == 0 {
		return false
	}
	for i, c := range b {
		if c >= utf8.RuneSelf {
			return isWideName(b[i:], i == 0)
		}
		if class[c]&nameByte == 0 {
			return false
		}
	}
	return true
}

// isWideName is isName for names with characters beyond ASCII (XML 1.0, fifth
// edition, section 2.3).
func isWideName(b []byte, first bool) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		b = b[size:]
		switch {
		case r == utf8.RuneError && size == 1:
			return false
		case r < utf8.RuneSelf && class[r]&nameByte != 0 && !first:
		case r >= 0xC0 && r <= 0x2FF && r != 0xD7 && r != 0xF7, r >= 0x370 && r <= 0x1FFF && r != 0x37E,
			r == 0x200C, r == 0x200D, r >= 0x2070 && r <= 0x218F, r >= 0x2C00 && r <= 0x2FEF,
			r >= 0x3001 && r <= 0xD7FF, r >= 0xF900 && r <= 0xFDCF, r >= 0xFDF0 && r <= 0xFFFD,
			r >= 0x10000 && r <= 0xEFFFF:
		case !first && (r == 0xB7 || r >= 0x300 && r <= 0x36F || r == 0x203F || r == 0x2040):
		default:
			return false
		}
		first = false
	}
	return true
}

// isBlank says whether a text is white space alone.
func isBlank[T string | []byte](s T) bool {
	for i := range len(s) {
		if class[s[i]]&space == 0 {
			return false
		}
	}
	return true
}
