package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// HostKeyError tells that a device is not known to be the one that is wanted.
type HostKeyError struct {
	Addr        string
	File        string // the known_hosts file
	Line        int    // where it has another key for the device, or 0
	Revoked     bool   // the file says that the key is stolen
	Fingerprint string // of the device's key, with its type
}

func (e *HostKeyError) Error() string {
	switch {
	case e.Revoked:
		return fmt.Sprintf("%s (line %d) says that the host key of %s, %s, is revoked; give the device a new key", e.File, e.Line, e.Addr, e.Fingerprint)
	case e.Line > 0:
		return fmt.Sprintf("the host key of %s is %s, but line %d of %s has another: it is another machine, or somebody stands in between; "+
			"if the device is known to have a new key, put it in place of that line", e.Addr, e.Fingerprint, e.Line, e.File)
	}
	host, port, _ := net.SplitHostPort(e.Addr)
	return fmt.Sprintf("%s has no host key of %s, which shows %s; if that is the device's own, add it: ssh-keyscan -p %s %s >> %s",
		e.File, e.Addr, e.Fingerprint, port, host, e.File)
}

// hostKeys gives the check of a device's key, and the algorithms in the order in
// which to ask for them: first those of the keys that the file has for the
// device, as it may show another of its keys otherwise.
func (t Target) hostKeys() (ssh.HostKeyCallback, []string, error) {
	if t.InsecureHostKey {
		return ssh.InsecureIgnoreHostKey(), nil, nil
	}
	file := t.KnownHosts
	if file == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, nil, fmt.Errorf("the user's known_hosts cannot be found: %w; name one in the inventory", err)
		}
		file = filepath.Join(home, ".ssh", "known_hosts")
	}
	known, err := knownhosts.New(file)
	if err != nil {
		return nil, nil, fmt.Errorf("the known host keys cannot be read: %w; make the file with ssh-keyscan", err)
	}
	check := func(host string, remote net.Addr, key ssh.PublicKey) error {
		err := known(host, remote, key)
		if err == nil {
			return nil
		}
		e := &HostKeyError{Addr: t.Addr, File: file, Fingerprint: key.Type() + " " + ssh.FingerprintSHA256(key)}
		if other, ok := errors.AsType[*knownhosts.KeyError](err); ok {
			if len(other.Want) > 0 {
				e.Line = other.Want[0].Line
			}
			return e
		}
		if revoked, ok := errors.AsType[*knownhosts.RevokedError](err); ok {
			e.Revoked, e.Line = true, revoked.Revoked.Line
			return e
		}
		return err // of a certificate
	}
	return check, algorithms(file, t.Addr, known), nil
}

// algorithms asks for the keys of a file by showing it one that nobody has.
func algorithms(file, addr string, known ssh.HostKeyCallback) []string {
	var out []string
	if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte("@cert-authority")) {
		out = append(out, certificates()...)
	}
	err := known(addr, &net.TCPAddr{IP: net.IPv4zero}, nobody{})
	if other, ok := errors.AsType[*knownhosts.KeyError](err); ok {
		for _, k := range other.Want {
			if k.Key.Type() == ssh.KeyAlgoRSA {
				out = append(out, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
			}
			out = append(out, k.Key.Type())
		}
	}
	for _, a := range append(ssh.SupportedAlgorithms().HostKeys, ssh.KeyAlgoRSA) {
		if !slices.Contains(out, a) && !slices.Contains(certificates(), a) {
			out = append(out, a)
		}
	}
	return out
}

// certificates are the algorithms of keys that an authority has signed. Without
// one in the file there is no use in them.
func certificates() []string {
	return []string{
		ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
		ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
	}
}

// nobody is a key that stands in no file.
type nobody struct{}

func (nobody) Type() string                        { return "nobody" }
func (nobody) Marshal() []byte                     { return []byte("nobody") }
func (nobody) Verify([]byte, *ssh.Signature) error { return errors.New("nobody signs") }
