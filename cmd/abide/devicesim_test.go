package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/device"
	"github.com/abide-agent/abide/netconf/tree"
)

// TestDeviceSim logs in with what the command prints, and finds what it saved when
// it runs again.
func TestDeviceSim(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startup := filepath.Join(dir, "startup.xml")
	write(t, startup, `<config><system xmlns="http://openconfig.net/yang/system"><config><login-banner>hi</login-banner></config></system></config>`)
	write(t, filepath.Join(dir, "password"), "geheim\n")
	for _, tt := range []struct {
		name string
		args []string
		want string // of the second device
	}{
		{"a key that stays", []string{"--dir", filepath.Join(dir, "keys"), "--startup", startup}, "<login-banner>hi</login-banner>"},
		{"the same again", []string{"--dir", filepath.Join(dir, "keys"), "--startup", startup}, "<hostname>sim2</hostname>"},
		{"a throw-away key", nil, ""},
		{"a password, and running", []string{"--user", "noc", "--password-file", filepath.Join(dir, "password"), "--mode", "running"}, ""},
	} {
		devices, stop := deviceSim(t, append(tt.args, "--listen", "127.0.0.1:0", "--devices", "2")...)
		for i, d := range devices {
			s, err := netconf.Dial(t.Context(), d.Target)
			if err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			config, _, err := s.GetConfig(t.Context(), netconf.Running, nil)
			if err != nil || i == 1 && !strings.Contains(config.Pretty(), tt.want) {
				t.Errorf("%s: the device has %v\n%s", tt.name, err, config.Pretty())
			}
			edit, _ := tree.ParseBytes(fmt.Appendf(nil, `<c><system xmlns="http://openconfig.net/yang/system"><config><hostname>%s</hostname></config></system></c>`, d.Name))
			if s.Capabilities().Has(":candidate") {
				err = s.EditConfig(t.Context(), netconf.EditOptions{Target: netconf.Candidate}, edit)
				if err == nil {
					err = s.Commit(t.Context(), netconf.CommitOptions{})
				}
			} else {
				err = s.EditConfig(t.Context(), netconf.EditOptions{Target: netconf.Running}, edit)
			}
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			s.Close(t.Context())
		}
		stop()
		if key := devices[0].Target.KnownHosts; tt.args == nil {
			if _, err := os.Stat(key); err == nil {
				t.Errorf("%s is left behind", key)
			}
		}
	}
	saved, err := os.ReadFile(startup)
	if err != nil || strings.Contains(string(saved), "sim") {
		t.Errorf("the file that several devices begin with was changed: %v\n%s", err, saved)
	}
}

// deviceSim runs the command until stop, and reads its inventory as the agent does.
func deviceSim(t *testing.T, args ...string) (devices []device.Device, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	code := make(chan int)
	var errs strings.Builder
	go func() {
		p := process{args: append([]string{"abide", "device-sim"}, args...), out: w, err: &errs, env: func(string) (string, bool) { return "", false }}
		c := run(ctx, p)
		w.Close()
		code <- c
	}()
	text := make([]byte, 1<<16)
	n, err := r.Read(text)
	if err != nil {
		t.Fatalf("%v: exit code %d, %s", err, <-code, errs.String())
	}
	inv, problems := device.ParseInventory("inventory.xml", text[:n])
	devices, more := device.Resolve(inv)
	if len(problems)+len(more) > 0 || len(devices) != 2 {
		t.Fatalf("%v %v\n%s", problems, more, text[:n])
	}
	return devices, func() {
		cancel()
		if c := <-code; c != 0 || !strings.Contains(errs.String(), "SHA256:") {
			t.Errorf("exit code %d: %s", c, errs.String())
		}
	}
}

func TestDeviceSimRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	write(t, empty, "")
	write(t, filepath.Join(dir, "bad.xml"), `<config><nosuch xmlns="urn:x"/></config>`)
	for args, want := range map[string]string{
		"--mode both":                                  "neither candidate nor running",
		"--devices 0":                                  "1 to 1000",
		"--listen nowhere":                             "no address",
		"--listen 127.0.0.1:65535 --devices 2":         "no address for 2 devices",
		"--yang " + dir:                                "no model",
		"--password-file " + empty:                     "holds no password",
		"--authorized-keys " + dir + "/nosuch":         "no such file",
		"--startup " + filepath.Join(dir, "bad.xml"):   "no model has the namespace",
		"--listen 127.0.0.1:0 --fault commit":          "can't be read",
		"--listen 127.0.0.1:0 --fault commit=explode":  "there is no fault",
		"--listen 127.0.0.1:0 --fault sim9:any=refuse": "no device \"sim9\"",
	} {
		code, out, errs := command{}.run(t, append([]string{"device-sim"}, strings.Fields(args)...)...)
		if code == 0 || !strings.Contains(errs, want) || out != "" {
			t.Errorf("device-sim %s: exit code %d\n%s%s", args, code, out, errs)
		}
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
