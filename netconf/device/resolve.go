package device

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
	"github.com/abide-agent/abide/netconf"
)

// DefaultPort is that of NETCONF over SSH (RFC 6242).
const DefaultPort = 830

// Device is one device with all that its profile and its groups give it.
type Device struct {
	Name     string
	Addr     string // as the document has it, without the port
	Groups   []string
	Vars     map[string]string
	Disabled bool // it is left alone: nothing is sent to it
	Target   netconf.Target
	// Validate asks for <validate> before a commit; Confirmed allows confirmed commits.
	Validate, Confirmed bool
	Drift               []Rule
	Place               // a device with errors among its faults must not be given to the Manager
}

// Resolve gives the devices of an inventory, ordered by name. Values come from
// the device itself, else from its groups (the nearest first), else from its
// profile. The problems that it finds are in the list, and those of a device in
// its Faults too.
func Resolve(inv Inventory) ([]Device, problem.List) {
	r := &resolver{profiles: map[string]Profile{}, groups: map[string]Group{}, parents: map[string][]string{}, of: map[string][]string{}}
	for _, p := range inv.Profiles {
		r.profiles[p.Name] = p
	}
	for _, g := range inv.Groups {
		r.groups[g.Name] = g
	}
	known := map[string]bool{}
	for _, e := range inv.Devices {
		known[e.Name] = true
	}
	for _, g := range inv.Groups {
		for _, d := range g.Devices {
			if !known[d] {
				r.list = append(r.list, g.fault("device-group["+g.Name+"]", fmt.Sprintf("the group names the device %.60q, which is not in the inventory", d), "add the device, or take it out of the group"))
			}
			r.of[d] = append(r.of[d], g.Name)
		}
		for _, sub := range g.Groups {
			if _, ok := r.groups[sub]; !ok {
				r.list = append(r.list, g.fault("device-group["+g.Name+"]", fmt.Sprintf("the group names the group %.60q, which is not in the inventory", sub), "add the group, or take it out"))
			}
			r.parents[sub] = append(r.parents[sub], g.Name)
		}
		if r.cyclic(g.Name) {
			r.list = append(r.list, g.fault("device-group["+g.Name+"]", "the group contains itself", "take one of the groups out of the circle"))
		}
	}
	var out []Device
	for _, e := range inv.Devices {
		out = append(out, r.device(e))
	}
	slices.SortFunc(out, func(a, b Device) int { return strings.Compare(a.Name, b.Name) })
	return out, r.list
}

// resolver looks names up.
type resolver struct {
	profiles map[string]Profile
	groups   map[string]Group
	parents  map[string][]string // of groups: the groups that name them
	of       map[string][]string // of devices: the groups that name them
	list     problem.List
}

// above gives the groups of a device, or above a group, by nearness.
func (r *resolver) above(direct []string) [][]string {
	var out [][]string
	seen := map[string]bool{}
	for level := direct; len(level) > 0 && len(out) < maxDepth; {
		var now, next []string
		for _, g := range level {
			if !seen[g] {
				seen[g] = true
				now = append(now, g)
				next = append(next, r.parents[g]...)
			}
		}
		if len(now) > 0 {
			slices.Sort(now)
			out = append(out, now)
		}
		level = next
	}
	return out
}

func (r *resolver) cyclic(group string) bool {
	for _, level := range r.above(r.parents[group]) {
		if slices.Contains(level, group) {
			return true
		}
	}
	return false
}

func (r *resolver) device(e Entry) Device {
	d := Device{Name: e.Name, Addr: e.Addr, Disabled: e.Disabled, Vars: map[string]string{}, Place: e.Place}
	d.Faults = slices.Clone(e.Faults)
	fault := func(message, hint string) {
		p := e.fault("device["+e.Name+"]", message, hint)
		d.Faults, r.list = append(d.Faults, p), append(r.list, p)
	}
	s := e.Settings
	maps.Copy(d.Vars, e.Vars)
	if e.Profile != "" {
		p, ok := r.profiles[e.Profile]
		if !ok {
			fault(fmt.Sprintf("the device-profile %.60q is not in the inventory", e.Profile), "add it, or mend the name")
		}
		if faults := p.Faults.Errors(); len(faults) > 0 {
			d.Faults = append(d.Faults, faults...)
		}
		s = s.over(p.Settings)
	}
	for _, level := range r.above(r.of[e.Name]) {
		here := map[string]string{} // variable → the group of this level that gave it
		for _, name := range level {
			for k, v := range r.groups[name].Vars {
				_, nearer := d.Vars[k]
				switch from, twice := here[k]; {
				case twice && v != d.Vars[k]:
					fault(fmt.Sprintf("the groups %s and %s give the variable %s different values", from, name, k), "give the device a value of its own, or change a group")
				case !nearer:
					d.Vars[k], here[k] = v, name
				}
			}
		}
		d.Groups = append(d.Groups, level...)
	}
	for k, v := range r.profiles[e.Profile].Vars {
		if _, nearer := d.Vars[k]; !nearer {
			d.Vars[k] = v
		}
	}
	slices.Sort(d.Groups)
	d.apply(s)
	if d.Target.User == "" && len(d.Faults.Errors()) == 0 {
		fault("the device has no user to log in as", "add <user> to the device or its profile")
	}
	return d
}

// over gives s with what it leaves open taken from base. Variables stay apart.
func (s Settings) over(base Settings) Settings {
	s.User = first(s.User, base.User)
	s.Port = first(s.Port, base.Port)
	s.StrictHostKey = first(s.StrictHostKey, base.StrictHostKey)
	s.PrivateKeyFile = first(s.PrivateKeyFile, base.PrivateKeyFile)
	s.PasswordFile = first(s.PasswordFile, base.PasswordFile)
	s.KnownHostsFile = first(s.KnownHostsFile, base.KnownHostsFile)
	s.Agent = first(s.Agent, base.Agent)
	s.Validate = first(s.Validate, base.Validate)
	s.Confirmed = first(s.Confirmed, base.Confirmed)
	s.Drift = slices.Concat(s.Drift, base.Drift) // of two rules for one path the first decides
	return s
}

func first[T comparable](a, b T) T {
	var none T
	if a != none {
		return a
	}
	return b
}

func isSet(b *bool, otherwise bool) bool {
	if b == nil {
		return otherwise
	}
	return *b
}

func (d *Device) apply(s Settings) {
	port := first(s.Port, DefaultPort)
	d.Target = netconf.Target{
		Addr: net.JoinHostPort(d.Addr, strconv.Itoa(port)), User: s.User, KnownHosts: s.KnownHostsFile, InsecureHostKey: !isSet(s.StrictHostKey, true),
		Auth: netconf.Auth{PasswordFile: s.PasswordFile, Agent: isSet(s.Agent, false)},
	}
	if s.PrivateKeyFile != "" {
		d.Target.KeyFiles = []string{s.PrivateKeyFile}
	}
	d.Validate, d.Confirmed = isSet(s.Validate, false), isSet(s.Confirmed, true)
	d.Drift = s.Drift
}
