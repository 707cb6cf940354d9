package forge

import (
	"errors"
	"net"
	"net/url"
	"strings"
)

// Locate gives where the statuses of a repository's commits go: the base of the
// API, and OWNER/NAME. It knows github.com and GitHub's ghe.com; any other host
// is taken for a Gitea or a Forgejo. base, where it isn't empty, is taken as it
// is, so that a GitHub Enterprise Server has one, too. Its errors repeat nothing
// of the address, in which a password may stand.
func Locate(git, base string) (api, repository string, err error) {
	u, err := parseGit(git)
	if err != nil {
		return "", "", err
	}
	path := strings.Split(strings.TrimSuffix(strings.Trim(u.Path, "/"), ".git"), "/")
	if len(path) < 2 || path[len(path)-1] == "" || path[len(path)-2] == "" {
		return "", "", errors.New("the address of the repository doesn't end with OWNER/NAME, so no status can be sent; take `status` away")
	}
	repository = strings.Join(path[len(path)-2:], "/")
	if base != "" {
		api, err = checkBase(base)
		return api, repository, err
	}
	host, below := strings.ToLower(u.Hostname()), strings.Join(path[:len(path)-2], "/")
	switch {
	case host == "gitlab.com", host == "bitbucket.org":
		return "", "", errors.New(host + " doesn't speak GitHub's status API; take `status` away")
	case host == "github.com", host == "www.github.com", host == "ssh.github.com":
		return "https://api.github.com", repository, nil
	case strings.HasSuffix(host, ".ghe.com"):
		return "https://api." + host, repository, nil
	case u.Scheme == "ssh": // its port is not the API's
		if strings.Contains(host, ":") {
			host = "[" + host + "]"
		}
		return "https://" + host + "/api/v1", repository, nil
	}
	api = u.Scheme + "://" + u.Host
	if below != "" {
		api += "/" + below
	}
	api, err = checkBase(api + "/api/v1")
	return api, repository, err
}

// parseGit reads the address of a repository on another machine.
func parseGit(git string) (*url.URL, error) {
	if !strings.Contains(git, "://") {
		if at, path, ok := strings.Cut(git, ":"); ok && strings.Contains(at, "@") && !strings.Contains(at, "/") {
			git = "ssh://" + at + "/" + path
		}
	}
	u, err := url.Parse(git)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "ssh" {
		return nil, errors.New("`status` needs a repository on a forge, with an address of https or ssh; take it away, or follow that repository")
	}
	return u, nil
}

// checkBase refuses what would show the token to whoever listens.
func checkBase(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("`status.api` is not the address of an API; write it like https://git.example.org/api/v1, or https://HOST/api/v3 for a GitHub Enterprise Server")
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", errors.New("statuses would show their token to whoever listens, since the address is http; set `status.api` to an address of https")
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}
