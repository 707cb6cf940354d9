package runner

// position is a place in the file, counted from 1.
type position struct{ line, column int }

func (p position) before(q position) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

type nodeKind uint8

const (
	scalarNode nodeKind = iota
	listNode
	mapNode
)

// node is one value of the file. Aliases share the node of their anchor, so
// that a file of nested aliases costs no more than its own length.
type node struct {
	kind     nodeKind
	tag      string // "!!str", "!!int", … as YAML resolved it
	text     string // of a scalar
	at       position
	items    []*node
	fields   []field
	index    map[string]int // by lower-case key, for big maps only
	anchored bool
	verbatim int // columns before the text when text and source agree character by character, else -1
}

// field is one key of a map with its value.
type field struct {
	key   string // as written
	lower string // as compared
	at    position
	value *node
}

// find gives the field with a lower-case key, or nil.
func (n *node) find(lower string) *field {
	if n == nil || n.kind != mapNode {
		return nil
	}
	if n.index != nil {
		if i, ok := n.index[lower]; ok {
			return &n.fields[i]
		}
		return nil
	}
	for i := range n.fields {
		if n.fields[i].lower == lower {
			return &n.fields[i]
		}
	}
	return nil
}

// isNull says whether the value is absent in YAML's sense.
func (n *node) isNull() bool { return n == nil || n.kind == scalarNode && n.tag == "!!null" }

// isString says whether the value is a text and not a number, a date or the like.
func (n *node) isString() bool { return n != nil && n.kind == scalarNode && n.tag == "!!str" }

// typeName names the value's type for a message.
func (n *node) typeName() string {
	switch {
	case n.isNull():
		return "nothing"
	case n.kind == listNode:
		return "a list"
	case n.kind == mapNode:
		return "a map"
	}
	switch n.tag {
	case "!!str":
		return "a string"
	case "!!int":
		return "int"
	case "!!float":
		return "float"
	case "!!bool":
		return "bool"
	case "!!timestamp":
		return "a date"
	}
	return "a value tagged " + n.tag
}

func (n *node) add(f field) {
	if n.index != nil {
		n.index[f.lower] = len(n.fields)
	}
	n.fields = append(n.fields, f)
}
