package spec

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units"
)

// Host is what specifiers say of the machine and of the user who runs the agent.
type Host struct {
	Hostname, MachineID, BootID, Kernel           string
	UID, GID, User, Group, Home, Shell            string
	Runtime, State, Cache, Logs, Config, Tmp, Var string
}

// ThisHost looks at this machine once.
var ThisHost = sync.OnceValue(func() Host {
	h := Host{
		UID: strconv.Itoa(os.Geteuid()), GID: strconv.Itoa(os.Getegid()), Shell: "/bin/sh", Home: os.Getenv("HOME"),
		MachineID: firstLine("/etc/machine-id"), BootID: strings.ReplaceAll(firstLine("/proc/sys/kernel/random/boot_id"), "-", ""),
		Kernel: firstLine("/proc/sys/kernel/osrelease"), Tmp: "/tmp", Var: "/var/tmp",
		Runtime: "/run", State: "/var/lib", Cache: "/var/cache", Logs: "/var/log", Config: "/etc",
	}
	h.Hostname, _ = os.Hostname()
	h.User, h.Group = h.UID, h.GID
	if u, err := user.LookupId(h.UID); err == nil {
		h.User, h.Home = u.Username, u.HomeDir
	}
	if g, err := user.LookupGroupId(h.GID); err == nil {
		h.Group = g.Name
	}
	if h.UID != "0" {
		h.Runtime = fallback(os.Getenv("XDG_RUNTIME_DIR"), "/run/user/"+h.UID)
		h.State = fallback(os.Getenv("XDG_STATE_HOME"), h.Home+"/.local/state")
		h.Cache = fallback(os.Getenv("XDG_CACHE_HOME"), h.Home+"/.cache")
		h.Config = fallback(os.Getenv("XDG_CONFIG_HOME"), h.Home+"/.config")
		h.Logs = h.State + "/log"
	}
	return h
})

func fallback(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

func firstLine(path string) string {
	text, _ := os.ReadFile(path)
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

// specifiers replaces systemd's % sequences (systemd.unit(5), "Specifiers").
type specifiers struct {
	name string
	host Host
}

// expand replaces the specifiers of one word. One that stands for something
// this engine has not (a cgroup, credentials, the image's release) is not
// supported, and one that nobody knows is a fault.
func (s specifiers) expand(text string) (string, error) {
	if !strings.Contains(text, "%") {
		return text, nil
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			b.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", errors.New("it ends in a lone %; write %% for a literal one")
		}
		value, err := s.value(text[i])
		if err != nil {
			return "", err
		}
		b.WriteString(value)
	}
	return b.String(), nil
}

func (s specifiers) value(c byte) (string, error) {
	stem := strings.TrimSuffix(s.name, ".service")
	prefix, instance, _ := strings.Cut(stem, "@")
	last := prefix[strings.LastIndexByte(prefix, '-')+1:]
	h := s.host
	switch c {
	case '%':
		return "%", nil
	case 'n':
		return s.name, nil
	case 'N':
		return stem, nil
	case 'p':
		return prefix, nil
	case 'P':
		return unescapeName(prefix), nil
	case 'i':
		return instance, nil
	case 'I':
		return unescapeName(instance), nil
	case 'j':
		return last, nil
	case 'J':
		return unescapeName(last), nil
	case 'f':
		return "/" + strings.TrimPrefix(unescapeName(fallback(instance, prefix)), "/"), nil
	case 'l':
		short, _, _ := strings.Cut(h.Hostname, ".")
		return short, nil
	case 'a':
		return architecture(), nil
	}
	value, ok := map[byte]string{
		'H': h.Hostname, 'm': h.MachineID, 'b': h.BootID, 'v': h.Kernel,
		'u': h.User, 'U': h.UID, 'g': h.Group, 'G': h.GID, 'h': h.Home, 's': h.Shell,
		't': h.Runtime, 'S': h.State, 'C': h.Cache, 'L': h.Logs, 'E': h.Config, 'T': h.Tmp, 'V': h.Var,
	}[c]
	if ok {
		return value, nil
	}
	if strings.IndexByte("cdABMowWqyY", c) >= 0 {
		return "", fmt.Errorf("the specifier %%%c is %w; write its value instead", c, units.ErrNotSupported)
	}
	return "", fmt.Errorf("%%%c is no specifier; write %%%% for a literal %%", c)
}

// unescapeName undoes systemd's escaping of names: "-" is "/", \xHH a byte.
func unescapeName(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '-':
			b.WriteByte('/')
		case s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x':
			if v, err := strconv.ParseUint(s[i+2:i+4], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 3
				continue
			}
			b.WriteByte('\\')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// architecture names the machine's as systemd does, by the kernel's word.
func architecture() string {
	switch runtime.GOARCH {
	case "amd64":
		return "x86-64"
	case "386":
		return "x86"
	}
	var u unix.Utsname
	if runtime.GOARCH == "arm64" || unix.Uname(&u) != nil {
		return runtime.GOARCH
	}
	return unix.ByteSliceToString(u.Machine[:])
}
