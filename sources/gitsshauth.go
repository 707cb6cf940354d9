package sources

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// sshMeans names what is used to log in, and nothing that is secret.
func (a GitAuth) sshMeans() string {
	if a.SSHKeyFile != "" {
		return "that the server knows the key " + a.SSHKeyFile
	}
	return "that the server knows a key of the SSH agent, or name one with ssh_key_file"
}

// sshConfig gives what a login needs, and what to call when it is over. An agent
// has until then to answer and to sign.
func (a GitAuth) sshConfig(ctx context.Context, loc Location, until time.Time) (*ssh.ClientConfig, func(), error) {
	check, algorithms, err := a.hostKeys(loc)
	if err != nil {
		return nil, nil, err
	}
	config := &ssh.ClientConfig{User: loc.sshUser(), HostKeyCallback: check, HostKeyAlgorithms: algorithms}
	if a.SSHKeyFile != "" {
		signer, err := a.sshKey()
		if err != nil {
			return nil, nil, err
		}
		config.Auth = []ssh.AuthMethod{ssh.PublicKeys(signer)}
		return config, func() {}, nil
	}
	signers, done, err := a.askAgent(ctx, until)
	if err != nil {
		return nil, nil, err
	}
	config.Auth = []ssh.AuthMethod{ssh.PublicKeys(signers...)}
	return config, done, nil
}

func (a GitAuth) sshKey() (ssh.Signer, error) {
	text, err := readSecret("the private key", a.SSHKeyFile)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		if a.SSHPassphraseFile == "" {
			return nil, say(nil, "the private key %s is protected by a passphrase, for which nobody can be asked; name the file that holds it with ssh_passphrase_file, give the key to an SSH agent, or use one without", a.SSHKeyFile)
		}
		passphrase, perr := readLine("the passphrase", a.SSHPassphraseFile)
		if perr != nil {
			return nil, perr
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase)); err != nil {
			return nil, say(nil, "the passphrase in %s does not open the private key %s; correct it", a.SSHPassphraseFile, a.SSHKeyFile)
		}
	}
	if err != nil {
		return nil, say(nil, "%s is no private key in a format of OpenSSH or PEM; make one with ssh-keygen", a.SSHKeyFile)
	}
	return signer, nil
}

// askAgent gives the keys of the SSH agent, which sign until done is called.
func (a GitAuth) askAgent(ctx context.Context, until time.Time) (_ []ssh.Signer, done func(), err error) {
	const instead = "start one, or name a private key with ssh_key_file"
	socket := a.SSHAgentSocket
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		return nil, nil, say(nil, "there is nothing to log in with: no private key is named, and no SSH agent is there (SSH_AUTH_SOCK is not set); %s", instead)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, say(nil, "the SSH agent cannot be reached: %v; %s", err, instead)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	done = func() { stop(); conn.Close() }
	if err := conn.SetDeadline(until); err != nil {
		done()
		return nil, nil, say(nil, "the SSH agent cannot be reached: %v; %s", err, instead)
	}
	signers, err := agent.NewClient(conn).Signers()
	switch {
	case err != nil:
		err = say(nil, "the SSH agent gives no keys: %v; %s", err, instead)
	case len(signers) == 0:
		err = say(nil, "the SSH agent has no keys; give it one with ssh-add, or name a private key with ssh_key_file")
	}
	if err != nil {
		done()
		return nil, nil, err
	}
	return signers, done, nil
}

// userKnownHosts lists the files that ssh(1) looks into.
func userKnownHosts() []string {
	files := []string{"/etc/ssh/ssh_known_hosts"}
	if home, err := os.UserHomeDir(); err == nil {
		files = append([]string{filepath.Join(home, ".ssh", "known_hosts")}, files...)
	}
	return files
}
