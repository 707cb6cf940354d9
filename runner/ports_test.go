package runner

import (
	"strings"
	"testing"
)

func TestParsePort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Port{
		"8080:80":                 {"", 8080, 80, "tcp"},
		" 8080 : 80 ":             {"", 8080, 80, "tcp"},
		"127.0.0.1:8080:80":       {"127.0.0.1", 8080, 80, "tcp"},
		"localhost:8080:80":       {"127.0.0.1", 8080, 80, "tcp"},
		"0.0.0.0:1:65535":         {"0.0.0.0", 1, 65535, "tcp"},
		"[::1]:8080:80":           {"::1", 8080, 80, "tcp"},
		"[2001:DB8::1]:53:53/udp": {"2001:db8::1", 53, 53, "udp"},
		"53:53/UDP":               {"", 53, 53, "udp"},
		"9:9/sctp":                {"", 9, 9, "sctp"},
	} {
		if got, err := parsePort(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"":                       "port must be in format",
		"80":                     "port must be in format",
		"1:2:3:4":                "port must be in format",
		":80":                    "both host and container ports must be specified",
		"80:":                    "both host and container ports must be specified",
		"1.2.3.4::80":            "host IP, host port, and container port must all be specified",
		":1:2":                   "host IP, host port, and container port must all be specified",
		"abc:def":                "the host port 'abc' is not a number",
		"80:def":                 "the container port 'def' is not a number",
		"-1:80":                  "the host port '-1' is not a number",
		"0:80":                   "the host port 0 is outside 1 to 65535; correct the port",
		"99999:80":               "the host port 99999 is outside 1 to 65535",
		"80:65536":               "the container port 65536 is outside 1 to 65535",
		"web:80:80":              "'web' is not an IP address",
		"999.0.0.1:80:80":        "'999.0.0.1' is not an IP address",
		"fe80::1%eth0:8080:80":   "an IPv6 address must stand in brackets",
		"[fe80::1%eth0]:8080:80": "'fe80::1%eth0' is not an IP address",
		"::1:8080:80":            "an IPv6 address must stand in brackets; write it as '[::1]:8080:80'",
		"[::1]:80":               "an IPv6 address in brackets must be followed by both ports",
		"[::1:80:80":             "an IPv6 address in brackets must be followed by both ports",
		"80:80/icmp":             "unknown protocol 'icmp'; use tcp, udp or sctp",
	} {
		if _, err := parsePort(text); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
