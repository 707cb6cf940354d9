package runner

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
	"go.yaml.in/yaml/v4/plugin/loaderlimits"
)

// This is the only file that knows the YAML library: all others see its nodes
// as values of our own, with aliases and merge keys already followed.

const (
	maxYAMLDepth  = 64      // levels of nesting
	maxMergedKeys = 100_000 // keys that merge keys may bring in, in one file
)

// syntaxError is what makes a file unreadable as YAML.
type syntaxError struct {
	at      position
	message string
}

func (e *syntaxError) Error() string { return e.message }

// duplicate is a key that its map holds twice.
type duplicate struct{ first, second field }

// document is the first YAML document of a file.
type document struct {
	root       *node // nil: the file holds nothing
	more       bool  // other documents follow
	duplicates []duplicate
}

// loadYAML reads the first document of text.
func loadYAML(text string) (document, error) {
	loader, err := yaml.NewLoader(strings.NewReader(text),
		yaml.WithPlugin(loaderlimits.New(loaderlimits.DepthValue(maxYAMLDepth))))
	if err != nil {
		return document{}, fmt.Errorf("the YAML reader can't be set up: %w", err)
	}
	var root yaml.Node
	switch err := loader.Load(&root); {
	case errors.Is(err, io.EOF):
		return document{}, nil
	case err != nil:
		return document{}, asSyntaxError(err)
	}
	c := converter{known: map[*yaml.Node]*node{}}
	if len(root.Content) == 0 {
		return document{}, nil
	}
	n, err := c.convert(root.Content[0])
	if err != nil {
		return document{}, err
	}
	var next yaml.Node
	more := !errors.Is(loader.Load(&next), io.EOF)
	return document{root: n, more: more, duplicates: c.duplicates}, nil
}

func asSyntaxError(err error) error {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		return &syntaxError{message: err.Error()}
	}
	at := position{load.Mark.Line, load.Mark.Column}
	if at.line == 0 {
		at = position{load.ContextMark.Line, load.ContextMark.Column}
	}
	return &syntaxError{at: at, message: load.Message}
}

// converter turns the library's nodes into ours.
type converter struct {
	known      map[*yaml.Node]*node // nil value: under way
	merged     int
	duplicates []duplicate
}

func (c *converter) convert(y *yaml.Node) (*node, error) {
	if y.Kind == yaml.AliasNode {
		return c.convert(y.Alias)
	}
	if y.Anchor != "" {
		if n, ok := c.known[y]; ok && n == nil {
			return nil, &syntaxError{
				position{y.Line, y.Column},
				fmt.Sprintf("the anchor &%s contains itself", y.Anchor),
			}
		} else if ok {
			return n, nil
		}
		c.known[y] = nil
	}
	n := &node{tag: y.ShortTag(), at: position{y.Line, y.Column}, anchored: y.Anchor != ""}
	var err error
	switch y.Kind {
	case yaml.SequenceNode:
		n.kind = listNode
		n.items = make([]*node, 0, len(y.Content))
		for _, child := range y.Content {
			item, cerr := c.convert(child)
			if cerr != nil {
				return nil, cerr
			}
			n.items = append(n.items, item)
		}
	case yaml.MappingNode:
		n.kind = mapNode
		err = c.convertMap(n, y)
	default:
		n.text, n.verbatim = y.Value, verbatim(y)
	}
	if err != nil {
		return nil, err
	}
	if y.Anchor != "" {
		c.known[y] = n
	}
	return n, nil
}

// verbatim says how many columns lie between a scalar's place and its text,
// or -1 when columns of the text can't be told from it.
func verbatim(y *yaml.Node) int {
	plain := !strings.ContainsAny(y.Value, "\n\\\"'")
	switch {
	case y.Style == 0 && !strings.Contains(y.Value, "\n"):
		return 0
	case y.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || y.Style&yaml.TaggedStyle != 0:
		return -1
	case plain, y.Style&yaml.SingleQuotedStyle != 0 && !strings.ContainsAny(y.Value, "\n'"):
		return 1
	}
	return -1
}

func (c *converter) convertMap(n *node, y *yaml.Node) error {
	n.fields = make([]field, 0, len(y.Content)/2)
	if len(y.Content)/2 > 16 {
		n.index = make(map[string]int, len(y.Content)/2)
	}
	var merges []*node
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		v, err := c.convert(value)
		if err != nil {
			return err
		}
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		at := position{y.Content[i].Line, y.Content[i].Column}
		if key.Kind != yaml.ScalarNode {
			return &syntaxError{at, "a key must be a plain name, not a list or a map"}
		}
		if key.ShortTag() == "!!merge" {
			merges = append(merges, v)
			continue
		}
		f := field{key: key.Value, lower: strings.ToLower(key.Value), at: at, value: v}
		if first := n.find(f.lower); first != nil {
			c.duplicates = append(c.duplicates, duplicate{*first, f})
			continue
		}
		n.add(f)
	}
	for _, m := range merges {
		if err := c.merge(n, m); err != nil {
			return err
		}
	}
	return nil
}

// merge adds the keys of from, a map or a list of maps, that n doesn't have:
// a map's own keys come first, then the earlier of several merged maps.
func (c *converter) merge(n, from *node) error {
	if from.kind == listNode {
		for _, item := range from.items {
			if item.kind == listNode {
				return &syntaxError{item.at, "a merge key (<<) takes a map or a list of maps"}
			}
			if err := c.merge(n, item); err != nil {
				return err
			}
		}
		return nil
	}
	if from.kind != mapNode {
		return &syntaxError{from.at, "a merge key (<<) takes a map or a list of maps"}
	}
	if c.merged += len(from.fields) + 1; c.merged > maxMergedKeys {
		return &syntaxError{from.at, fmt.Sprintf("merge keys bring in more than %d keys", maxMergedKeys)}
	}
	if n.index == nil && len(n.fields)+len(from.fields) > 16 {
		n.index = make(map[string]int, len(n.fields)+len(from.fields))
		for i, f := range n.fields {
			n.index[f.lower] = i
		}
	}
	for _, f := range from.fields {
		if n.find(f.lower) == nil {
			n.add(f)
		}
	}
	return nil
}
