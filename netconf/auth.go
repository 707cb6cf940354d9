package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// Auth says by what a user is let in. Secrets stand in files, which are read at
// every login, so that a new one needs no restart.
type Auth struct {
	KeyFiles     []string // private keys without a passphrase
	PasswordFile string   // its one line
	Agent        bool     // the keys of an SSH agent
	AgentSocket  string   // of the agent; "" is what SSH_AUTH_SOCK names
}

// describe names what is tried, and nothing that is secret.
func (a Auth) describe() string {
	var parts []string
	if len(a.KeyFiles) > 0 {
		parts = append(parts, "the key "+strings.Join(a.KeyFiles, ", "))
	}
	if a.Agent {
		parts = append(parts, "the keys of the agent")
	}
	if a.PasswordFile != "" {
		parts = append(parts, "the password in "+a.PasswordFile)
	}
	return strings.Join(parts, " or ")
}

// methods gives the ways to log in, and what to call when that is over.
func (a Auth) methods(ctx context.Context) (_ []ssh.AuthMethod, done func(), err error) {
	var methods []ssh.AuthMethod
	var signers []ssh.Signer
	done = func() {}
	for _, name := range a.KeyFiles {
		signer, err := readKey(name)
		if err != nil {
			return nil, nil, err
		}
		signers = append(signers, signer)
	}
	password := ""
	if a.PasswordFile != "" {
		if password, err = readPassword(a.PasswordFile); err != nil {
			return nil, nil, err
		}
	}
	if a.Agent {
		more, hangUp, err := a.askAgent(ctx)
		if err != nil {
			return nil, nil, err
		}
		signers, done = append(signers, more...), hangUp
	}
	if len(signers) > 0 {
		methods = append(methods, ssh.PublicKeys(signers...))
	}
	if a.PasswordFile != "" {
		methods = append(methods, ssh.Password(password), ssh.KeyboardInteractive(
			func(_, _ string, questions []string, echos []bool) ([]string, error) {
				answers := make([]string, len(questions))
				for i := range questions {
					if echos[i] {
						return nil, errors.New("the device asks for more than a password")
					}
					answers[i] = password
				}
				return answers, nil
			}))
	}
	if len(methods) == 0 {
		done()
		return nil, nil, errors.New("there is nothing to log in with; name a private key, a password file or an agent with keys in the inventory")
	}
	return methods, done, nil
}

func readKey(name string) (ssh.Signer, error) {
	text, err := readSmall(name)
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return nil, fmt.Errorf("the private key %s is protected by a passphrase, for which nobody can be asked; give the key to an agent, or use one without", name)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is no private key in a format of OpenSSH or PEM; make one with ssh-keygen", name)
	}
	return signer, nil
}

func readPassword(name string) (string, error) {
	text, err := readSmall(name)
	if err != nil {
		return "", fmt.Errorf("the password cannot be read: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" || strings.ContainsAny(password, "\r\n") {
		return "", fmt.Errorf("the password file %s must have one line, the password", name)
	}
	return password, nil
}

// readSmall reads a file that no honest secret is larger than.
func readSmall(name string) ([]byte, error) {
	const limit = 64 << 10
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%w; check that it is there and that the agent may read it", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("%s has more than %d bytes; check that it is the right file", name, limit)
	}
	return text, err
}

// askAgent gives the keys of the SSH agent, which sign until done is called.
func (a Auth) askAgent(ctx context.Context) (_ []ssh.Signer, done func(), err error) {
	socket := a.AgentSocket
	if socket == "" {
		socket = os.Getenv("SSH_AUTH_SOCK")
	}
	if socket == "" {
		return nil, nil, errors.New("there is no SSH agent: SSH_AUTH_SOCK is not set; start one, or name a private key in the inventory")
	}
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("the SSH agent cannot be reached: %w; start one, or name a private key in the inventory", err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	done = func() { stop(); conn.Close() }
	signers, err := agent.NewClient(conn).Signers()
	if err == nil && len(signers) == 0 {
		err = errors.New("it has none; give it one with ssh-add")
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("the SSH agent gives no keys: %w", err)
	}
	return signers, done, nil
}
