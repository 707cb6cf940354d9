package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/abide-agent/abide/internal/settings"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/sources"
	"github.com/abide-agent/abide/units"
)

func newAgentID() string { return strings.ToLower(rand.Text()[:16]) }

// sources makes every source of the settings, with what it is granted.
func (a *parts) sources(stdin io.Reader) ([]reconcile.SourceConfig, error) {
	var out []reconcile.SourceConfig
	taken := map[string]bool{}
	for _, s := range a.settings.Sources {
		if s.Name == units.RegistrySource || s.Name == reconcile.TriggerSource {
			return nil, fmt.Errorf("source %s: this name is abide's own; give the source another with `name:`", s.Name)
		}
		c, err := a.source(s)
		if err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		taken[s.Name] = true
		a.onClose(c.Source.Close)
		out = append(out, c)
	}
	for _, file := range a.settings.Files {
		c, err := a.explicit(file, stdin, taken)
		if err != nil {
			return nil, err
		}
		a.onClose(c.Source.Close)
		out = append(out, c)
	}
	return out, nil
}

func (a *parts) source(s settings.Source) (c reconcile.SourceConfig, err error) {
	c.Policy = reconcile.Policy{Kinds: s.Kinds, DockerHosts: s.Policy.DockerHosts, UnitNames: s.Policy.UnitNames, Devices: s.Policy.Devices, HostExecutor: s.Policy.HostExecutor}
	c.Policy.Units = reconcile.UnitDefaults{Desired: units.State(s.Units.Desired), Drift: units.Drift(s.Units.Drift)}
	note := func(text string) { a.warn("source " + s.Name + ": " + text) }
	switch {
	case s.Git != "":
		c.Type = "git"
		dir := ""
		if a.dir != "" {
			dir = filepath.Join(a.dir, "git", s.Name)
		}
		c.Source, err = sources.NewGit(sources.GitOptions{
			Name: s.Name, URL: s.Git.Secret(), Path: s.Path, Interval: s.Interval,
			Ref: sources.Ref{Branch: s.Branch, Tag: s.Tag, Commit: s.Commit}, Dir: dir, Note: note,
			Auth: gitAuth(s.Auth),
		})
	case s.Dir != "":
		c.Type = "dir"
		c.Source, err = sources.NewDir(sources.DirOptions{Name: s.Name, Path: filepath.Join(s.Dir, filepath.FromSlash(s.Path)), Interval: s.Interval, Note: note})
	default:
		c.Type = "file"
		var f *sources.File
		if f, err = sources.NewFile(s.File); err == nil {
			c.Source, c.As = named{f, s.Name}, stem(s.File)
		}
	}
	return c, err
}

func gitAuth(a settings.Auth) sources.GitAuth {
	return sources.GitAuth{
		Username: a.Username, TokenFile: a.TokenFile, TokenEnv: a.TokenEnv, PasswordFile: a.PasswordFile, PasswordEnv: a.PasswordEnv,
		CAFile: a.CAFile, CertFile: a.CertFile, KeyFile: a.KeyFile, Proxy: a.Proxy.Secret(),
		SSHKeyFile: a.SSHKeyFile, SSHPassphraseFile: a.SSHPassphraseFile, SSHAgentSocket: a.SSHAgentSocket, KnownHostsFile: a.KnownHostsFile,
	}
}

// named gives a source the name that the settings made unique.
type named struct {
	sources.Source
	name string
}

func (n named) Name() string { return n.name }

func (n named) Snapshot(ctx context.Context) (*sources.Snapshot, error) {
	return n.rename(n.Source.Snapshot(ctx))
}

func (n named) At(ctx context.Context, revision string) (*sources.Snapshot, error) {
	return n.rename(n.Source.At(ctx, revision))
}

func (n named) rename(snap *sources.Snapshot, err error) (*sources.Snapshot, error) {
	if err != nil {
		return nil, err
	}
	renamed := *snap
	renamed.Source = n.name
	return &renamed, nil
}

// explicit makes the source of a file given with -f: it runs every time, and
// whoever names it vouches for the engine that it names.
func (a *parts) explicit(file string, stdin io.Reader, taken map[string]bool) (c reconcile.SourceConfig, err error) {
	name := stem(file)
	if file == "-" {
		name = "stdin"
	}
	if a.settings.Name != "" {
		name = a.settings.Name
	}
	for base, n := name, 2; taken[name]; n++ {
		name = fmt.Sprintf("%s-%d", base, n)
	}
	taken[name] = true
	c = reconcile.SourceConfig{Type: "file", Explicit: true, As: name, Policy: reconcile.Policy{AnyHost: true, HostExecutor: true}}
	if file == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, reconcile.MaxFileBytes+1))
		if err != nil {
			return c, fmt.Errorf("standard input can't be read: %w", err)
		}
		c.Source = named{sources.NewReader("stdin.yaml", text), name}
		return c, nil
	}
	f, err := sources.NewFile(file)
	if err != nil {
		return c, err
	}
	c.Source = named{f, name}
	return c, nil
}

// stem is a file's name without its directory and extension.
func stem(file string) string { return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)) }

// triggerTree is what request bodies may copy and build from.
func triggerTree(root string) fs.FS {
	if root == "" {
		return nil
	}
	r, err := os.OpenRoot(root)
	if err != nil {
		return brokenTree{fmt.Errorf("the directory trigger.root can't be read: %w", err)}
	}
	return r.FS()
}

// brokenTree says at every use why there is no tree.
type brokenTree struct{ err error }

func (b brokenTree) Open(string) (fs.File, error) { return nil, b.err }
