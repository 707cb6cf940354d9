package sim_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
)

// BenchmarkThousandUsers makes a thousand users, and then changes one of them.
func BenchmarkThousandUsers(b *testing.B) {
	d := start(b, sim.Options{})
	s := d.dial(b)
	var all strings.Builder
	for i := range 1000 {
		all.WriteString(user(fmt.Sprintf("u%04d", i)))
	}
	must(b, s.EditConfig(b.Context(), merge, users(b, all.String())), s.Commit(b.Context(), netconf.CommitOptions{}))
	n := 0
	for b.Loop() {
		n++
		must(b, s.EditConfig(b.Context(), merge, users(b, fmt.Sprintf("<user><username>u0500</username><config><role>r%d</role></config></user>", n))),
			s.Commit(b.Context(), netconf.CommitOptions{}))
	}
}
