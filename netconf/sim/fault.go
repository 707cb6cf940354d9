package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Kind is a way in which a request goes wrong.
type Kind string

// The kinds.
const (
	Refuse  Kind = "refuse"  // an error, and nothing is done
	Cut     Kind = "cut"     // the session ends, and nothing is done
	Lose    Kind = "lose"    // it is done, and the session ends without an answer
	Hang    Kind = "hang"    // nothing is done, and no answer ever comes
	Slow    Kind = "slow"    // it is done after a while
	Garbage Kind = "garbage" // nothing is done, and what comes is no answer
	Nothing Kind = "nothing" // the answer is ok, and nothing is done
	Rewrite Kind = "rewrite" // it is done, and then a leaf of running gets another value
)

// Fault lets requests go wrong.
type Fault struct {
	Op    string // the operation, such as "commit"; "" is any
	Kind  Kind
	Times int           // how many requests; 0 is one, less is all
	Delay time.Duration // of Slow; 0 is a second
	Path  string        // of Rewrite, as in /openconfig-system:system/config/hostname
	Value string        // of Rewrite
}

// ParseFault reads OP=KIND[*TIMES][:DETAIL], where OP is an operation or any, TIMES a
// number or "always", and DETAIL the duration of slow or the PATH=VALUE of rewrite.
func ParseFault(text string) (Fault, error) {
	wrong := fmt.Errorf("the fault %.100q can't be read; write OP=KIND[*TIMES][:DETAIL], as in commit=refuse*2", text)
	op, rest, ok := strings.Cut(text, "=")
	if !ok || op == "" {
		return Fault{}, wrong
	}
	head, detail, detailed := strings.Cut(rest, ":")
	kind, times, counted := strings.Cut(head, "*")
	f := Fault{Op: op, Kind: Kind(kind)}
	if op == "any" {
		f.Op = ""
	}
	if counted {
		n, err := strconv.Atoi(times)
		switch {
		case times == "always":
			n = -1
		case err != nil || n < 1:
			return Fault{}, wrong
		}
		f.Times = n
	}
	var err error
	switch f.Kind {
	case Slow:
		if detailed {
			if f.Delay, err = time.ParseDuration(detail); err != nil || f.Delay < 0 {
				return Fault{}, wrong
			}
		}
	case Rewrite:
		i := strings.LastIndexByte(detail, '=')
		if i <= 0 {
			return Fault{}, errors.New("the fault rewrite needs PATH=VALUE, as in commit=rewrite:/openconfig-system:system/config/hostname=x")
		}
		f.Path, f.Value = detail[:i], detail[i+1:]
		if _, err := tree.ParsePath(f.Path); err != nil {
			return Fault{}, fmt.Errorf("the fault rewrite needs a path that begins at the root: %w", err)
		}
	case Refuse, Cut, Lose, Hang, Garbage, Nothing:
		if detailed {
			return Fault{}, wrong
		}
	default:
		return Fault{}, fmt.Errorf("there is no fault %.40q; the kinds are refuse, cut, lose, hang, slow, garbage, nothing and rewrite", kind)
	}
	return f, nil
}

// Fail lets requests go wrong from here on. Of several faults that fit the one that
// was given first comes first.
func (d *Device) Fail(f Fault) {
	if f.Times == 0 {
		f.Times = 1
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &f)
}

// Heal takes all faults back.
func (d *Device) Heal() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
}

// fault counts a request, and gives what is to go wrong with it, or nil.
func (d *Device) fault(op string) *Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.counts) < maxCounted || d.counts[op] > 0 { // clients may make names up
		d.counts[op]++
	}
	for i, f := range d.faults {
		if f.Op != "" && f.Op != op {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				d.faults = append(d.faults[:i:i], d.faults[i+1:]...)
			}
		}
		return f
	}
	return nil
}

// before says whether the request is carried out, when its time has come.
func (f *Fault) before(ctx context.Context) bool {
	switch f.Kind {
	case Lose, Rewrite:
		return true
	case Slow:
		delay := f.Delay
		if delay == 0 {
			delay = time.Second
		}
		t := time.NewTimer(delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		return true
	}
	return false
}

// instead answers a request that is not carried out.
func (f *Fault) instead(q *netconf.Request) (reply []byte, more bool) {
	switch f.Kind {
	case Refuse:
		return q.AppendError(nil, &netconf.RPCError{Message: "disk full"}), true
	case Garbage:
		return []byte("%% Invalid input detected at '^' marker.\n<rpc-reply"), true
	case Nothing:
		return q.AppendReply(nil), true
	case Hang:
		return nil, true
	}
	return nil, false
}

// rewrite gives a leaf of running another value, if it is there.
func (d *Device) rewrite(f *Fault) error {
	steps, err := tree.ParsePath(f.Path)
	if err != nil {
		return err
	}
	clean := !d.dirty()
	running := d.stores[netconf.Running].config
	if config := rewritten(d.models.root, running, steps, f.Value); config != running {
		d.setRunning(config, nil)
	}
	if clean {
		d.reset()
	}
	return nil
}

// rewritten gives n with the leaf that steps lead to changed, or n.
func rewritten(def *tree.Def, n *tree.Node, steps []tree.Step, value string) *tree.Node {
	if len(steps) == 0 {
		leaf := *n
		leaf.Value = value
		return &leaf
	}
	for i, c := range n.Children {
		d := child(def, c.Name)
		if d == nil || !fits(d, c, steps[0]) {
			continue
		}
		if next := rewritten(d, c, steps[1:], value); next != c {
			out := *n
			out.Children = append([]*tree.Node(nil), n.Children...)
			out.Children[i] = next
			return &out
		}
	}
	return n
}

func fits(d *tree.Def, n *tree.Node, s tree.Step) bool {
	if n.Name.Local != s.Name || s.Module != "" && s.Module != d.Module {
		return false
	}
	for _, k := range s.Keys {
		if leaf := n.Child(tree.Name{Space: d.Name.Space, Local: k.Key}); leaf == nil || leaf.Value != k.Value {
			return false
		}
	}
	return true
}
