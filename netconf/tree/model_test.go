package tree

import (
	"strings"
	"testing"
)

// testModel is a small device, in the notation of defs.
const testModel = `
system module=oc-sys
  hostname -
  users
    user [username]
      username -
      config
        username -
        ssh-key -
        role -
  dns *
  search * user
  banner !
    text -
  blob ?
  tcp - case=transport/tcp
  udp - case=transport/udp
  udp-size - case=transport/udp
acl [name] user
  name -
  rule [proto,port] user
    proto -
    port -
    action -
  log -
`

// defs reads a schema: one node a line, its depth by two blanks, then `-` leaf,
// `*` leaf-list, `[keys]` list, `!` presence container, `?` anydata, `user`
// ordered by the user.
func defs(text string) *Def {
	root := &Def{}
	stack := []*Def{root}
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		words := strings.Fields(line)
		d := &Def{Name: Name{"urn:t", words[0]}, Module: stack[depth].Module}
		for _, w := range words[1:] {
			switch w[0] {
			case '-':
				d.Kind = Leaf
			case '*':
				d.Kind = LeafList
			case '!':
				d.Presence = true
			case '?':
				d.Kind = Any
			case '[':
				d.Kind, d.Keys = List, strings.Split(strings.Trim(w, "[]"), ",")
			case 'u':
				d.UserOrdered = true
			case 'm':
				d.Module = strings.TrimPrefix(w, "module=")
			case 'c':
				choice, c, _ := strings.Cut(strings.TrimPrefix(w, "case="), "/")
				d.Case = []CaseOf{{choice, c}}
			}
		}
		stack[depth].Add(d)
		stack = append(stack[:depth+1], d)
	}
	return root
}

// config reads the children of a <config> in the test model's namespace; `nc:`
// and `y:` are bound to those of edits.
func config(t testing.TB, text string) *Node {
	t.Helper()
	return parse(t, `<config xmlns="urn:t" xmlns:nc="`+BaseSpace+`" xmlns:y="`+YANGSpace+`">`+text+`</config>`)
}

// show writes what stands in a configuration, for comparing.
func show(n *Node) string {
	if n == nil {
		return ""
	}
	text := (&Node{Name: Name{"urn:t", "config"}, Children: n.Children}).Pretty()
	return strings.ReplaceAll(text, ` xmlns="urn:t"`, "")
}
