package device

import (
	"slices"

	"github.com/abide-agent/abide/netconf/tree"
)

// policyOf gives the policy of a path: that of the rule that fits and says most,
// in steps and then in keys; of two such the first.
func policyOf(rules []Rule, path string) Policy {
	have, err := tree.ParsePath(path)
	if err != nil {
		return Revert
	}
	best, policy := 0, Revert
	for _, r := range rules {
		want, err := tree.ParsePath(r.Path)
		if err == nil && weight(want) > best && covers(want, have) {
			best, policy = weight(want), r.Policy
		}
	}
	return policy
}

func weight(rule []tree.Step) int {
	const most = 1 << 10 // keys
	w := most * len(rule)
	for _, step := range rule {
		w += len(step.Keys)
	}
	return w
}

// covers says whether have is rule or below it. A step of the rule without keys
// stands for all entries, one without a module for any module.
func covers(rule, have []tree.Step) bool {
	if len(rule) > len(have) {
		return false
	}
	module, wanted := "", ""
	for i, r := range rule {
		if have[i].Module != "" {
			module = have[i].Module
		}
		if r.Module != "" {
			wanted = r.Module
		}
		if r.Name != have[i].Name || wanted != "" && module != "" && module != wanted || !hasKeys(have[i].Keys, r.Keys) {
			return false
		}
	}
	return true
}

func hasKeys(have, want []tree.Predicate) bool {
	for _, k := range want {
		if !slices.Contains(have, k) {
			return false
		}
	}
	return true
}

// without gives an edit without the nodes at the paths, which lead to leaves
// that exist on the device and are wanted there. It is nil when nothing is left.
func without(edit *tree.Node, paths [][]tree.Step) *tree.Node {
	if edit == nil || len(paths) == 0 {
		return edit
	}
	out := *edit
	out.Children = nil
	for _, c := range edit.Children {
		var below [][]tree.Step
		var keys []tree.Predicate
		gone := false
		for _, p := range paths {
			if p[0].Name == c.Name.Local && isEntry(c, p[0].Keys) {
				gone, keys = gone || len(p) == 1, p[0].Keys
				below = append(below, p[1:])
			}
		}
		if !gone && below != nil {
			c = without(c, below)
			gone = c == nil || len(c.Attrs) == 0 && len(c.Children) <= len(keys) // just the keys are left
		}
		if !gone {
			out.Children = append(out.Children, c)
		}
	}
	if len(out.Children) == 0 {
		return nil
	}
	return &out
}

// isEntry says whether a node has these keys.
func isEntry(n *tree.Node, keys []tree.Predicate) bool {
	for _, k := range keys {
		if k.Key == "." {
			if n.Value != k.Value {
				return false
			}
			continue
		}
		if !slices.ContainsFunc(n.Children, func(c *tree.Node) bool { return c.Name.Local == k.Key && c.Value == k.Value }) {
			return false
		}
	}
	return true
}
