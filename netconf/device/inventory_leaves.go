package device

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// deviceLeaf reads what only a device has.
func (e *element) deviceLeaf(d *Entry, c *tree.Node) bool {
	switch c.Name.Local {
	case "addr":
		if d.Addr = c.Value; d.Addr == "" || strings.ContainsAny(d.Addr, " \t\n/@[]") || strings.Contains(d.Addr, ":") && net.ParseIP(d.Addr) == nil {
			e.fault(c, "addr", fmt.Sprintf("the address %.60q is no host name and no IP address", c.Value), "write one of them alone; the port has an element of its own")
		}
	case "enabled":
		if b := e.boolean(c); b != nil {
			d.Disabled = !*b
		}
	case "device-profile":
		d.Profile = c.Value
	case "device-type":
	case "config":
		e.p.warn(c, e.field+"/config", "configuration inside the inventory is not applied", "let a service make it")
	default:
		return false
	}
	return true
}

// groupLeaf reads what a group has.
func (e *element) groupLeaf(g *Group, c *tree.Node) bool {
	switch c.Name.Local {
	case "device-name":
		g.Devices = append(g.Devices, c.Value)
	case "device-group":
		g.Groups = append(g.Groups, c.Value)
	case "variable":
		e.variable(&g.Vars, c)
	default:
		return false
	}
	return true
}

// settingLeaf reads what profiles and devices both may have. Some leaves of the
// controller's model ask for what is always done here, or for nothing.
func (e *element) settingLeaf(s *Settings, c *tree.Node) bool {
	switch c.Name.Local {
	case "user":
		s.User = c.Value
	case "port":
		s.Port = e.number(c, 1, 65535)
	case "conn-type":
		if c.Value != "NETCONF_SSH" {
			e.fault(c, "conn-type", fmt.Sprintf("the connection type %.40q is not known", c.Value), "use NETCONF_SSH")
		}
	case "ssh-stricthostkey":
		s.StrictHostKey = e.boolean(c)
	case "private-key-file":
		s.PrivateKeyFile = e.path(c)
	case "password-file":
		s.PasswordFile = e.path(c)
	case "known-hosts-file":
		s.KnownHostsFile = e.path(c)
	case "ssh-agent":
		s.Agent = e.boolean(c)
	case "validate":
		s.Validate = e.boolean(c)
	case "confirmed-commit":
		s.Confirmed = e.boolean(c)
	case "variable":
		e.variable(&s.Vars, c)
	case "drift":
		e.drift(s, c)
	case "password", "secret", "passphrase", "private-key":
		e.fault(c, c.Name.Local, "a secret may not stand in an inventory", "put it into a file on the agent's machine that only the agent can read, and name that in <password-file> or <private-key-file>; change the secret, since history keeps this one")
	case "private-candidate":
		if b := e.boolean(c); b != nil && *b {
			e.fault(c, "private-candidate", "private candidates are not known here", "remove the element: the shared candidate is locked while it is used")
		}
	case "yang-config", "module-set", "device-domain", "netconf-framing", "netconf-state-schemas":
		e.p.warn(c, e.field+"/"+c.Name.Local, "<"+c.Name.Local+"> has no effect", "remove it: the device itself is asked")
	default:
		return false
	}
	return true
}

// parts gives the values of a small list entry's leaves, by name, which must all be there.
func (e *element) parts(c *tree.Node, names ...string) (map[string]string, bool) {
	out := map[string]string{}
	for _, leaf := range c.Children {
		if leaf.Name.Space != Namespace || !slices.Contains(names, leaf.Name.Local) {
			e.fault(leaf, c.Name.Local, shown(leaf.Name)+" is no part of a "+c.Name.Local, "it has "+strings.Join(names, " and "))
			return nil, false
		}
		out[leaf.Name.Local] = leaf.Value
	}
	for _, n := range names {
		if _, ok := out[n]; !ok {
			e.fault(c, c.Name.Local, "a "+c.Name.Local+" has no <"+n+">", "it has "+strings.Join(names, " and "))
			return nil, false
		}
	}
	return out, true
}

func (e *element) variable(vars *map[string]string, c *tree.Node) {
	v, ok := e.parts(c, "name", "value")
	if !ok {
		return
	}
	if _, twice := (*vars)[v["name"]]; twice || v["name"] == "" {
		e.fault(c, "variable", fmt.Sprintf("the variable %.60q has no name of its own here", v["name"]), "name each variable once")
		return
	}
	if *vars == nil {
		*vars = map[string]string{}
	}
	(*vars)[v["name"]] = v["value"]
}

func (e *element) drift(s *Settings, c *tree.Node) {
	v, ok := e.parts(c, "path", "policy")
	if !ok {
		return
	}
	switch p := Policy(v["policy"]); {
	case p != Revert && p != Accept && p != Ignore:
		e.fault(c, "drift", fmt.Sprintf("the policy %.40q is not known", v["policy"]), "use revert, accept or ignore")
	case !strings.HasPrefix(v["path"], "/"):
		e.fault(c, "drift", fmt.Sprintf("the path %.60q doesn't begin at the root", v["path"]), "write it as `abide devices diff` shows paths, as in /system/config/hostname")
	default:
		s.Drift = append(s.Drift, Rule{Path: v["path"], Policy: p})
	}
}
