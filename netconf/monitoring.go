package netconf

import (
	"context"
	"errors"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// Namespaces of what a device tells about itself.
const (
	MonitoringSpace   = "urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring" // RFC 6022
	NotificationSpace = "urn:ietf:params:xml:ns:netconf:notification:1.0"     // RFC 5277
	// ManageEventSpace is where clixon has create-subscription.
	ManageEventSpace = "urn:ietf:params:xml:ns:netmod:notification"
)

// Schema is an entry of a device's list of schemas (RFC 6022, section 2.1.3).
type Schema struct {
	Name, Version string
	Format        string // yang, yin, …: the identity without its prefix
	Namespace     string
	Locations     []string // NETCONF where GetSchema has it
}

// Schemas lists what [Session.GetSchema] can give.
func (s *Session) Schemas(ctx context.Context) ([]Schema, error) {
	name := func(local string) tree.Name { return tree.Name{Space: MonitoringSpace, Local: local} }
	filter := &tree.Node{Children: []*tree.Node{{
		Name: name("netconf-state"), Children: []*tree.Node{{Name: name("schemas")}},
	}}}
	data, _, err := s.Get(ctx, filter)
	if err != nil {
		return nil, err
	}
	var out []Schema
	for _, n := range children(data.Child(name("netconf-state")).Child(name("schemas"))) {
		if n.Name != name("schema") {
			continue
		}
		one := Schema{}
		for _, f := range n.Children {
			value := strings.TrimSpace(f.Value)
			switch f.Name.Local {
			case "identifier":
				one.Name = value
			case "version":
				one.Version = value
			case "format":
				one.Format = value[strings.LastIndexByte(value, ':')+1:]
			case "namespace":
				one.Namespace = value
			case "location":
				one.Locations = append(one.Locations, value)
			}
		}
		out = append(out, one)
	}
	return out, nil
}

func children(n *tree.Node) []*tree.Node {
	if n == nil {
		return nil
	}
	return n.Children
}

// GetSchema reads the text of a YANG module. The version may be empty where the
// device has one alone.
func (s *Session) GetSchema(ctx context.Context, name, version string) (string, error) {
	op := &tree.Node{Name: tree.Name{Space: MonitoringSpace, Local: "get-schema"}}
	op.Children = append(op.Children, leaf(MonitoringSpace, "identifier", name))
	if version != "" {
		op.Children = append(op.Children, leaf(MonitoringSpace, "version", version))
	}
	op.Children = append(op.Children, leaf(MonitoringSpace, "format", "yang"))
	reply, err := s.Call(ctx, op)
	if err != nil {
		return "", err
	}
	for _, c := range reply.Root.Children {
		if c.Name.Local == "data" {
			return c.Value, nil
		}
	}
	return "", errors.New("the device answered get-schema without data; put the module " + name + " beside the inventory")
}

// Subscribe makes the device send the notifications of a stream, in RFC 5277's
// way or, where that is unknown, in clixon's. Without the capability :interleave
// the session may be good for nothing else afterwards.
func (s *Session) Subscribe(ctx context.Context, stream string) error {
	subscribe := func(space string) error {
		return s.do(ctx, &tree.Node{
			Name:     tree.Name{Space: space, Local: "create-subscription"},
			Children: []*tree.Node{leaf(space, "stream", stream)},
		})
	}
	err := subscribe(NotificationSpace)
	if HasTag(err, "unknown-element", "unknown-namespace") {
		return subscribe(ManageEventSpace)
	}
	return err
}
