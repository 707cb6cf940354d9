package device

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// history is a world with what was asked of it.
type history struct {
	*world
	rt    *rapid.T
	asked map[string][]map[string]string // owner → every wish: device → users
	sure  map[string]int                 // owner → the index of what must be in force, at least
}

var (
	pool   = []string{"u1:k", "u2:k", "u3:k", "u4:k"}
	owners = []string{"a", "b", "c"}
)

// TestHistories lets instances come and go at random while devices break, go
// away and are killed in the middle of things with the agent. In the end every
// device has what is wanted and what was there before, and no more.
func TestHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, "persist", "candidate", "running", "confirmed")
			w.restartWith(Config{Hint: time.Hour})
			for _, b := range w.boxes {
				b.byHand(foreign + users("u1:hand", "zoe:hand"))
			}
			h := &history{world: w, rt: rt, asked: map[string][]map[string]string{}, sure: map[string]int{}}
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				h.step()
			}
			h.heal()
			h.check()
			h.clear()
		})
	})
}

func (h *history) step() {
	names := slices.Sorted(maps.Keys(h.boxes))
	switch rapid.IntRange(0, 5).Draw(h.rt, "what") {
	case 0:
		b := h.boxes[rapid.SampledFrom(names).Draw(h.rt, "device")]
		op := rapid.SampledFrom([]string{"lock", "get", "edit", "commit", "confirm", "cancel", "discard", "unlock", "copy"}).Draw(h.rt, "request")
		f := rapid.SampledFrom([]fault{refuse, busyFault, cutBefore, cutAfter, hang}).Draw(h.rt, "fault")
		b.mu.Lock()
		b.faults[op] = append(b.faults[op], f)
		b.mu.Unlock()
	case 1:
		b := h.boxes[rapid.SampledFrom(names).Draw(h.rt, "device")]
		b.setDown(rapid.Bool().Draw(h.rt, "down"))
	case 2:
		h.life.mu.Lock()
		h.life.killAt = h.life.steps + rapid.IntRange(1, 12).Draw(h.rt, "kill")
		h.life.mu.Unlock()
	case 3:
		time.Sleep(time.Duration(rapid.IntRange(0, 600).Draw(h.rt, "seconds")) * time.Second)
	default:
		h.change(names)
	}
	if h.life.alive() != nil {
		h.stop()
		h.start(0)
	}
}

func (h *history) change(names []string) {
	owner := rapid.SampledFrom(owners).Draw(h.rt, "owner")
	mode := rapid.SampledFrom([]Mode{All, PerDevice}).Draw(h.rt, "mode")
	wish := map[string]string{}
	c := Change{Owner: owner}
	if rapid.IntRange(0, 4).Draw(h.rt, "gone") > 0 {
		c.Outputs = on("")
		for _, name := range names {
			mine := rapid.SliceOfNDistinct(rapid.SampledFrom(pool), 0, 3, rapid.ID).Draw(h.rt, name)
			if slices.Sort(mine); len(mine) > 0 {
				wish[name] = users(mine...)
				c.Outputs[name] = xml(wish[name])
			}
		}
	}
	h.asked[owner] = append(h.asked[owner], wish)
	r := h.apply(mode, c)[owner]
	if r.Err == nil || mode == PerDevice && h.life.alive() == nil {
		h.sure[owner] = len(h.asked[owner])
	}
}

// heal mends everything and waits.
func (h *history) heal() {
	for _, b := range h.boxes {
		b.mu.Lock()
		clear(b.faults)
		b.mu.Unlock()
		b.setDown(false)
	}
	h.restart()
	time.Sleep(30 * time.Minute)
	for owner := range h.asked { // what was refused is asked for again
		if s := h.m.State(owner); s.Phase == Refused {
			c := Change{Owner: owner, Outputs: on("")}
			for name, digest := range s.Outputs {
				c.Outputs[name] = h.m.book.tree(digest)
			}
			if len(s.Outputs) == 0 {
				c.Outputs = nil
			}
			h.must(PerDevice, c)
		}
	}
}

func (h *history) check() {
	h.t.Helper()
	have := map[string]map[string]bool{}
	for name := range h.boxes {
		have[name] = map[string]bool{}
	}
	for owner, asked := range h.asked {
		s := h.m.State(owner)
		if s.Phase != InSync && s.Phase != Absent {
			h.rt.Errorf("%s is %+v", owner, s)
		}
		wish := map[string]string{}
		for name, digest := range s.Outputs {
			wish[name] = string(h.m.book.tree(digest).AppendXML(nil))
		}
		possible := asked[max(h.sure[owner]-1, 0):]
		if !slices.ContainsFunc(possible, func(w map[string]string) bool { return sameUsers(w, wish) }) && (h.sure[owner] > 0 || len(wish) > 0) {
			h.rt.Errorf("%s wants %v, which is none of %v", owner, wish, possible)
		}
		for name, digest := range s.Outputs {
			for _, u := range h.m.book.tree(digest).Children[0].Children[0].Children {
				have[name][u.Children[0].Value] = true
			}
		}
	}
	for name, b := range h.boxes {
		want := map[string]string{"zoe": "hand", "u1": "hand"}
		for u := range have[name] {
			want[u] = "k"
		}
		if got := b.users(); !maps.Equal(got, want) {
			h.rt.Errorf("%s has %v, want %v", name, got, want)
		}
	}
	h.quiet("healed")
}

func sameUsers(want, have map[string]string) bool {
	return maps.EqualFunc(want, have, func(w, h string) bool { return string(xml(w).AppendXML(nil)) == h })
}

func (b *box) users() map[string]string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := map[string]string{}
	for _, part := range b.running.Children[0].Children {
		for _, u := range part.Children {
			out[u.Children[0].Value] = u.Children[1].Value
		}
	}
	return out
}

// clear takes everything back.
func (h *history) clear() {
	for _, owner := range owners {
		h.must(All, Change{Owner: owner})
	}
	for name, b := range h.boxes {
		if got := fmt.Sprint(b.users()); got != "map[u1:hand zoe:hand]" {
			h.rt.Errorf("%s is left with %v", name, got)
		}
	}
	time.Sleep(20 * time.Minute)
	h.keep.mu.Lock()
	defer h.keep.mu.Unlock()
	for key := range h.keep.entries {
		if key[:len(keyOutput)] != keyOutput {
			h.rt.Errorf("%s is left: %s", key, h.keep.entries[key])
		}
	}
}
