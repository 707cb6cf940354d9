package device

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Record is what is durably known of one device. It is a value: the methods
// give a new one, and what they give shares nothing that is ever changed.
//
// The table of its transitions:
//
//	Begin    before anything is sent: what may be on the device afterwards
//	Done     the device was read and has what was wanted
//	(undone) the device was read and has what it had: the record before Begin holds again
//	Refuse   the device said no, and has what it had
//
// A record between Begin and the end is unsettled: whatever stands in Next
// may be on the device as well as what stands in Held, and all of it is ours.
type Record struct {
	// Held maps each owner to the digest of its output on the device.
	Held map[string]string `json:"held,omitempty"`
	// Next maps owners to the digests of what may be there instead; "" is nothing.
	Next map[string][]string `json:"next,omitempty"`
	// Push is the name of the transaction that was begun, and of its confirmed commit.
	Push string `json:"push,omitempty"`
	// Until is when a confirmed commit of Push is over for sure, confirmed or not.
	Until time.Time `json:"until,omitzero"`
	// Base is the XML of what was there before any owner and is claimed now.
	Base string `json:"base,omitempty"`
	// NextBase is Base together with what was found since, while unsettled.
	NextBase string `json:"next_base,omitempty"`
	// Refused maps owners to what the device said no to.
	Refused map[string]Refusal `json:"refused,omitempty"`
}

// Refusal is a wish that a device said no to. It isn't tried again until the
// wish changes, or somebody asks.
type Refusal struct {
	Digest string    `json:"digest"` // "" for the wish to be gone
	Text   string    `json:"text"`
	At     time.Time `json:"at"`
}

// Settled says whether it is known what is on the device.
func (r Record) Settled() bool { return len(r.Next) == 0 && r.Push == "" }

// Begin records that the transaction named push is about to make the owners'
// outputs those of next ("" for none). It may follow a Begin whose end is not
// known. Until is when a confirmed commit is over. The base is all that is known to have been there before any owner.
func (r Record) Begin(push string, until time.Time, next map[string]string, base string) Record {
	was := r.Next
	r.Next = make(map[string][]string, len(next)+len(was))
	maps.Copy(r.Next, was)
	for owner, digest := range next {
		if !slices.Contains(was[owner], digest) {
			r.Next[owner] = append(slices.Clone(was[owner]), digest)
		}
	}
	r.Push, r.Until, r.NextBase = push, until, base
	return r
}

// Done records that the device has the outputs of held, of these owners.
func (r Record) Done(held map[string]string, base string) Record {
	now, refused := maps.Clone(r.Held), maps.Clone(r.Refused)
	if now == nil {
		now = map[string]string{}
	}
	for owner, digest := range held {
		if delete(refused, owner); digest == "" {
			delete(now, owner)
		} else {
			now[owner] = digest
		}
	}
	return Record{Held: now, Base: base, Refused: refused}
}

// Refuse records a no. The record must be settled.
func (r Record) Refuse(owner string, no Refusal) Record {
	r.Refused = maps.Clone(r.Refused)
	if r.Refused == nil {
		r.Refused = map[string]Refusal{}
	}
	r.Refused[owner] = no
	return r
}

// Retry forgets that these owners' wishes were refused.
func (r Record) Retry(owners ...string) Record {
	r.Refused = maps.Clone(r.Refused)
	for _, o := range owners {
		delete(r.Refused, o)
	}
	return r
}

// stale gives the owners who no longer wish what was refused.
func (r Record) stale(want map[string]string) []string {
	var out []string
	for owner, no := range r.Refused {
		if _, held := r.Held[owner]; want[owner] != no.Digest || no.Digest == "" && !held {
			out = append(out, owner)
		}
	}
	return out
}

// Behind gives the owners of which the device has something else than want
// says, in order, leaving out what it refused.
func (r Record) Behind(want map[string]string) []string {
	var out []string
	for owner, digest := range want {
		if no, ok := r.Refused[owner]; r.Held[owner] != digest && (!ok || no.Digest != digest) {
			out = append(out, owner)
		}
	}
	for owner := range r.Held {
		if _, ok := want[owner]; !ok {
			if no, ok := r.Refused[owner]; !ok || no.Digest != "" {
				out = append(out, owner)
			}
		}
	}
	slices.Sort(out)
	return out
}

// owners gives everybody who may have something on the device, in order.
func (r Record) owners() []string {
	all := maps.Clone(r.Held)
	if all == nil {
		all = map[string]string{}
	}
	for o := range r.Next {
		all[o] = ""
	}
	return slices.Sorted(maps.Keys(all))
}

// digests calls f with each output that the record needs.
func (r Record) digests(f func(string)) {
	for _, d := range r.Held {
		f(d)
	}
	for _, next := range r.Next {
		for _, d := range next {
			f(d)
		}
	}
}

func (r Record) empty() bool {
	return len(r.Held) == 0 && r.Settled() && r.Base == "" && len(r.Refused) == 0
}

// decision is the record of a transaction over several devices whose end is
// decided: they all change. Without one a transaction is undone.
type decision struct {
	Owners  []string  `json:"owners"`
	Devices []string  `json:"devices"`
	At      time.Time `json:"at"`
}

// wish is the record of an owner: the digest of its output for each device.
type wish struct {
	Outputs map[string]string `json:"outputs"`
	Of      string            `json:"of,omitempty"` // [Options.Of]
}

func encode(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a record can't be encoded: %v", err)) // the types hold nothing that can't
	}
	return data
}
