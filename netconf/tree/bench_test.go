package tree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

const oc = "http://openconfig.net/yang/system"

// fleet makes the configuration of a device with users of 4 leaves, as in the
// wire logs of netconfd and clixon, or of 7 that are short.
func fleet(users, leaves, changed int) *Node {
	el := func(name string, children ...*Node) *Node { return &Node{Name: Name{oc, name}, Children: children} }
	leaf := func(name, value string) *Node { return &Node{Name: Name{oc, name}, Value: value} }
	list := el("users")
	for i := range users {
		name, key := fmt.Sprintf("user%05d", i), fmt.Sprintf("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI%043d %d@example.net", i*7919, i)
		if leaves > 4 {
			key = key[:40]
		}
		if i == changed {
			key = "ssh-ed25519 changed"
		}
		inside := el("config", leaf("username", name), leaf("ssh-key", key), leaf("role", "operator"))
		if leaves > 4 {
			inside.Children = append(inside.Children, leaf("full-name", "User "+name), leaf("uid", fmt.Sprint(2000+i)), leaf("shell", "/bin/sh"))
		}
		list.Children = append(list.Children, el("user", leaf("username", name), inside))
	}
	return &Node{Name: Name{"", "config"}, Children: []*Node{el("system", el("aaa", el("authentication", list)))}}
}

func openConfig() *Def {
	root, at := &Def{}, (*Def)(nil)
	at = root
	add := func(to *Def, name string, kind Kind) *Def {
		d := &Def{Name: Name{oc, name}, Module: "openconfig-system", Kind: kind}
		to.Add(d)
		return d
	}
	for _, name := range []string{"system", "aaa", "authentication", "users"} {
		at = add(at, name, Container)
	}
	at = add(at, "user", List)
	at.Keys = []string{"username"}
	add(at, "username", Leaf)
	at = add(at, "config", Container)
	for _, name := range []string{"username", "ssh-key", "role", "full-name", "uid", "shell"} {
		add(at, name, Leaf)
	}
	return root
}

// heap gives the bytes that are live now.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestMemory holds Parse to three times the size of a 4 MB get-config, in what
// lives afterwards and in all that was ever allocated but for the buffers.
func TestMemory(t *testing.T) {
	for name, doc := range map[string]string{
		"as clixon writes it":   string(fleet(19000, 4, -1).AppendXML(nil)),
		"as netconfd writes it": fleet(13000, 4, -1).Pretty(),
		"short leaves":          string(fleet(18000, 7, -1).AppendXML(nil)),
	} {
		for _, share := range []bool{true, false} {
			var before, after runtime.MemStats
			base := heap()
			runtime.ReadMemStats(&before)
			n, err := Parse(strings.NewReader(doc), Limits{Share: share})
			runtime.ReadMemStats(&after)
			if err != nil {
				t.Fatal(err)
			}
			size := float64(len(doc))
			live, total := float64(heap()-base)/size, float64(after.TotalAlloc-before.TotalAlloc)/size
			t.Logf("%s, share %t: of %d bytes %.2f× live, %.2f× allocated", name, share, len(doc), live, total)
			if size < 4<<20 || share && (live > 3 || total > 3+0.3) {
				t.Errorf("%s: that is too much", name)
			}
			runtime.KeepAlive(n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	compact, indented := fleet(19000, 4, -1).AppendXML(nil), []byte(fleet(13000, 4, -1).Pretty())
	for _, test := range []struct {
		name  string
		doc   []byte
		share bool
	}{{"compact", compact, false}, {"compact-shared", compact, true}, {"indented-shared", indented, true}} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(int64(len(test.doc)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bytes.NewReader(test.doc), Limits{Share: test.share}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding-xml-tokens", func(b *testing.B) { // only reads, and builds nothing
		b.SetBytes(int64(len(compact)))
		b.ReportAllocs()
		for b.Loop() {
			for d := xml.NewDecoder(bytes.NewReader(compact)); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	n := fleet(12000, 7, -1)
	dst := n.AppendXML(nil)
	b.SetBytes(int64(len(dst)))
	b.ReportAllocs()
	for b.Loop() {
		dst = n.AppendXML(dst[:0])
	}
}

var sizes = []int{250, 1000, 4000}

// BenchmarkApply changes one user of many and takes it back.
func BenchmarkApply(b *testing.B) {
	for _, users := range sizes {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			c := NewClaims(openConfig())
			old, now := fleet(users, 7, -1), fleet(users, 7, users/2)
			c.Apply(Delta{"ops", nil, old})
			b.ReportAllocs()
			for b.Loop() {
				c.Apply(Delta{"ops", old, now})
				c.Apply(Delta{"ops", now, old})
			}
		})
	}
}

// BenchmarkApplyAll claims all users for the first time.
func BenchmarkApplyAll(b *testing.B) {
	for _, users := range sizes {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			n, schema := fleet(users, 7, -1), openConfig()
			b.ReportAllocs()
			for b.Loop() {
				c := NewClaims(schema)
				c.Apply(Delta{"ops", nil, n})
			}
		})
	}
}

// BenchmarkPlan plans the change of one user of many from what the filter selects,
// which BenchmarkFilter makes: neither may grow with the number of users.
func BenchmarkPlan(b *testing.B) {
	benchmarkChange(b, func(c *Claims, observed *Node, d Delta) *Node { return c.Plan(observed, nil, d).Edit })
}

func BenchmarkFilter(b *testing.B) {
	benchmarkChange(b, func(c *Claims, _ *Node, d Delta) *Node { return c.Filter(d) })
}

func benchmarkChange(b *testing.B, f func(c *Claims, observed *Node, d Delta) *Node) {
	for _, users := range sizes {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			c := NewClaims(openConfig())
			d := Delta{"ops", fleet(users, 7, -1), fleet(users, 7, users/2)}
			c.Apply(Delta{"ops", nil, d.Old})
			c.Apply(d)
			observed := selected(d.Old, c.Filter(d))
			b.ReportAllocs()
			for b.Loop() {
				if f(c, observed, d) == nil {
					b.Fatal("nothing came out")
				}
			}
		})
	}
}

// TestPlanIsFlat counts what planning one change allocates, which is the work it
// does, beside few users and beside many.
func TestPlanIsFlat(t *testing.T) {
	var allocs [2]float64
	for i, users := range []int{250, 4000} {
		c := NewClaims(openConfig())
		d := Delta{"ops", fleet(users, 7, -1), fleet(users, 7, users/2)}
		c.Apply(Delta{"ops", nil, d.Old})
		c.Apply(d)
		observed := selected(d.Old, c.Filter(d))
		allocs[i] = testing.AllocsPerRun(20, func() {
			c.Filter(d)
			c.Plan(observed, nil, d)
		})
	}
	if allocs[0] == 0 || allocs[1] > allocs[0] {
		t.Errorf("%v allocations for 250 users, %v for 4000", allocs[0], allocs[1])
	}
}

// BenchmarkPlanAll compares all that is claimed with the whole device.
func BenchmarkPlanAll(b *testing.B) {
	for _, users := range sizes {
		b.Run(fmt.Sprint(users), func(b *testing.B) {
			c := NewClaims(openConfig())
			n := fleet(users, 7, -1)
			c.Apply(Delta{"ops", nil, n})
			b.ReportAllocs()
			for b.Loop() {
				if plan := c.Plan(n, nil); plan.Edit != nil {
					b.Fatal("it differs")
				}
			}
		})
	}
}
