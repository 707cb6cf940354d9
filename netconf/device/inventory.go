package device

import (
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf/tree"
)

// Namespace is that of the documents that hold an inventory.
const Namespace = "http://clicon.org/controller"

// Policy says what happens to an owned path whose value on the device is not
// the wanted one.
type Policy string

// The policies: Revert puts the wanted value back and is the default; Accept
// tells of the device's value once and leaves it until the wish changes; Ignore
// leaves it and says nothing, for leaves that a device rewrites by itself.
const (
	Revert Policy = "revert"
	Accept Policy = "accept"
	Ignore Policy = "ignore"
)

// Rule gives the paths below Path a policy. A list entry in the path without
// keys stands for all entries of the list. The longest path that fits decides.
type Rule struct {
	Path   string `json:"path"`
	Policy Policy `json:"policy"`
}

// Settings are what a profile may give to all its devices, and a device to
// itself. What is nil or empty is not given.
type Settings struct {
	User           string
	Port           int
	StrictHostKey  *bool
	PrivateKeyFile string // file names are absolute, on the agent's machine
	PasswordFile   string
	KnownHostsFile string
	Agent          *bool // keys of the SSH agent that the environment names
	Validate       *bool // <validate> before a commit, where the device does it well
	Confirmed      *bool // confirmed commits, where the device offers them
	Vars           map[string]string
	Drift          []Rule
}

// Profile is a <device-profile>: defaults for the devices that name it.
type Profile struct {
	Name string
	Settings
	Place
}

// Group is a <device-group>, of devices and of other groups.
type Group struct {
	Name    string
	Devices []string
	Groups  []string
	Vars    map[string]string
	Place
}

// Entry is a <device> as its document gives it.
type Entry struct {
	Name     string
	Addr     string
	Profile  string
	Disabled bool
	Settings
	Place
}

// Place is where something stands, and what is wrong with it there.
type Place struct {
	File         string
	Line, Column int
	Faults       problem.List
}

// Inventory is what one document holds, or several that were merged.
type Inventory struct {
	Devices  []Entry
	Groups   []Group
	Profiles []Profile
}

// Limits of what an inventory may hold.
const (
	maxInventory = 16 << 20 // bytes of a document
	maxName      = 253
	maxDepth     = 16 // of groups in groups
)

// ParseInventory reads one <devices> document in the form of the controller,
// with the additions variable, private-key-file, password-file, ssh-agent,
// known-hosts-file, validate, confirmed-commit and drift. The faults of an entry are
// in the list and in its own Faults too, so that a caller can leave out just
// that one; file is what they name as their place.
func ParseInventory(file string, data []byte) (Inventory, problem.List) {
	p := &parser{file: file}
	root, err := tree.Parse(strings.NewReader(string(data)), tree.Limits{Bytes: maxInventory})
	if err != nil {
		p.list = append(p.list, syntax(file, err))
		return p.inv, p.list
	}
	if root.Name != (tree.Name{Space: Namespace, Local: "devices"}) {
		p.fault(root, "", "the root is "+shown(root.Name)+", not <devices> of "+Namespace, "put the inventory into <devices xmlns=\""+Namespace+"\">")
		return p.inv, p.list
	}
	for _, n := range root.Children {
		p.entry(n)
	}
	return p.inv, p.list
}

// Merge puts several documents together. A name that two of them use is a fault
// of the second, which is left out.
func Merge(docs ...Inventory) (Inventory, problem.List) {
	var out Inventory
	var list problem.List
	seen := map[string]Place{}
	taken := func(kind, name string, at *Place) bool {
		first, ok := seen[kind+" "+name]
		if !ok {
			seen[kind+" "+name] = *at
			return false
		}
		list = append(list, at.fault(kind+" "+name, "the "+kind+" "+name+" is already in "+first.String(), "rename or remove one of them"))
		return true
	}
	for _, d := range docs {
		for _, e := range d.Devices {
			if !taken("device", e.Name, &e.Place) {
				out.Devices = append(out.Devices, e)
			}
		}
		for _, g := range d.Groups {
			if !taken("device-group", g.Name, &g.Place) {
				out.Groups = append(out.Groups, g)
			}
		}
		for _, f := range d.Profiles {
			if !taken("device-profile", f.Name, &f.Place) {
				out.Profiles = append(out.Profiles, f)
			}
		}
	}
	return out, list
}
