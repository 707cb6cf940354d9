package tree

import "hash/maphash"

// name gives the one string of the document for a name.
func (p *parser) name(b []byte) string {
	if s, ok := p.names[string(b)]; ok {
		return s
	}
	s := string(b)
	p.names[s] = s
	return s
}

// keep makes a string of b, out of a big piece of memory, or the same as not
// long ago.
func (p *parser) keep(b []byte) string {
	const piece = 8 << 10
	if len(b) == 0 {
		return ""
	}
	if len(b) > piece/4 {
		return string(b)
	}
	slot := &p.recent[maphash.Bytes(p.seed, b)%uint64(len(p.recent))]
	if *slot == string(b) {
		return *slot
	}
	if p.strings.Cap()-p.strings.Len() < len(b) {
		p.strings.Reset()
		p.strings.Grow(piece)
	}
	at := p.strings.Len()
	p.strings.Write(b)
	*slot = p.strings.String()[at:]
	return *slot
}

// node makes an empty node.
func (p *parser) node() *Node {
	if p.used == len(p.slab) {
		p.slab, p.used = make([]Node, min(68, max(4, p.nodes))), 0 // 68 fill 8 KiB
	}
	p.used++
	return &p.slab[p.used-1]
}

// share gives a leaf that is equal to n and was read not long ago, or n.
func (p *parser) share(n *Node) *Node {
	if p.used == 0 || n != &p.slab[p.used-1] || n.Children != nil || n.Attrs != nil || n.Prefixes != nil {
		return n
	}
	slot := &p.leaves[(maphash.String(p.seed, n.Value)^maphash.String(p.seed, n.Name.Local))%uint64(len(p.leaves))]
	if old := *slot; old != nil && old.Name == n.Name && old.Value == n.Value {
		*n = Node{}
		p.used--
		return old
	}
	*slot = n
	return n
}

// adopt copies children into a slice of just their number.
func (p *parser) adopt(children []*Node) []*Node {
	n := len(children)
	if len(p.pointers) < n {
		if n > 128 {
			return append(make([]*Node, 0, n), children...)
		}
		p.pointers = make([]*Node, min(1024, max(8, p.nodes, n)))
	}
	own := p.pointers[:n:n]
	p.pointers = p.pointers[n:]
	copy(own, children)
	return own
}
