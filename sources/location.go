package sources

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"strings"
)

// Location is the place of a Git repository, with its secrets kept apart: no
// method but credentials gives them away.
type Location struct {
	path string        // of a local repository, as it was given
	url  *url.URL      // of a remote one, without its userinfo
	user *url.Userinfo // what stood before the @; printed only where it is the plain user of ssh
	scp  bool          // it was written USER@HOST:PATH
}

const supported = "use a path, file://PATH, https://…, http://…, ssh://… or USER@HOST:PATH"

// ParseLocation reads where a repository is: a path, a file:// URL, an
// http(s):// URL, which may hold credentials, or an address of ssh. What it cannot accept it refuses
// with a sentence that repeats nothing of a URL, since a secret may stand in any
// part of it.
func ParseLocation(raw string) (Location, error) {
	switch {
	case raw == "":
		return Location{}, errors.New("the address of the Git repository is empty; " + supported)
	case strings.HasPrefix(raw, "-"):
		return Location{}, errors.New("the address of a Git repository cannot begin with a dash; " + supported)
	case strings.ContainsAny(raw, "\x00\n\r"):
		return Location{}, errors.New("the address of the Git repository holds a NUL or a line break; " + supported)
	}
	if scheme, _, ok := strings.Cut(raw, "://"); ok && isScheme(scheme) {
		return parseURL(strings.ToLower(scheme), raw)
	}
	if !filepath.IsAbs(raw) && !strings.HasPrefix(raw, ".") {
		if loc, ok, err := parseSCP(raw); ok || err != nil {
			return loc, err
		}
		if err := refuseDisguised(raw); err != nil {
			return Location{}, err
		}
	}
	return Location{path: raw}, nil
}

// refuseDisguised refuses what Git would take for an address on another host,
// and what was probably meant as one, before it is shown anywhere as a path.
func refuseDisguised(raw string) error {
	first, _, _ := strings.Cut(raw, "/")
	switch {
	case strings.Contains(first, "::"):
		return errors.New("remote helpers (NAME::ADDRESS) are not supported; " + supported)
	case strings.Contains(first, ":"):
		return errors.New("addresses of the form HOST:PATH mean ssh and need a user, as in git@HOST:PATH; " + supported +
			" (a local path with a colon can be written ./PATH)")
	case strings.Contains(first, "@"):
		return errors.New("the address looks like a URL without its https://; " + supported +
			" (a local path with an @ can be written ./PATH)")
	}
	return nil
}

func isScheme(s string) bool {
	for i, c := range strings.ToLower(s) {
		letter := c >= 'a' && c <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return false
		}
	}
	return s != ""
}

func parseURL(scheme, raw string) (Location, error) {
	switch scheme {
	case "file", "http", "https", "ssh":
	case "git+ssh", "ssh+git":
		return Location{}, fmt.Errorf("%s:// is an old spelling; write ssh://", scheme)
	default:
		return Location{}, fmt.Errorf("%s:// is not supported; %s", scheme, supported)
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The error of url.Parse repeats the URL, password and all.
		return Location{}, fmt.Errorf("the %s:// address of the Git repository is not a valid URL; check its host, its port, and that special characters in user and password are percent-encoded", scheme)
	}
	if scheme == "file" {
		return parseFileURL(u)
	}
	if scheme == "ssh" {
		return parseSSHURL(u)
	}
	switch {
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-"):
		return Location{}, fmt.Errorf("the %s:// address of the Git repository names no host", scheme)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return Location{}, fmt.Errorf("the %s:// address of the Git repository holds a ? or a #; give the plain clone URL (credentials go before the host: %s://USER:TOKEN@HOST/PATH)", scheme, scheme)
	}
	plain := &url.URL{Scheme: scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return Location{url: plain, user: u.User}, nil
}

func parseFileURL(u *url.URL) (Location, error) {
	if (u.Host != "" && u.Host != "localhost") || !path.IsAbs(u.Path) || strings.ContainsRune(u.Path, 0) || u.User != nil {
		return Location{}, errors.New("a file:// address needs an absolute path on this machine, as in file:///srv/repo.git")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Location{}, errors.New("the file:// address holds a ? or a #; write them as %3F and %23, or give the plain path")
	}
	return Location{path: u.Path}, nil
}

// Local tells whether the repository is on this machine, and its path.
func (l Location) Local() (string, bool) { return l.path, l.url == nil }

// String gives the location for people: a path, or a URL without credentials.
func (l Location) String() string {
	if l.url == nil {
		return l.path
	}
	if l.url.Scheme == "ssh" {
		return l.sshString()
	}
	return l.url.String()
}

// Base is the name that a source has unless it is given one: the last element
// of the location, without a .git at its end.
func (l Location) Base() string {
	p := l.path
	if l.url != nil {
		p = l.url.Path
		if strings.Trim(p, "/") == "" {
			return l.url.Hostname()
		}
	}
	p = strings.TrimSuffix(strings.TrimRight(p, "/"), "/.git")
	if name := strings.TrimSuffix(path.Base(p), ".git"); name != "" && name != "." && name != "/" {
		return name
	}
	return "source"
}

// credentials gives the user and password that the URL held.
func (l Location) credentials() (user, password string, ok bool) {
	if l.user == nil {
		return "", "", false
	}
	password, _ = l.user.Password()
	return l.user.Username(), password, true
}

// scrub takes the credentials out of a text that something else composed.
func (l Location) scrub(text string) string {
	user, password, _ := l.credentials()
	if l.url != nil && l.url.Scheme == "ssh" && plainUser.MatchString(user) {
		return text
	}
	if len(user) < 4 { // "git" and its like are no secret, and would garble every text
		user = ""
	}
	return redact(text, password, user)
}

// redact takes secrets out of a text, in every spelling that a URL may give them.
func redact(text string, secrets ...string) string {
	for _, secret := range secrets {
		if secret == "" {
			continue
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), url.User(secret).String()} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}
