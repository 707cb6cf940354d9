package device

import (
	"time"

	"github.com/abide-agent/abide/netconf/tree"
)

// Change is what one service instance wants from now on: a configuration tree
// for each device that it touches. Nil Outputs: the instance is gone.
type Change struct {
	Owner   string // "ssh-users[ops]"
	Outputs map[string]*tree.Node
}

// Mode says what belongs together.
type Mode string

// The modes: All changes every device of an instance or none of them, PerDevice
// lets each device follow when it can.
const (
	All       Mode = "all"
	PerDevice Mode = "per-device"
)

// Options say how changes are applied.
type Options struct {
	Mode Mode
	// Patience is how long Apply waits for devices that don't follow. In the mode
	// PerDevice what is not there by then goes on in the background. Zero stands
	// for the Manager's timeout of an RPC.
	Patience time.Duration
	// Of says by owner what its outputs were made of, in the caller's words. It is
	// recorded with the wish: [Manager.MadeOf] gives it back.
	Of map[string]string
}

// Result is how the change of one instance came out.
type Result struct {
	// Err is nil when the wish is fulfilled or will be by itself. A *[RefusedError]
	// or *[ConflictError] needs a human; after anything else the same change may be
	// applied again. In the mode All a change with an error has changed nothing.
	Err error
	// Pending are the devices that have yet to follow, which they do by themselves.
	Pending []string
	// Refused are the errors by device, in the mode PerDevice, where the other
	// devices have followed. Err is the first of them.
	Refused map[string]error
}

// DevicePlan is what Apply would send to one device.
type DevicePlan struct {
	Device string `json:"device"`
	// XML is the <config> of the edit-config, byte for byte as it would be sent;
	// nil for nothing. It may hold secrets: whoever shows it masks them.
	XML     []byte        `json:"xml,omitempty"`
	Changes []tree.Change `json:"-"`              // may hold secrets
	Diff    string        `json:"diff,omitempty"` // unified, of the subtrees that are touched; may hold secrets
	Err     error         `json:"-"`              // why it can't be known
}
