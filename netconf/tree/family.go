package tree

import (
	"cmp"
	"slices"
	"strings"
)

// member is a child in a tree that is looked into by identity.
type member interface {
	comparable
	ident() ident
	schema() *Def
}

// family holds the children of one node. Few are cheap to hold, and many fast to
// find.
type family[T member] struct {
	list  []T
	index map[ident]int // into list, when there are many
}

const small = 12 // members that are found without an index

func (f *family[T]) find(id ident) int {
	if f.index != nil {
		if i, ok := f.index[id]; ok {
			return i
		}
		return -1
	}
	for i, m := range f.list {
		if m.ident() == id {
			return i
		}
	}
	return -1
}

// get gives the member with that identity, or the zero T.
func (f *family[T]) get(id ident) (m T) {
	if i := f.find(id); i >= 0 {
		return f.list[i]
	}
	return m
}

// add adds a member that the family doesn't have.
func (f *family[T]) add(m T) {
	f.list = append(f.list, m)
	switch {
	case f.index != nil:
		f.index[m.ident()] = len(f.list) - 1
	case len(f.list) > small:
		f.index = make(map[ident]int, 2*len(f.list))
		for i, m := range f.list {
			f.index[m.ident()] = i
		}
	}
}

// remove takes a member out; the last one takes its place.
func (f *family[T]) remove(id ident) {
	i := f.find(id)
	if i < 0 {
		return
	}
	last := len(f.list) - 1
	var none T
	f.list[i] = f.list[last]
	f.list[last] = none
	f.list = f.list[:last]
	if f.index != nil {
		delete(f.index, id)
		if i < last {
			f.index[f.list[i].ident()] = i
		}
	}
}

// sorted gives the members in an order that depends on nothing but them.
func (f *family[T]) sorted() []T {
	out := slices.Clone(f.list)
	slices.SortFunc(out, func(a, b T) int {
		return cmp.Or(compareDefs(a.schema(), b.schema()), strings.Compare(a.ident().key, b.ident().key))
	})
	return out
}
