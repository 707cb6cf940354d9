package runner

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const portHint = "write hostPort:containerPort, such as '8080:80'; a protocol may follow, as in '53:53/udp'"

// ports reads what a job publishes.
func (p *parser) ports(f *field) []Port {
	var out []Port
	for i, n := range p.strings(f, "port") {
		where := ""
		if f.value.kind == listNode {
			where = fmt.Sprintf(" at index %d", indexOf(f.value.items, n, i))
		}
		port, err := parsePort(n.text)
		if err != nil {
			fault := faultOf(err)
			p.fail(n.at, "port", "invalid port format"+where+": "+fault.message, cmp.Or(fault.hint, portHint))
			continue
		}
		if slices.ContainsFunc(out, port.collides) {
			p.fail(n.at, "port", fmt.Sprintf("host port %d is published twice", port.HostPort), "give each container port a host port of its own")
			continue
		}
		out = append(out, port)
	}
	return out
}

// indexOf gives the place of an item in its list, at least from: items with
// faults are missing in what strings gives.
func indexOf(items []*node, n *node, from int) int {
	for i := from; i < len(items); i++ {
		if items[i] == n {
			return i
		}
	}
	return from
}

// collides says whether the engine can't publish both.
func (p Port) collides(q Port) bool {
	same := p.HostIP == q.HostIP || p.everywhere() || q.everywhere()
	return same && p.HostPort == q.HostPort && p.Protocol == q.Protocol
}

func (p Port) everywhere() bool { return p.HostIP == "" || p.HostIP == "0.0.0.0" || p.HostIP == "::" }

// parsePort reads HOST:CONTAINER, IP:HOST:CONTAINER or [IPv6]:HOST:CONTAINER,
// each with an optional /tcp, /udp or /sctp. localhost means 127.0.0.1; pin
// bound it to all interfaces.
func parsePort(text string) (Port, error) {
	rest, protocol, found := strings.Cut(strings.TrimSpace(text), "/")
	port := Port{Protocol: "tcp"}
	if found {
		if port.Protocol = strings.ToLower(protocol); !slices.Contains([]string{"tcp", "udp", "sctp"}, port.Protocol) {
			return Port{}, &fault{message: fmt.Sprintf("unknown protocol '%s'", protocol), hint: "use tcp, udp or sctp"}
		}
	}
	host, ports, err := splitHost(rest)
	if err != nil {
		return Port{}, err
	}
	if port.HostIP, err = hostIP(host); err != nil {
		return Port{}, err
	}
	if port.HostPort, err = portNumber("host", ports[0]); err != nil {
		return Port{}, err
	}
	port.ContainerPort, err = portNumber("container", ports[1])
	return port, err
}

// splitHost parts the host's address, "" when there is none, from the two ports.
func splitHost(text string) (host string, ports [2]string, err error) {
	if strings.HasPrefix(text, "[") {
		inner, after, found := strings.Cut(text[1:], "]:")
		parts := strings.Split(after, ":")
		if !found || len(parts) != 2 {
			return "", ports, &fault{message: "an IPv6 address in brackets must be followed by both ports", hint: "write it as '[::1]:8080:80'"}
		}
		return required(inner, parts[0], parts[1])
	}
	switch parts := strings.Split(text, ":"); {
	case len(parts) == 2:
		if strings.TrimSpace(parts[0]) == "" || strings.TrimSpace(parts[1]) == "" {
			return "", ports, &fault{message: "both host and container ports must be specified"}
		}
		return "", [2]string{parts[0], parts[1]}, nil
	case len(parts) == 3:
		return required(parts[0], parts[1], parts[2])
	case len(parts) > 3 && looksLikeIPv6(parts[:len(parts)-2]):
		return "", ports, &fault{message: "an IPv6 address must stand in brackets", hint: "write it as '[::1]:8080:80'"}
	}
	return "", ports, &fault{message: "port must be in format 'hostPort:containerPort' (e.g., '8080:80') or 'hostIP:hostPort:containerPort' (e.g., '127.0.0.1:8080:80')"}
}

func looksLikeIPv6(parts []string) bool {
	a, err := netip.ParseAddr(strings.Join(parts, ":"))
	return err == nil && a.Is6()
}

func required(host, outer, inner string) (string, [2]string, error) {
	if strings.TrimSpace(host) == "" || strings.TrimSpace(outer) == "" || strings.TrimSpace(inner) == "" {
		return "", [2]string{}, &fault{message: "host IP, host port, and container port must all be specified"}
	}
	return host, [2]string{outer, inner}, nil
}

func hostIP(host string) (string, error) {
	host = strings.TrimSpace(host)
	if host == "" {
		return "", nil
	}
	if strings.EqualFold(host, "localhost") {
		return "127.0.0.1", nil
	}
	a, err := netip.ParseAddr(host)
	if err != nil || a.Zone() != "" {
		return "", &fault{message: fmt.Sprintf("'%s' is not an IP address", host), hint: "give an address of this machine, or leave it away for all of them"}
	}
	return a.String(), nil
}

func portNumber(side, text string) (int, error) {
	text = strings.TrimSpace(text)
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, &fault{message: fmt.Sprintf("the %s port '%s' is not a number", side, text)}
	}
	if n < 1 || n > 65535 {
		return 0, &fault{message: fmt.Sprintf("the %s port %d is outside 1 to 65535", side, n), hint: "correct the port"}
	}
	return int(n), nil
}
