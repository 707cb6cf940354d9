package runner

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// The readers of single values. Each takes a field that may be nil (absent) and
// says whether it gave a value; a value of the wrong type is reported with
// pin's words, in which a key is spelled as its documentation spells it.

// present gives a field unless it is absent or null, which pin takes alike.
func present(n *node, name string) *field {
	f := n.find(strings.ToLower(name))
	if f == nil || f.value.isNull() {
		return nil
	}
	return f
}

// text checks a string that is about to be used: aliases can make a small file
// very long, and no engine takes a NUL.
func (p *parser) text(n *node, name string) bool {
	p.expanded += len(n.text) + 16
	if p.expanded > maxExpandedBytes {
		if p.expanded-len(n.text)-16 <= maxExpandedBytes { // once
			p.fail(n.at, name, fmt.Sprintf("the file's aliases expand to more than %d bytes", maxExpandedBytes), "write fewer aliases")
		}
		return false
	}
	if strings.ContainsRune(n.text, 0) {
		p.fail(n.at, name, fmt.Sprintf("'%s' holds a NUL character", name), "remove it")
		return false
	}
	return true
}

// string reads a string that must not be blank.
func (p *parser) string(f *field, name string) (string, bool) {
	if f == nil {
		return "", false
	}
	if !f.value.isString() {
		p.fail(f.value.at, name, fmt.Sprintf("'%s' must be a string", name), quoteHint(f.value))
		return "", false
	}
	if strings.TrimSpace(f.value.text) == "" {
		p.fail(f.value.at, name, fmt.Sprintf("'%s' cannot be empty", name), "give it a value, or remove the key")
		return "", false
	}
	return f.value.text, p.text(f.value, name)
}

// words are the messages of a list, in which pin is not uniform.
type words struct {
	items string // "all X must be strings, …"
	item  string // "X at index i cannot be empty"
	alone string // "X cannot be empty", of a single string
	kind  string // "'x' must be a …"
}

func wordsFor(name string) words {
	w := words{items: name + " items", item: name + " item", alone: "'" + name + "'", kind: "a string or array of strings"}
	switch name {
	case "env":
		w.items, w.item, w.alone = "environment variables", "environment variable", "environment variable"
	case "copyIgnore":
		w.alone = name
	}
	return w
}

// strings reads a string or a list of strings, none of them blank. Faults of
// single items leave these out, so that the others are still checked.
func (p *parser) strings(f *field, name string) []*node {
	if f == nil {
		return nil
	}
	w := wordsFor(name)
	switch {
	case f.value.isString():
		if strings.TrimSpace(f.value.text) == "" {
			p.fail(f.value.at, name, w.alone+" cannot be empty", "give it a value, or remove the key")
			return nil
		}
		if !p.text(f.value, name) {
			return nil
		}
		return []*node{f.value}
	case f.value.kind != listNode:
		hint := quoteHint(f.value)
		if f.value.kind == mapNode {
			hint = listHint(f.value)
		}
		p.fail(f.value.at, name, fmt.Sprintf("'%s' must be %s", name, w.kind), hint)
		return nil
	}
	items := make([]*node, 0, len(f.value.items))
	for i, n := range f.value.items {
		switch {
		case !n.isString():
			p.fail(n.at, name, fmt.Sprintf("all %s must be strings, found %s at index %d", w.items, n.typeName(), i), quoteHint(n))
		case strings.TrimSpace(n.text) == "":
			p.fail(n.at, name, fmt.Sprintf("%s at index %d cannot be empty", w.item, i), "remove it")
		case p.text(n, name):
			items = append(items, n)
		}
	}
	return items
}

// quoteHint says how to write a value that YAML took for something else.
func quoteHint(n *node) string {
	switch {
	case n.kind == mapNode && len(n.fields) == 1 && n.fields[0].value.kind == scalarNode:
		line := n.fields[0].key + ": " + n.fields[0].value.text
		if len(line) > 120 || strings.ContainsAny(line, "'\n") {
			break
		}
		return "a colon and a blank make a map of it, so put the line in quotes: '" + line + "'"
	case n.isNull():
		return "remove it, or write \"\" in quotes"
	case n.kind == scalarNode && !strings.HasPrefix(n.tag, "!!"):
		return "a value that starts with '!' must stand in quotes"
	case n.kind == scalarNode:
		return fmt.Sprintf("put it in quotes: %q", n.text)
	}
	return "put it in quotes"
}

// listHint shows a map of settings as the list that was meant.
func listHint(n *node) string {
	if len(n.fields) > 0 && n.fields[0].value.kind == scalarNode {
		return fmt.Sprintf("write it as a list of strings: - %s=%s", n.fields[0].key, n.fields[0].value.text)
	}
	return "write it as a list of strings"
}

// bool reads a boolean: true or false, and nothing that only looks like one.
func (p *parser) bool(f *field, name string, preset bool) bool {
	if f == nil {
		return preset
	}
	if f.value.kind == scalarNode && f.value.tag == "!!bool" {
		return strings.EqualFold(f.value.text, "true")
	}
	hint := "write true or false"
	if f.value.isString() {
		hint += ", without quotes"
	}
	p.fail(f.value.at, name, fmt.Sprintf("'%s' must be a boolean value", name), hint)
	return preset
}

// integer reads a whole number within bounds. Its words are pin's, which names
// the unit, the lower and the upper bound in a way of its own for each field.
func (p *parser) integer(f *field, name, unit string, low, high int, tooLow, tooHigh string) (int, bool) {
	if f == nil {
		return 0, false
	}
	v, err := strconv.ParseInt(f.value.text, 0, 64)
	if f.value.kind != scalarNode || f.value.tag != "!!int" || err != nil {
		p.fail(f.value.at, name, name+" must be an integer"+unit, fmt.Sprintf("write a number from %d to %d, without quotes", low, high))
		return 0, false
	}
	switch {
	case v < int64(low):
		p.fail(f.value.at, name, name+" "+tooLow, fmt.Sprintf("write a number from %d to %d", low, high))
		return 0, false
	case v > int64(high):
		p.fail(f.value.at, name, name+" "+tooHigh, fmt.Sprintf("write a number from %d to %d", low, high))
		return 0, false
	}
	return int(v), true
}

// number reads a finite number, an integer too.
func number(n *node) (float64, bool) {
	if n.kind != scalarNode || n.tag != "!!int" && n.tag != "!!float" {
		return 0, false
	}
	if n.tag == "!!int" {
		if i, err := strconv.ParseInt(n.text, 0, 64); err == nil {
			return float64(i), true
		}
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.text, "_", ""), 64)
	return v, err == nil && !math.IsNaN(v) && !math.IsInf(v, 0)
}
