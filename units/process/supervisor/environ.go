package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/units/process/spec"
)

// plan works out what a command is started with, at the moment of its start:
// variables, environment files and users are looked up anew each time.
func (u *unit) plan(c spec.Command, extra []string) (plan, error) {
	p := plan{
		Path: c.Path, UMask: u.spec.UMask, Dir: u.spec.Dir, DirOptional: u.spec.DirOptional, KeepSIGPIPE: u.spec.KeepSIGPIPE,
		Nice: u.spec.Nice, OOMScore: u.spec.OOMScore, Limits: u.spec.Limits, NoNewPrivs: u.spec.NoNewPrivs && !c.Full,
	}
	who, err := lookUpUser(u.spec)
	if err != nil {
		return p, err
	}
	env, err := u.environment(who, extra)
	if err != nil {
		return p, err
	}
	p.Env = env.list()
	p.Args = c.Expand(env.get)
	if who.set && !c.Full {
		p.User = &who.credentials
	}
	home, _ := env.get("HOME")
	switch {
	case p.Dir == "~":
		p.Dir = fallback(who.home, home)
	case p.Dir == "" && os.Geteuid() != 0:
		p.Dir = home // as for the services of a user's own systemd
	}
	p.Dir = fallback(p.Dir, "/")
	return p, nil
}

func fallback(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// identity is what User= and Group= say.
type identity struct {
	credentials
	set               bool // one of them was given
	named             bool // User= was
	name, home, shell string
}

// lookUpUser finds the user and groups of a unit, by name or number.
func lookUpUser(s spec.Service) (id identity, err error) {
	id.UID, id.GID = os.Geteuid(), os.Getegid()
	id.set = s.User != "" || s.Group != "" || len(s.Groups) > 0
	if s.User != "" {
		if err := id.user(s.User); err != nil {
			return id, err
		}
	}
	if s.Group != "" {
		if id.GID, err = lookUpGroup(s.Group); err != nil {
			return id, err
		}
	}
	for _, name := range s.Groups {
		gid, err := lookUpGroup(name)
		if err != nil {
			return id, err
		}
		id.Groups = append(id.Groups, gid)
	}
	return id, nil
}

func (id *identity) user(name string) error {
	found, err := user.Lookup(name)
	if _, numeric := strconv.Atoi(name); err != nil && numeric == nil {
		found, err = user.LookupId(name)
		if errors.As(err, new(user.UnknownUserIdError)) { // a number needs no name
			id.UID, _ = strconv.Atoi(name)
			id.GID, id.named, id.name, id.home, id.shell = id.UID, true, name, "/", "/bin/sh"
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("User=%s is no user of this machine; create it, or correct the name", name)
	}
	id.UID, _ = strconv.Atoi(found.Uid)
	id.GID, _ = strconv.Atoi(found.Gid)
	id.named, id.name, id.home, id.shell = true, found.Username, found.HomeDir, "/bin/sh"
	groups, _ := found.GroupIds()
	for _, g := range groups {
		if gid, err := strconv.Atoi(g); err == nil {
			id.Groups = append(id.Groups, gid)
		}
	}
	return nil
}

func lookUpGroup(name string) (int, error) {
	if found, err := user.LookupGroup(name); err == nil {
		return strconv.Atoi(found.Gid)
	}
	if gid, err := strconv.Atoi(name); err == nil {
		return gid, nil
	}
	return 0, fmt.Errorf("%s is no group of this machine; create it, or correct the name", name)
}

// variables is an environment in the order in which it was set.
type variables struct {
	names  []string
	values map[string]string
}

func (v *variables) set(assignments ...string) {
	for _, a := range assignments {
		name, value, _ := strings.Cut(a, "=")
		if _, known := v.values[name]; !known {
			v.names = append(v.names, name)
		}
		v.values[name] = value
	}
}

func (v *variables) get(name string) (string, bool) {
	value, ok := v.values[name]
	return value, ok
}

func (v *variables) unset(name string) {
	name, value, only := strings.Cut(name, "=")
	if only && v.values[name] != value {
		return
	}
	delete(v.values, name)
	v.names = slices.DeleteFunc(v.names, func(n string) bool { return n == name })
}

func (v *variables) list() []string {
	out := make([]string, 0, len(v.names))
	for _, name := range v.names {
		out = append(out, name+"="+v.values[name])
	}
	return out
}

// environment builds what a process of the unit finds in its environment
// (systemd.exec(5), "Environment Variables in Spawned Processes"), the weakest
// first. Nothing else of the agent's own comes through.
func (u *unit) environment(who identity, extra []string) (*variables, error) {
	v := &variables{values: map[string]string{}}
	v.set("PATH=" + spec.SearchPath)
	if who.named {
		v.set("USER="+who.name, "LOGNAME="+who.name, "HOME="+who.home, "SHELL="+who.shell)
	}
	v.set(u.order.Environ...)
	v.set("INVOCATION_ID=" + u.status.Invocation)
	v.set(extra...)
	if u.notify != nil {
		v.set(u.notify.environment(u.spec)...)
	}
	v.set(u.spec.Environment...)
	for _, f := range u.spec.Files {
		assignments, err := readEnvFiles(f)
		if err != nil {
			return nil, err
		}
		v.set(assignments...)
	}
	// The mark finds processes that are no descendants of the supervisor.
	v.set("INVOCATION_ID=" + u.status.Invocation)
	for _, name := range u.spec.Unset {
		v.unset(name)
	}
	return v, nil
}

// maxEnvFile bounds an environment file, in bytes.
const maxEnvFile = 1 << 20

func readEnvFiles(f spec.EnvFile) (out []string, err error) {
	paths, err := filepath.Glob(f.Path)
	if err != nil || len(paths) == 0 {
		paths = []string{f.Path}
	}
	for _, path := range paths {
		text, err := readBounded(path)
		if err != nil && f.Optional {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("EnvironmentFile=%s can't be read: %w; create it, or write a - before it to go on without", path, plain(err))
		}
		out = append(out, spec.ParseEnvFile(text)...)
	}
	return out, nil
}

func readBounded(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxEnvFile+1))
	if err == nil && len(text) > maxEnvFile {
		err = fmt.Errorf("it has more than %d bytes", maxEnvFile)
	}
	return string(text), err
}
