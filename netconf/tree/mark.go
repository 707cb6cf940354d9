package tree

// mark is a node that deltas touch, or one above such a node.
type mark struct {
	place
	touches  []touched
	lists    []*Def // the lists among the children whose order may change
	children family[*mark]
}

// touched is a touch of one owner at, or above, a place. Old and new are what
// stands in the owner's outputs there.
type touched struct {
	owner    string
	old, new *Node
}

func (m *mark) ident() ident { return m.id }
func (m *mark) schema() *Def { return m.def }

// marks gathers what deltas touch; nil when that is nothing.
func (c *Claims) marks(deltas []Delta) *mark {
	root := &mark{place: place{def: c.schema}}
	for _, d := range deltas {
		for _, t := range c.touches(d) {
			up := root.descend(t.up)
			if t.order {
				if !contains(up.lists, t.def) {
					up.lists = append(up.lists, t.def)
				}
				continue
			}
			m := up.child(&t.place)
			m.touches = append(m.touches, touched{d.Owner, t.old, t.new})
		}
	}
	if len(root.children.list) == 0 && len(root.lists) == 0 {
		return nil
	}
	return root
}

func (m *mark) descend(at *place) *mark {
	if at == nil {
		return m
	}
	return m.descend(at.up).child(at)
}

func (m *mark) child(at *place) *mark {
	if found := m.children.get(at.id); found != nil {
		return found
	}
	made := &mark{place: *at}
	m.children.add(made)
	return made
}
