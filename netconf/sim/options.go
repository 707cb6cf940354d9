package sim

import (
	"errors"
	"fmt"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// Mode says which datastores a device has.
type Mode int

// The modes: a candidate that is committed, as on most devices; or running that
// is written to directly, and copied to startup to last.
const (
	WithCandidate Mode = iota
	WithStartup
)

// Bounds of a device, for all that its clients decide.
const (
	maxSessions = 64
	maxToken    = 255      // bytes of the name of a confirmed commit
	maxRequest  = 64 << 20 // bytes on the wire
	maxWaiting  = 1024     // notifications that a session has not read
	maxCounted  = 64       // operations that are counted
	maxTold     = 100      // edits in a notification, and errors in a reply
)

// requestLimits bounds a request in memory.
var requestLimits = tree.Limits{Bytes: 32 << 20, Depth: 128, Nodes: 1 << 20}

// Options says what a device is like. The zero value is a device that nobody can
// log in to.
type Options struct {
	Models *Models // nil is [DefaultModels]
	Mode   Mode

	User           string // who may log in; "" is any name
	Password       string // "" is none
	AuthorizedKeys []byte // public keys, as ~/.ssh/authorized_keys has them
	HostKey        []byte // a private key, as [NewKey] makes them; nil makes one

	// Startup is what the device begins with. It keeps nothing itself: Save is
	// called with what is to last, before the client is told so, and its error
	// becomes the client's. It must not call the device.
	Startup *tree.Node
	Save    func(config *tree.Node) error
}

// whole makes a datastore's tree of a configuration, which must be what the models
// allow; nil is the empty one.
func (m *Models) whole(config *tree.Node) (*tree.Node, error) {
	empty := &tree.Node{Name: tree.Name{Local: "config"}}
	if config == nil {
		return empty, nil
	}
	var lines []string
	for _, e := range m.payload(config) {
		lines = append(lines, strings.Trim(e.Path+": "+e.Message, ": "))
	}
	if lines == nil {
		next, err := tree.ApplyEdit(empty, config, m.root)
		if err != nil {
			return nil, fmt.Errorf("the configuration can't be taken: %w", err)
		}
		faults := m.schema.Validate(next)
		if faults == nil {
			return next, nil
		}
		for _, f := range faults {
			lines = append(lines, f.String())
		}
	}
	const most = 5
	return nil, errors.New("the configuration is not what the models allow: " +
		strings.Join(lines[:min(most, len(lines))], "; ") + more(len(lines)-most))
}

func more(n int) string {
	if n <= 0 {
		return ""
	}
	return fmt.Sprintf("; and %d more", n)
}
