package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/api/client"
)

// defaultServer is where a daemon listens that was told nothing else.
const defaultServer = "http://127.0.0.1:8081"

// maxToken bounds a token file, in bytes.
const maxToken = 4 << 10

// remote is how a command reaches a daemon.
type remote struct {
	p                        *process
	server, token, tokenFile string
}

// bindRemote gives cmd the flags that say which daemon is asked.
func (p *process) bindRemote(cmd *cobra.Command) *remote {
	r := &remote{p: p}
	flags := cmd.Flags()
	flags.StringVar(&r.server, "server", "", "`URL` of the daemon, also unix:///PATH (default $ABIDE_SERVER or "+defaultServer+")")
	flags.StringVar(&r.token, "token", "", "`TOKEN` to show the daemon (default $ABIDE_TOKEN)")
	flags.StringVar(&r.tokenFile, "token-file", "", "`FILE` that holds the token, which keeps it out of process lists")
	return r
}

// named says whether a daemon was asked for by name.
func (r *remote) named() bool { return r.server != "" || r.p.getenv("ABIDE_SERVER") != "" }

func (r *remote) client() (*client.Client, error) {
	token := cmp.Or(r.token, r.p.getenv("ABIDE_TOKEN"))
	if r.tokenFile != "" {
		f, err := os.Open(r.tokenFile)
		if err != nil {
			return nil, errors.New("the token can't be read: " + reason(err) + "; check --token-file")
		}
		defer func() { _ = f.Close() }()
		text, err := io.ReadAll(io.LimitReader(f, maxToken))
		if err != nil {
			return nil, errors.New("the token can't be read: " + reason(err) + "; check --token-file")
		}
		token = strings.TrimSpace(string(text))
	}
	c, err := client.New(cmp.Or(r.server, r.p.getenv("ABIDE_SERVER"), defaultServer), client.Token(token))
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	return c, nil
}

// asking makes the RunE of a command that asks a daemon.
func (r *remote) asking(do func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.client()
		if err != nil {
			return err
		}
		defer c.Close()
		return do(cmd.Context(), c, args)
	}
}
