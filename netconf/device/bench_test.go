package device

import (
	"fmt"
	"testing"
)

// BenchmarkChangeOne changes one of a thousand users of an instance on ten
// devices, all or none. The devices are in memory: what is measured is ours.
func BenchmarkChangeOne(b *testing.B) {
	kinds, names := make([]string, 10), make([]string, 10)
	for i := range kinds {
		kinds[i], names[i] = "persist", fmt.Sprintf("d%d", i+1)
	}
	w := newWorld(b, kinds...)
	words := make([]string, 1000)
	for i := range words {
		words[i] = fmt.Sprintf("user%d:key", i)
	}
	w.must(All, Change{"a", on(users(words...), names...)})
	i := 0
	for b.Loop() {
		i++
		words[500] = fmt.Sprintf("user500:key%d", i)
		w.must(All, Change{"a", on(users(words...), names...)})
	}
}

// BenchmarkNoChange applies a thousand instances that are as wanted already.
func BenchmarkNoChange(b *testing.B) {
	w := newWorld(b, "persist", "persist")
	var changes []Change
	for i := range 1000 {
		changes = append(changes, Change{fmt.Sprintf("i%d", i), on(users(fmt.Sprintf("user%d:key", i)), "d1", "d2")})
	}
	w.must(All, changes...)
	for b.Loop() {
		w.must(All, changes...)
	}
}
