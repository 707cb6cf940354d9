package netconf

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// The capabilities that a hello of ours offers, and those that others are named
// after here (RFC 6241, sections 8 and 10.4).
const (
	Base10 = "urn:ietf:params:netconf:base:1.0"
	Base11 = "urn:ietf:params:netconf:base:1.1"
)

// capabilityStems are what the short form of a capability stands for; old
// servers have an `xml:ns` too much in it.
var capabilityStems = []string{
	"urn:ietf:params:netconf:capability:", "urn:ietf:params:netconf:",
	"urn:ietf:params:xml:ns:netconf:capability:", "urn:ietf:params:xml:ns:netconf:",
}

// Capabilities are what a hello offers. They are only read once made.
type Capabilities struct {
	uris    []string
	modules []Module
	library string // what yang-library calls the set of modules
}

// Module is a YANG module that a hello names (RFC 6020, section 5.6.4).
type Module struct {
	Name, Revision, Namespace string
	Features, Deviations      []string
}

// NewCapabilities reads the URIs of a hello.
func NewCapabilities(uris []string) Capabilities {
	c := Capabilities{uris: uris}
	for _, uri := range uris {
		stem, query, _ := strings.Cut(uri, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			continue
		}
		if strings.HasPrefix(stem, "urn:ietf:params:netconf:capability:yang-library:") {
			c.library = orElse(values.Get("content-id"), values.Get("module-set-id"))
		}
		if name := values.Get("module"); name != "" {
			c.modules = append(c.modules, Module{
				Name: name, Revision: values.Get("revision"), Namespace: stem,
				Features: words(values.Get("features")), Deviations: words(values.Get("deviations")),
			})
		}
	}
	return c
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' })
}

// URIs gives them all as the hello does, to be read only.
func (c Capabilities) URIs() []string { return c.uris }

// Modules gives the YANG modules among them. Devices with a YANG library
// (RFC 8525) may name none.
func (c Capabilities) Modules() []Module { return c.modules }

// Has says whether a capability is offered: its whole URI less parameters, or
// its short form with a version or without one (":candidate",
// ":confirmed-commit:1.1", ":base:1.1").
func (c Capabilities) Has(name string) bool {
	return slices.ContainsFunc(c.uris, func(uri string) bool {
		uri, _, _ = strings.Cut(uri, "?")
		if uri == name {
			return true
		}
		short, ok := strings.CutPrefix(name, ":")
		if !ok {
			return false
		}
		for _, stem := range capabilityStems {
			rest, ok := strings.CutPrefix(uri, stem)
			if ok && (rest == short || strings.HasPrefix(rest, short+":")) {
				return true
			}
		}
		return false
	})
}

// enough is how long an identifier of a set of modules must be to say anything
// beyond its own device: some count from 0.
const enough = 8

// ModuleSet names the set of modules, so that devices that are equal in it can
// share schemas: a digest of what the hello says about modules. It is empty where
// the hello says too little; [SchemaSet] then tells from the list of schemas.
func (c Capabilities) ModuleSet() string {
	if len(c.modules) == 0 && len(c.library) < enough {
		return ""
	}
	lines := []string{"library " + c.library}
	for _, m := range c.modules {
		lines = append(lines, strings.Join([]string{
			m.Namespace, m.Name, m.Revision, strings.Join(m.Features, ","), strings.Join(m.Deviations, ","),
		}, " "))
	}
	return digest(lines)
}

// SchemaSet is [Capabilities.ModuleSet] made of a list of schemas, or empty.
func SchemaSet(schemas []Schema) string {
	if len(schemas) == 0 {
		return ""
	}
	lines := []string{"schemas"}
	for _, s := range schemas {
		lines = append(lines, strings.Join([]string{s.Namespace, s.Name, s.Version, s.Format}, " "))
	}
	return digest(lines)
}

// digest sorts all but the first line, whose order devices don't keep.
func digest(lines []string) string {
	slices.Sort(lines[1:])
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// readCapabilities reads those of a hello.
func readCapabilities(hello *tree.Node) Capabilities {
	var uris []string
	for _, list := range hello.Children {
		if list.Name.Local != "capabilities" {
			continue
		}
		for _, c := range list.Children {
			if uri := strings.TrimSpace(c.Value); uri != "" {
				uris = append(uris, uri)
			}
		}
	}
	return NewCapabilities(uris)
}
