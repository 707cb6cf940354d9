package tree

import (
	"slices"
	"sort"
)

// order plans the entries of an `ordered-by user` list: the edits of the spots,
// and what else has to move.
func (p *planner) order(s *spot, list *Def, all []*spot) (edit, undo []*Node) {
	spots := map[ident]*spot{}
	made, gone := map[ident]bool{}, map[ident]bool{}
	for _, child := range all {
		if child.def != list || child.edit == nil {
			continue
		}
		spots[child.id] = child
		if child.obs == nil {
			made[child.id] = true
		} else if child.gone() {
			gone[child.id] = true
		}
	}
	before := sequence(list, s.obs)
	left := slices.DeleteFunc(slices.Clone(before), func(id ident) bool { return gone[id] })
	var want []ident
	if s.claim != nil {
		want = s.claim.order(list)
	}
	o := orderer{s: s, list: list, nodes: map[ident]*Node{}}
	for _, n := range contents(s.obs) {
		if n.Name == list.Name {
			o.nodes[identOf(list, n)] = n
		}
	}

	moves, after := arrange(left, want, made)
	moved := map[ident]bool{}
	for _, child := range all { // what goes makes room, and what only changes stays
		if child.def == list && child.edit != nil && !made[child.id] {
			edit = append(edit, child.edit)
		}
	}
	for _, m := range moves {
		moved[m.id] = true
		edit = append(edit, o.inserted(m, spots[m.id], true))
		if !made[m.id] {
			p.changes = append(p.changes, Change{Path: s.path() + pathStep(s.def, list, o.bare(m.id)), Op: OpMove, Owners: s.claim.child(m.id).ownerNames()})
		}
	}
	for _, child := range all { // set back, with no place that anybody wants
		if made[child.id] && child.def == list && !moved[child.id] {
			edit = append(edit, child.edit)
			after = append(after, child.id)
		}
	}

	after = slices.DeleteFunc(after, func(id ident) bool { return made[id] })
	back, _ := arrange(after, before, gone)
	for _, child := range all {
		if child.def == list && child.edit != nil && !gone[child.id] {
			undo = append(undo, child.undo)
		}
	}
	for _, m := range back {
		undo = append(undo, o.inserted(m, spots[m.id], false))
	}
	return edit, undo
}

// orderer makes edits that place entries of a list.
type orderer struct {
	s     *spot
	list  *Def
	nodes map[ident]*Node // those observed
}

// bare gives an entry with nothing but what identifies it.
func (o *orderer) bare(id ident) *Node {
	n := o.nodes[id]
	if c := o.s.claim.child(id); c.owned() {
		if n = c.want(); n == nil {
			n = &Node{Children: c.keys}
		}
	}
	out := &Node{Name: id.name, Children: keyNodes(o.list, n)}
	if o.list.Kind == LeafList {
		out.Value, out.Prefixes = n.Value, n.Prefixes
	}
	return out
}

// inserted gives the edit for a move; of an entry that is made or brought back
// the spot has the content.
func (o *orderer) inserted(m move, s *spot, forth bool) *Node {
	n := o.bare(m.id)
	switch {
	case s == nil:
	case forth && s.obs == nil:
		n = plain(s.edit)
	case !forth && s.gone():
		n = plain(s.undo)
	}
	if m.where == "" {
		return n
	}
	n.Attrs = append(n.Attrs, Attr{Name{YANGSpace, "insert"}, m.where})
	anchor := o.bare(m.anchor)
	if o.list.Kind == LeafList {
		n.Attrs = append(n.Attrs, Attr{Name{YANGSpace, "value"}, anchor.Value})
		n.Prefixes = union(n.Prefixes, anchor.Prefixes)
		return n
	}
	var key []byte
	for _, k := range anchor.Children {
		name := k.Name.Local
		if k.Name.Space != "" { // the key attribute is an XPath: its names need a prefix
			name = "k:" + name
			n.Prefixes = union(n.Prefixes, map[string]string{"k": k.Name.Space})
		}
		key = appendPredicate(key, name, k.Value)
		n.Prefixes = union(n.Prefixes, k.Prefixes)
	}
	n.Attrs = append(n.Attrs, Attr{Name{YANGSpace, "key"}, string(key)})
	return n
}

func union(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := map[string]string{}
	for k, v := range a {
		out[k] = v
	}
	for k, v := range b {
		out[k] = v
	}
	return out
}

// move places one entry: before or after an anchor, or at the end.
type move struct {
	id     ident
	where  string // "before", "after", or "" for where a new entry comes by itself
	anchor ident
}

// arrange gives the fewest moves that bring the entries of now which are in target
// into its order, and place those of target which are made. The others stay. The
// moves count on each other. The second result is how the list is then.
func arrange(now, target []ident, made map[ident]bool) ([]move, []ident) {
	place := make(map[ident]int, len(target))
	for i, id := range target {
		place[id] = i
	}
	here := map[ident]bool{}
	var known []ident
	for _, id := range now {
		if _, ok := place[id]; ok {
			known = append(known, id)
			here[id] = true
		}
	}
	stays := ascending(known, place)
	var moves []move
	var last *ident // of target, that stands where it belongs
	now = slices.Clone(now)
	for i, id := range target {
		if !stays[id] && !here[id] && !made[id] {
			continue
		}
		if !stays[id] {
			if here[id] {
				now = slices.Delete(now, slices.Index(now, id), slices.Index(now, id)+1)
			}
			m, at := move{id: id}, len(now)
			if last != nil {
				m.where, m.anchor = "after", *last
				if now[at-1] != *last {
					at = slices.Index(now, *last) + 1
				}
			} else if next := slices.IndexFunc(target[i:], func(n ident) bool { return stays[n] }); next >= 0 {
				m.where, m.anchor = "before", target[i+next]
				at = slices.Index(now, m.anchor)
			}
			if at == len(now) && !here[id] {
				m.where = ""
			}
			now = slices.Insert(now, at, id)
			moves = append(moves, m)
		}
		last = &target[i]
	}
	return moves, now
}

// ascending gives the most of ids that stand in the order of their places already.
func ascending(ids []ident, place map[ident]int) map[ident]bool {
	tails := []int{} // tails[n] is where the best run of n+1 ends
	from := make([]int, len(ids))
	for i, id := range ids {
		n := sort.Search(len(tails), func(n int) bool { return place[ids[tails[n]]] >= place[id] })
		from[i] = -1
		if n > 0 {
			from[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, i)
		} else {
			tails[n] = i
		}
	}
	out := map[ident]bool{}
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = from[i] {
			out[ids[i]] = true
		}
	}
	return out
}
