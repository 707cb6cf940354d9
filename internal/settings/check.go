package settings

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

func hostOnly(v string) error {
	if _, _, err := net.SplitHostPort(v); err == nil {
		return fault{fmt.Sprintf("%q holds a port", v), "give the port with --port, or listen.port"}
	}
	if strings.ContainsAny(v, "/ \t") {
		return fault{fmt.Sprintf("%q is not a host", v), "write an address or a name, such as 127.0.0.1 or 0.0.0.0"}
	}
	return nil
}

func origin(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme == "" || u.Host == "" || u.User != nil || strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" {
		return fault{"that is not a web origin", "write scheme, host and port only, such as https://ci.example.org"}
	}
	return nil
}

func dockerHost(v string) error {
	for _, scheme := range []string{"unix://", "tcp://", "ssh://", "npipe://"} {
		if rest, ok := strings.CutPrefix(v, scheme); ok && rest != "" {
			return nil
		}
	}
	return fault{fmt.Sprintf("%q is not an engine's address", Location(v)), "write it like unix:///var/run/docker.sock or tcp://localhost:2375"}
}

func absolute(v string) error {
	if !filepath.IsAbs(v) {
		return fault{fmt.Sprintf("%q is not an absolute path", v), "begin it with /"}
	}
	return nil
}

func below(v string) error {
	if clean := path.Clean(filepath.ToSlash(v)); path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") {
		return fault{fmt.Sprintf("%q leaves the source", v), "write a path relative to the source's root, such as deploy/production"}
	}
	return nil
}

func hash(v string) error {
	if n := len(v); n != 40 && n != 64 || strings.Trim(v, "0123456789abcdef") != "" {
		return fault{fmt.Sprintf("%q is not a full commit hash", v), "write all of its 40 hexadecimal digits, as `git rev-parse` prints them"}
	}
	return nil
}

func sha256Hex(v string) error {
	if len(v) != 64 || strings.Trim(v, "0123456789abcdef") != "" {
		return fault{"that is not a SHA-256 digest", "write its 64 hexadecimal digits, as `printf %s TOKEN | sha256sum` prints them"}
	}
	return nil
}

func sourceName(v string) error {
	if plainName(v) != v {
		return fault{fmt.Sprintf("%q can't be a name", v), "use letters, digits, - _ and . only, at most 64 of them, and no dot or dash in front"}
	}
	return nil
}

func kind(v string) error {
	return oneOf(v, []string{KindPipelines, KindUnits, KindServices})
}

func glob(v string) error {
	if _, err := path.Match(v, ""); err != nil {
		return fault{fmt.Sprintf("%q is not a pattern", v), "write a glob such as web-*.service"}
	}
	return nil
}
