package netconfd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// listens is how many addresses one sshd takes.
const listens = 16

// startSSH starts the SSH servers. The subsystem learns from the port that a
// client came to, which device is meant.
func (k *Kit) startSSH(ctx context.Context) error {
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd's own demand
			return err
		}
	}
	subsystem := fmt.Sprintf("#!/bin/sh\nset -- $SSH_CONNECTION\nexec /usr/sbin/netconf-subsystem --ncxserver-sockname=$4@%s/$4/front\n", k.dir)
	if err := k.write("subsystem", []byte(subsystem), 0o755); err != nil {
		return err
	}
	host, err := k.newKey("hostkey")
	if err != nil {
		return err
	}
	user, err := k.newKey("id")
	if err != nil {
		return err
	}
	var known bytes.Buffer
	for _, d := range k.Devices {
		fmt.Fprintln(&known, knownhosts.Line([]string{d.Addr}, host))
	}
	if err := k.write("known_hosts", known.Bytes(), 0o644); err != nil {
		return err
	}
	if err := k.write("authorized_keys", ssh.MarshalAuthorizedKey(user), 0o644); err != nil {
		return err
	}
	k.KeyFile, k.KnownHosts = filepath.Join(k.dir, "id"), filepath.Join(k.dir, "known_hosts")
	for i := 0; i < len(k.Devices); i += listens {
		if err := k.oneSSH(ctx, i/listens, k.Devices[i:min(i+listens, len(k.Devices))]); err != nil {
			return err
		}
	}
	return nil
}

func (k *Kit) oneSSH(ctx context.Context, n int, devices []*Device) error {
	// MaxStartups: the default refuses connections by chance when many come at once.
	// SetEnv: nothing that the user's shell runs at its start is any business of ours;
	// some of it takes longer than the session.
	config := fmt.Sprintf(`HostKey %[1]s/hostkey
PidFile none
AuthorizedKeysFile %[1]s/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
UseDNS no
MaxStartups 500:30:1000
SetEnv HOME=%[1]s SHLVL=1
Subsystem netconf %[1]s/subsystem
`, k.dir)
	for _, d := range devices {
		config += "ListenAddress " + d.Addr + "\n"
	}
	name := fmt.Sprintf("sshd%d", n)
	if err := k.write(name+".conf", []byte(config), 0o644); err != nil {
		return err
	}
	p, err := k.keeper.run(k.dir, filepath.Join(k.dir, name+".log"), nil,
		"/usr/sbin/sshd", "-D", "-e", "-f", filepath.Join(k.dir, name+".conf"))
	if err != nil {
		return err
	}
	for _, d := range devices {
		err := until(ctx, "sshd does not listen", func() error {
			select {
			case <-p.ended:
				return fmt.Errorf("it ended: %v", p.cmd.ProcessState)
			default:
			}
			c, err := net.Dial("tcp", d.Addr)
			if err != nil {
				return err
			}
			return c.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// newKey writes a private key.
func (k *Kit) newKey(name string) (ssh.PublicKey, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return nil, err
	}
	if err := k.write(name, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(public)
}
