package sources

import (
	"errors"
	"net"
	"net/url"
	"regexp"
	"strings"
)

// plainUser is a user's name as POSIX and useradd(8) would have it. Only such a
// one is ever shown: what looks otherwise may be a token that got lost.
var plainUser = regexp.MustCompile(`^[a-z_][a-z0-9_-]{0,31}$`)

// parseSCP reads USER@HOST:PATH, which ssh and Git take beside ssh:// URLs. The
// path is seen from the user's home unless it begins with a slash.
func parseSCP(raw string) (loc Location, ok bool, err error) {
	user, rest, at := strings.Cut(raw, "@")
	if !at || user == "" || strings.ContainsAny(user, ":/") {
		return Location{}, false, nil
	}
	host, p, colon := strings.Cut(rest, ":")
	if strings.HasPrefix(rest, "[") {
		host, p, colon = strings.Cut(rest, "]:")
		host = strings.TrimPrefix(host, "[")
		if colon && net.ParseIP(host) == nil {
			return Location{}, false, errors.New("what stands in the brackets of the address is no IPv6 address; " + supported)
		}
	}
	if !colon || strings.ContainsAny(host, "/@") || strings.HasPrefix(p, ":") {
		return Location{}, false, nil
	}
	if net.ParseIP(host) != nil && strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	loc, err = sshLocation(user, host, p)
	loc.scp = true
	return loc, err == nil, err
}

func parseSSHURL(u *url.URL) (Location, error) {
	if _, secret := u.User.Password(); secret {
		return Location{}, errors.New("an ssh:// address cannot hold a password; log in with a key: name it with ssh_key_file, or use an SSH agent")
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Location{}, errors.New("the ssh:// address of the Git repository holds a ? or a #; write them as %3F and %23")
	}
	if u.User.Username() == "" {
		return Location{}, errors.New("the ssh:// address of the Git repository names no user; write it like ssh://git@HOST/PATH")
	}
	return sshLocation(u.User.Username(), u.Host, u.Path)
}

// sshLocation checks what goes to a server's login and shell.
func sshLocation(user, host, p string) (Location, error) {
	u := &url.URL{Scheme: "ssh", Host: host, Path: p}
	control := func(r rune) bool { return r < ' ' || r == 0x7f }
	switch {
	case u.Hostname() == "" || strings.HasPrefix(host, "-") || strings.ContainsFunc(host, control) || strings.Contains(host, " "):
		return Location{}, errors.New("the ssh address of the Git repository names no host that can be")
	case strings.HasPrefix(user, "-") || strings.ContainsFunc(user, control):
		return Location{}, errors.New("the ssh address of the Git repository names no user that can be")
	case strings.Trim(p, "/") == "" || strings.HasPrefix(p, "-") || strings.ContainsFunc(p, control):
		return Location{}, errors.New("the ssh address of the Git repository names no path that can be; write it like ssh://git@HOST/PATH or git@HOST:PATH")
	}
	return Location{url: u, user: url.User(user)}, nil
}

// addr is the host and port of an ssh server.
func (l Location) addr() string {
	port := l.url.Port()
	if port == "" {
		port = "22"
	}
	return net.JoinHostPort(l.url.Hostname(), port)
}

func (l Location) sshUser() string { return l.user.Username() }

// remotePath is the path as the server's shell gets it. As with Git, /~ at the
// beginning of a URL's path is a home.
func (l Location) remotePath() string {
	if !l.scp && strings.HasPrefix(l.url.Path, "/~") {
		return l.url.Path[1:]
	}
	return l.url.Path
}

// sshString shows an ssh address as it was written.
func (l Location) sshString() string {
	user := ""
	if plainUser.MatchString(l.sshUser()) {
		user = l.sshUser() + "@"
	}
	if l.scp {
		return user + l.url.Host + ":" + l.url.Path
	}
	return "ssh://" + user + l.url.Host + l.url.EscapedPath()
}
