package yang

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTreesAreThoseOfYanglint compares every module of Debian that both load,
// node by node: nesting, order, kinds, keys, what is optional, config and types.
func TestTreesAreThoseOfYanglint(t *testing.T) {
	t.Parallel()
	needOracle(t)
	var compared, nodes atomic.Int64
	t.Run("modules", func(t *testing.T) {
		for _, name := range slices.Sorted(maps.Keys(debian())) {
			if strings.HasPrefix(debian()[name].Text, "submodule") {
				continue // belongs to one that is compared
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				modules := closure(debian(), name)
				args := []string{"-Q", "-Q", "-f", "tree", "-L", "0"}
				for _, m := range modules {
					if !strings.HasPrefix(m.Text, "submodule") {
						args = append(args, m.File)
					}
				}
				out, ok := yanglint(t, args...)
				if !ok { // some of the imports can only be imported
					alone := append([]string{debian()[name].File}, args[:6]...)
					for _, m := range modules {
						alone = append(alone, "-F", m.Name+":*")
					}
					out, ok = yanglint(t, alone...)
				}
				schema, warnings := Compile(modules)
				if !ok {
					t.Logf("yanglint refuses it; our warnings: %v", warnings)
					return
				}
				want := readTree(out)
				got := drawTree(schema)
				if want[name] == nil {
					t.Error("yanglint didn't draw it")
				}
				for module, lines := range want {
					if diff := cmp.Diff(comparable(lines), comparable(got[module])); diff != "" {
						t.Errorf("%s (-yanglint +ours):\n%s\n%v", module, diff, warnings)
					}
					nodes.Add(int64(len(lines)))
				}
				compared.Add(1)
			})
		}
	})
	t.Logf("%d modules with %d nodes are the same", compared.Load(), nodes.Load())
	if compared.Load() < 60 {
		t.Errorf("only %d modules could be compared", compared.Load())
	}
}

var (
	treeLine = regexp.MustCompile(`^([ |]*)[+xo]--(-x|-w|rw|ro|-n|--|:)\s*(.*)$`)
	feature  = regexp.MustCompile(`\s*\{[^}]*\}\?$`)
	// unordered are nodes of other modules, and those that hold no data.
	unordered = regexp.MustCompile(`^(-[xn]|[-\w:]+ \(?[\w.-]+:)`)
	blanks    = regexp.MustCompile(`\s+`)
)

// readTree takes yanglint's drawing apart: the lines of each module, each with
// its depth. What it says of augments is left out: it draws that from the text,
// and the augmented module below, whole, from what it compiled.
func readTree(text string) map[string][]string {
	out := map[string][]string{}
	module, section := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "module: "); ok {
			module, section = name, "data"
			out[module] = []string{}
			continue
		}
		m := treeLine.FindStringSubmatch(line)
		if m == nil {
			if head := strings.TrimSpace(line); strings.HasSuffix(head, ":") {
				section, _, _ = strings.Cut(head, " ")
			}
			continue
		}
		depth := len(m[1]) - 2
		switch {
		case section == "augment" || section == "grouping":
			continue
		case section != "data":
			depth -= 2
		}
		mode := strings.Replace(m[2], "--", "ro", 1) // below notifications
		rest := blanks.ReplaceAllString(feature.ReplaceAllString(strings.TrimSpace(m[3]), ""), " ")
		if node, path, ok := strings.Cut(rest, " -> "); ok {
			rest = node + " -> " + blanks.ReplaceAllString(path, "")
		}
		rest = strings.Replace(rest, " anyxml", " anydata", 1) // are of one kind for us
		out[module] = append(out[module], fmt.Sprintf("%d %s %s", depth/3, mode, rest))
	}
	return out
}

// comparable gives the data of the module itself in its order, then the rest
// sorted: libyang has an order of its own for augments, and for what is no data.
// Each line is the whole way from the top.
func comparable(lines []string) []string {
	var own, added, way []string
	for _, line := range lines {
		number, rest, _ := strings.Cut(line, " ")
		depth, _ := strconv.Atoi(number)
		way = append(way[:min(depth, len(way))], rest)
		whole := strings.Join(way, " / ")
		if slices.ContainsFunc(way, unordered.MatchString) {
			added = append(added, whole)
		} else {
			own = append(own, whole)
		}
	}
	slices.Sort(added)
	return append(own, added...)
}

// drawTree draws the modules of a schema in the same form.
func drawTree(s *Schema) map[string][]string {
	out := map[string][]string{}
	for _, m := range s.Modules() {
		d := &drawing{schema: s, module: m.Name, lines: []string{}}
		for _, kinds := range [][]Kind{{Container, List, Leaf, LeafList, Any, Choice}, {Operation}, {Notification}} {
			for _, n := range s.root.children {
				if n.Module == m.Name && slices.Contains(kinds, n.Kind) {
					d.draw(n, 0, "rw")
				}
			}
		}
		out[m.Name] = d.lines
	}
	return out
}

type drawing struct {
	schema *Schema
	module string
	lines  []string
}

func (d *drawing) prefix(module string) string {
	if module == d.module {
		return ""
	}
	for _, m := range d.schema.modules {
		if m.Name == module {
			return m.Prefix + ":"
		}
	}
	return "?:"
}

func (d *drawing) draw(n *Node, depth int, mode string) {
	if (n.Kind == Input || n.Kind == Output) && len(n.children) == 0 {
		return
	}
	name := d.prefix(n.Module) + n.Name.Local
	key := n.parent.keyOrder(n) < len(n.parent.Keys)
	optional := "?"
	if n.Mandatory || key {
		optional = ""
	}
	if mode == "rw" && n.ReadOnly {
		mode = "ro"
	}
	own := mode
	switch n.Kind {
	case Container:
		if n.Presence {
			name += "!"
		}
	case List:
		name += "*"
		if len(n.Keys) > 0 {
			name += " [" + strings.Join(n.Keys, " ") + "]"
		}
	case LeafList:
		name += "* " + drawType(n.Type)
	case Leaf:
		name += optional + " " + drawType(n.Type)
	case Any:
		name += optional + " anydata"
	case Choice:
		name = "(" + name + ")" + optional
	case Case:
		own, name = ":", "("+name+")"
	case Operation:
		own = "-x"
	case Input:
		own, mode = "-w", "-w"
	case Output:
		own, mode = "ro", "ro"
	case Notification:
		own, mode = "-n", "ro"
	}
	d.lines = append(d.lines, fmt.Sprintf("%d %s %s", depth, own, name))
	for _, c := range n.children {
		d.draw(c, depth+1, mode)
	}
}

func drawType(t *Type) string {
	if t.Name == "leafref" {
		return "-> " + blanks.ReplaceAllString(t.path.text, "")
	}
	return t.Name
}
