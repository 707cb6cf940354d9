package sources

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// GitAuth says how abide makes itself known to a Git server, and how it knows
// that server. What is secret stands in files and in the environment, never in
// here, and is read anew for every connection, so that a new one needs no
// restart.
type GitAuth struct {
	Username     string // with a token, as servers want it that take none but basic authentication
	TokenFile    string // holds a token: sent as a bearer's, or as the password of Username
	TokenEnv     string // names a variable that holds the token
	PasswordFile string // of Username
	PasswordEnv  string
	CAFile       string // authorities (PEM) that alone may sign the server's certificate; default: those of the system
	CertFile     string // client certificate (PEM)
	KeyFile      string // of CertFile
	Proxy        string // URL, perhaps with credentials; default: as HTTPS_PROXY and NO_PROXY say

	SSHKeyFile        string // a private key; default: the keys of an SSH agent
	SSHPassphraseFile string // holds the passphrase of that key
	SSHAgentSocket    string // default: what SSH_AUTH_SOCK names
	KnownHostsFile    string // default: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts
}

// check finds what does not go together.
func (a GitAuth) check(loc Location) error {
	scheme := "file"
	if loc.url != nil {
		scheme = loc.url.Scheme
	}
	ssh := GitAuth{
		SSHKeyFile: a.SSHKeyFile, SSHPassphraseFile: a.SSHPassphraseFile,
		SSHAgentSocket: a.SSHAgentSocket, KnownHostsFile: a.KnownHostsFile,
	}
	secrets := 0
	for _, from := range []string{a.TokenFile, a.TokenEnv, a.PasswordFile, a.PasswordEnv} {
		if from != "" {
			secrets++
		}
	}
	switch {
	case a == GitAuth{}:
		return nil
	case scheme == "file":
		return say(nil, "a repository on this machine needs no credentials; remove auth")
	case scheme == "ssh" && a != ssh:
		return say(nil, "an ssh address is logged into with a key alone, and without a proxy; remove the rest of auth")
	case scheme != "ssh" && ssh != GitAuth{}:
		return say(nil, "keys and known_hosts of ssh are of no use with %s://; remove them from auth, or use the ssh address", scheme)
	case scheme == "http" && a.CAFile+a.CertFile != "":
		return say(nil, "certificates are of no use with http://; use https://, or remove them from auth")
	case secrets > 1:
		return say(nil, "auth names more than one token or password; keep one")
	case secrets == 0 && a.Username != "" || a.Username == "" && a.PasswordFile+a.PasswordEnv != "":
		return say(nil, "auth has one of user and password without the other; give username with password_file, password_env, token_file or token_env")
	case secrets > 0 && loc.user != nil:
		return say(nil, "there are credentials in the URL and in auth; keep one of them")
	case (a.CertFile == "") != (a.KeyFile == ""):
		return say(nil, "a client certificate needs both cert_file and key_file")
	}
	if a.Proxy != "" {
		_, err := a.proxy()
		return err
	}
	return nil
}

// maxSecret bounds the files read here: no honest key or list is larger.
const maxSecret = 1 << 20

// readSecret reads a file; what names it in an error.
func readSecret(what, name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, say(nil, "%s %s cannot be read: %v; check that it is there and that abide may read it", what, name, unwrapPath(err))
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err == nil && len(text) > maxSecret {
		err = fmt.Errorf("it has more than %d bytes", maxSecret)
	}
	if err != nil {
		return nil, say(nil, "%s %s cannot be read: %v; check that it is the right file", what, name, unwrapPath(err))
	}
	return text, nil
}

// readLine reads a secret that is the one line of a file.
func readLine(what, name string) (string, error) {
	text, err := readSecret(what+" in", name)
	if err != nil {
		return "", err
	}
	return oneLine(what+" in "+name, string(text))
}

// oneLine takes the line break off the end of a secret. Within it, one would end
// a header early.
func oneLine(what, text string) (string, error) {
	text = strings.TrimRight(text, "\r\n")
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", say(nil, "%s is not one line of plain text; correct it", what)
	}
	return text, nil
}
