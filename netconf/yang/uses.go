package yang

// uses writes a grouping out where it is used, with its refinements and
// augments (RFC 7950 section 7.13).
func (c *compiler) uses(s *stmt, x site) ([]*Node, error) {
	g, err := x.scope.grouping(s)
	if err != nil {
		return nil, err
	}
	for u := x.using; u != nil; u = u.up {
		if u.of.at == g.at {
			return nil, faultAt(s, "break the circle", "the grouping %s uses itself", clip(s.Argument))
		}
	}
	nodes, err := c.expand(g.at, site{
		mod: x.mod, scope: g.scope.enter(g.at), depth: x.depth, using: &usage{g, x.using},
	})
	if err != nil {
		return nil, err
	}
	top := &Node{Kind: Case} // a parent until the real one is known
	top.attach(nodes)
	for _, sub := range s.SubStatements() {
		switch sub.Keyword {
		case "refine":
			err = c.refine(top, sub, x)
		case "augment":
			err = c.augmentUse(top, sub, x)
		}
		if err != nil {
			return nil, err
		}
	}
	top.prune()
	for _, n := range top.children {
		n.addWhen(s)
	}
	return top.children, nil
}

// refine changes a node of a grouping where it is used.
func (c *compiler) refine(top *Node, s *stmt, x site) error {
	n, err := top.descend(s, x.scope, x.mod)
	if err != nil {
		return err
	}
	if !featuresOn(s) {
		n.gone = true
		return nil
	}
	n.Presence = n.Presence || first(s, "presence") != nil
	return n.properties(s)
}

// augmentUse adds nodes to one of a grouping where it is used.
func (c *compiler) augmentUse(top *Node, s *stmt, x site) error {
	n, err := top.descend(s, x.scope, x.mod)
	if err != nil || !featuresOn(s) {
		return err
	}
	x.scope = x.scope.enter(s)
	nodes, err := c.expand(s, x)
	if err != nil {
		return err
	}
	n.augment(s, nodes)
	return nil
}

// descend finds the node that a descendant schema node identifier names. Names
// without a prefix are in the namespace of the module that uses the grouping.
func (n *Node) descend(s *stmt, sc *scope, mod *module) (*Node, error) {
	steps, err := parseNodeID(s, sc, mod)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		if n = n.schemaChild(step); n == nil {
			return nil, faultAt(s, "correct the path", "the grouping has no node %s, of %s", step.Local, clip(s.Argument))
		}
	}
	return n, nil
}

// augment adds the nodes of an augment statement.
func (n *Node) augment(s *stmt, nodes []*Node) {
	for _, c := range nodes {
		c.addWhen(s)
	}
	n.attach(nodes)
}

// addWhen notes the condition of a uses or an augment at a node that comes of it.
func (n *Node) addWhen(s *stmt) {
	if w := first(s, "when"); w != nil {
		n.When = append(n.When[:len(n.When):len(n.When)], w.Argument)
	}
}
