package settings

import (
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/internal/problem"
)

// The families of resources that a source may be granted.
const (
	KindPipelines = "pipelines"
	KindUnits     = "units"
	KindServices  = "services"
)

// DefaultInterval is how often a source is polled where nothing else is said.
const DefaultInterval = 30 * time.Second

// Source is one place that desired state comes from: exactly one of Git, Dir
// and File is set.
type Source struct {
	Name     string            `json:"name"`
	Git      Location          `json:"git,omitempty"`
	Dir      string            `json:"dir,omitempty"`
	File     string            `json:"file,omitempty"`
	Branch   string            `json:"branch,omitempty"` // at most one of Branch, Tag and Commit; none: the remote's HEAD
	Tag      string            `json:"tag,omitempty"`
	Commit   string            `json:"commit,omitempty"`
	Path     string            `json:"path,omitempty"` // slash-separated, below the root
	Interval time.Duration     `json:"interval"`
	Auth     Auth              `json:"auth,omitzero"`
	Webhook  Webhook           `json:"webhook,omitzero"`
	Status   Status            `json:"status,omitzero"`
	Kinds    []string          `json:"kinds"`
	Policy   Policy            `json:"policy"`
	Units    SourceUnits       `json:"units,omitzero"`
	Labels   map[string]string `json:"labels,omitempty"`

	at place // where it was given, for faults that show later
}

// SourceUnits holds for those units of a source whose files don't say it.
type SourceUnits struct {
	Desired string `json:"desired_state,omitempty"` // inactive, loaded or launched; empty: launched
	Drift   string `json:"drift,omitempty"`         // repair, report or off; empty: repair
}

// Policy is what a source is granted beyond its kinds. The zero value grants
// nothing: a repository cannot reach out of its containers.
type Policy struct {
	HostExecutor   bool     `json:"host_executor,omitempty"`
	Privileged     bool     `json:"privileged,omitempty"`
	HostNamespaces bool     `json:"host_namespaces,omitempty"`
	DockerSocket   bool     `json:"docker_socket,omitempty"`
	DockerHosts    []string `json:"docker_hosts,omitempty"` // exact values that a pipeline's docker.host may have
	BindMounts     []string `json:"bind_mounts,omitempty"`  // absolute host paths, each with all below it
	Devices        []string `json:"devices,omitempty"`      // globs of device names outside the source's own inventory
	UnitNames      []string `json:"unit_names,omitempty"`   // globs; empty: any name
}

// Location is the URL or path of a Git repository. It may hold a password, so
// it prints itself without one; only [Location.Secret] gives all of it.
type Location string

// Secret gives the location as it was written, for the code that connects.
func (l Location) Secret() string { return string(l) }

// String gives the location without its userinfo, and without its query: some
// hosts take a token as the user, some behind a question mark. The bare user of
// an ssh URL stays, it is no secret there.
func (l Location) String() string {
	scheme, rest, ok := strings.Cut(string(l), "://")
	if !ok {
		return string(l) // a path, or user@host:path, which has no place for a secret
	}
	if before, _, cut := strings.Cut(rest, "?"); cut {
		rest = before + "?***"
	}
	authority, tail := rest, ""
	if u, err := url.Parse(string(l)); err == nil {
		if _, secret := u.User.Password(); u.User == nil || !secret && strings.HasSuffix(scheme, "ssh") {
			return scheme + "://" + rest
		}
		authority, tail, _ = strings.Cut(rest, "/")
		tail = "/" + tail
	}
	// Where net/url can't tell (a raw slash in the password), the last @ of all
	// ends the userinfo: better to hide too much than too little.
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = "***@" + authority[i+1:]
	}
	return scheme + "://" + authority + tail
}

// GoString keeps %#v from printing the password.
func (l Location) GoString() string { return strconv.Quote(l.String()) }

// MarshalText gives what String gives, so that JSON holds no password either.
func (l Location) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// baseName is the last path element of where the source is, less `.git`.
func (s Source) baseName() string {
	text := s.Dir + s.File
	if s.Git != "" {
		text = s.Git.Secret()
		if u, err := url.Parse(text); err == nil && u.Host != "" {
			text = u.Path
			if strings.Trim(text, "/") == "" {
				text = u.Hostname()
			}
		} else if i := strings.LastIndexByte(text, ':'); i >= 0 && !filepath.IsAbs(text) {
			text = text[i+1:]
		}
	}
	if !filepath.IsAbs(text) {
		if abs, err := filepath.Abs(text); err == nil {
			text = abs // "." has a name only this way
		}
	}
	text = strings.TrimRight(filepath.ToSlash(text), "/")
	if i := strings.LastIndexByte(text, '/'); i >= 0 {
		text = text[i+1:]
	}
	if less := strings.TrimSuffix(text, ".git"); less != "" {
		text = less
	}
	if s.File != "" {
		text = strings.TrimSuffix(text, filepath.Ext(text))
	}
	return plainName(text)
}

// plainName makes text fit for a directory's name and a URL's path element.
func plainName(text string) string {
	out := strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '-'
	}, text)
	out = strings.TrimLeft(out, ".-")
	if len(out) > maxName {
		out = out[:maxName]
	}
	if out == "" {
		return "source"
	}
	return out
}

const maxName = 64

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
}

// nameSources gives every source without a name one that no other has. Given
// names go first, so that a new neighbour never renames a source.
func nameSources(list []Source) (faults problem.List) {
	taken := map[string]int{}
	for i := range list {
		name := list[i].Name
		if name == "" {
			continue
		}
		if first, ok := taken[name]; ok {
			faults = append(faults, list[i].at.fault("name", "the source name "+strconv.Quote(name)+" is taken",
				"give each source its own name; the first is "+list[first].where()))
			continue
		}
		taken[name] = i
	}
	for i := range list {
		if list[i].Name != "" {
			continue
		}
		base := list[i].baseName()
		name := base
		for n := 2; ; n++ {
			if _, ok := taken[name]; !ok {
				break
			}
			name = base + "-" + strconv.Itoa(n)
		}
		taken[name] = i
		list[i].Name = name
	}
	return faults
}

// where names the source for a message, without any secret.
func (s Source) where() string {
	if s.Git != "" {
		return s.Git.String()
	}
	return s.Dir + s.File
}
