package sources

import (
	"errors"
	"net"
	"os"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	known "golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys gives the check of a server's key, and the algorithms to ask for:
// those of the keys that are known, as the server may show another of its keys
// otherwise. A key that no file holds is refused, also the first time.
func (a GitAuth) hostKeys(loc Location) (ssh.HostKeyCallback, []string, error) {
	files := userKnownHosts()
	if a.KnownHostsFile != "" {
		files = []string{a.KnownHostsFile}
	}
	var there []string
	for _, name := range files {
		if _, err := os.Stat(name); err == nil {
			there = append(there, name)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, nil, say(nil, "the known host keys in %s cannot be read: %v; run abide as a user who may", name, unwrapPath(err))
		}
	}
	db, err := knownhosts.NewDB(there...)
	if err != nil {
		return nil, nil, say(nil, "the known host keys cannot be read: %v; correct the file, or make it with ssh-keyscan", err)
	}
	addr := loc.addr()
	return func(host string, remote net.Addr, key ssh.PublicKey) error {
		if err := db.HostKeyCallback()(host, remote, key); err != nil {
			return explainHostKey(err, addr, files, key)
		}
		return nil
	}, db.HostKeyAlgorithms(addr), nil
}

// explainHostKey says what is wrong with a host key, and what may be done.
func explainHostKey(err error, addr string, files []string, key ssh.PublicKey) error {
	shown := key.Type() + " " + ssh.FingerprintSHA256(key)
	if revoked, ok := errors.AsType[*known.RevokedError](err); ok {
		return say(nil, "%s (line %d) says that the host key of %s, %s, is revoked; give the server a new key",
			revoked.Revoked.Filename, revoked.Revoked.Line, addr, shown)
	}
	other, ok := errors.AsType[*known.KeyError](err)
	switch {
	case !ok: // of a certificate
		return say(nil, "the host key of %s, %s, is not accepted: %v; check the server's host certificate", addr, shown, err)
	case len(other.Want) > 0:
		return say(nil, "the host key of %s is %s, but line %d of %s has another: it is another machine, or somebody stands in between; "+
			"if the server is known to have a new key, put it in place of that line", addr, shown, other.Want[0].Line, other.Want[0].Filename)
	}
	host, port, _ := net.SplitHostPort(addr)
	return say(nil, "the host key of %s is not known: the server shows %s, and %s has none; if that is the server's own, add it: ssh-keyscan -p %s %s >> %s",
		addr, shown, strings.Join(files, " and "), port, host, files[0])
}
