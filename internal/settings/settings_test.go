package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// input builds an Input from flags as `name=value` and variables as a map.
func input(t *testing.T, config string, env map[string]string, flags ...string) Input {
	t.Helper()
	in := Input{Flags: map[string][]string{}, Env: func(k string) (string, bool) { v, ok := env[k]; return v, ok }}
	for k, v := range env {
		in.Environ = append(in.Environ, k+"="+v)
	}
	for _, f := range flags {
		name, value, _ := strings.Cut(f, "=")
		in.Flags[name] = append(in.Flags[name], value)
	}
	if config != "" {
		file := filepath.Join(t.TempDir(), "abide.yaml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		in.Flags["config"] = []string{file}
	}
	return in
}

func load(t *testing.T, in Input) Settings {
	t.Helper()
	s, faults := Load(in)
	if faults.Err() != nil {
		t.Fatalf("Load: %v", faults)
	}
	return s
}

func TestDefaultsHoldWhereNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := load(t, input(t, "", nil))
	if diff := cmp.Diff(Default(), s); diff != "" {
		t.Error(diff)
	}
	if s.Listen.Host != "127.0.0.1" || s.Listen.Port != 8081 || s.MaxJobs < 4 {
		t.Errorf("defaults: %v", s)
	}
	for _, empty := range []string{"# nothing\n", "docker:\nnetconf:\n  # parallel: 3\n", "---\n"} {
		if got := load(t, input(t, empty, nil)); !cmp.Equal(got, s) {
			t.Errorf("%q changes the defaults: %v", empty, got)
		}
	}
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	config := "grace: 1s\nmax_jobs: 3\nlisten: {host: 10.0.0.1, port: 1}\nallow_hosts: [a, b]\nlabels: {zone: file, tier: x}\n"
	env := map[string]string{"ABIDE_GRACE": "2s", "ABIDE_PORT": "2", "ABIDE_ALLOW_HOST": "c, d", "ABIDE_INSECURE": "true", "ABIDE_HOST": ""}
	s := load(t, input(t, config, env, "grace=3s", "label=zone=flag"))
	want := Default()
	want.Grace, want.MaxJobs, want.Insecure = 3*time.Second, 3, true
	want.Listen = Listen{Host: "10.0.0.1", Port: 2}
	want.AllowHosts = []string{"c", "d"}
	want.Labels = map[string]string{"zone": "flag"}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
}

func TestFileHoldsEverySetting(t *testing.T) {
	t.Parallel()
	s := load(t, input(t, `
state: /srv/abide
listen: {host: "::1", port: 0}
sockets: [/run/a.sock, /run/b.sock]
tokens:
  - {name: ci, role: trigger, token_file: /etc/abide/ci}
  - {name: eye, role: read, sha256: `+strings.Repeat("0a", 32)+`}
admin_uids: [1000]
allow_origins: ["https://ci.example.org"]
docker: {host: "tcp://localhost:2375"}
executor: host
units: {engine: process, dir: /tmp/units, drift: 5s}
netconf: {confirm_timeout: 90s, parallel: 4, atomic: per-device, socket: /run/s}
trigger: {root: /srv, docker_hosts: ["unix:///x"]}
retention: {events: 500, runs: 10, age: 1d12h, bytes: 64 MiB}
sources:
  - git: https://user:hunter2@example.org/team/app.git
    branch: main
    path: deploy
    interval: 5m
    kinds: [units, pipelines, units]
    policy: {host_executor: true, bind_mounts: [/data], unit_names: ["web-*"]}
    units: {desired_state: loaded, drift: report}
    labels: {env: prod}
  - {dir: /etc/jobs, name: local}
  - {file: /etc/one.yaml}
  - git: /srv/app.git
`, nil))
	want := []Source{
		{
			Name: "app", Git: "https://user:hunter2@example.org/team/app.git", Branch: "main", Path: "deploy",
			Interval: 5 * time.Minute, Kinds: []string{"pipelines", "units"},
			Policy: Policy{HostExecutor: true, BindMounts: []string{"/data"}, UnitNames: []string{"web-*"}},
			Units:  SourceUnits{Desired: "loaded", Drift: "report"}, Labels: map[string]string{"env": "prod"},
		},
		{Name: "local", Dir: "/etc/jobs", Interval: DefaultInterval, Kinds: []string{"pipelines", "services", "units"}},
		{Name: "one", File: "/etc/one.yaml", Interval: DefaultInterval, Kinds: []string{"pipelines", "services", "units"}},
		{Name: "app-2", Git: "/srv/app.git", Interval: DefaultInterval, Kinds: []string{"pipelines", "services", "units"}},
	}
	if diff := cmp.Diff(want, s.Sources, cmpopts.IgnoreUnexported(Source{})); diff != "" {
		t.Error(diff)
	}
	if s.Retention != (Retention{Events: 500, Runs: 10, Age: 36 * time.Hour, Bytes: 64 << 20}) {
		t.Errorf("retention: %+v", s.Retention)
	}
	if len(s.Tokens) != 2 || s.Tokens[1].SHA256 == "" || s.Listen != (Listen{Host: "::1"}) || s.AdminUIDs[0] != 1000 {
		t.Errorf("settings: %v", s)
	}
}

func TestCommandLineSources(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := "sources: [{dir: /else}]\n"
	s := load(t, input(t, config, map[string]string{"ABIDE_INTERVAL": "9s"},
		"file="+dir, "file=a.yaml", "file=-", "git=https://h/x.git", "git=git@h:team/y.git", "branch=main", "executor=host"))
	if diff := cmp.Diff([]string{"a.yaml", "-"}, s.Files); diff != "" {
		t.Error(diff)
	}
	var got []string
	for _, src := range s.Sources {
		got = append(got, fmt.Sprint(src.Name, " ", src.Branch, " ", src.Interval, " ", src.Policy.HostExecutor))
	}
	want := []string{filepath.Base(dir) + "  9s true", "x main 9s true", "y main 9s true"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	// A pipeline file alone takes the place of the file's sources, too.
	if s := load(t, input(t, config, nil, "file=a.yaml", "name=hello")); len(s.Sources) != 0 || s.Name != "hello" {
		t.Errorf("settings: %v", s)
	}
	if s := load(t, input(t, config, nil, "grace=1s")); len(s.Sources) != 1 {
		t.Errorf("settings: %v", s)
	}
}

func TestEveryFaultIsReportedWithItsPlace(t *testing.T) {
	t.Parallel()
	in := input(t, `grace: soon
docker:
  hots: x
netcnf: {}
sources:
  - git: https://u:hunter2@h/x
    dir: /y
    interval: 1
  - brunch: main
  - {git: /a, branch: b, tag: c, kinds: [pipelines, unit]}
  - {dir: /a, commit: abc}
max_jobs: 0
max_jobs: 4
allow_hosts: [a, {b: c}]
labels: {a: }
executor: dokcer
baseline: yes
tokens: [{name: x, role: admin}, {name: x, role: boss, sha256: 12}]
listen: 80
state:
retention: {bytes: 3 GiBi, age: -3s}
sockets: {a: b}
`, map[string]string{"ABIDE_PORT": "many", "ABIDE_STTAE": "x"}, "host=0.0.0.0:80", "executor=hosd")
	_, faults := Load(in)
	var got []string
	for _, p := range faults {
		if strings.Contains(p.Message, "no effect in this version") {
			continue
		}
		got = append(got, strings.ReplaceAll(p.String(), in.Flags["config"][0], "F"))
	}
	want := []string{
		`F:1:8: grace: "soon" is not a time; write it like 500ms, 30s, 5m, 1h30m or 30d`,
		`F:3:3: docker.hots: there is no such setting; did you mean host?`,
		`F:4:1: netcnf: there is no such setting; did you mean netconf?`,
		`F:8:15: interval: "1" is not a time; write it like 500ms, 30s, 5m, 1h30m or 30d`,
		`F:9:5: brunch: there is no such setting; did you mean branch?`,
		`F:10:53: kinds: "unit" is not a choice; did you mean units? It is one of pipelines, units, services`,
		`F:11:23: commit: "abc" is not a full commit hash; write all of its 40 hexadecimal digits, as ` + "`git rev-parse`" + ` prints them`,
		`F:12:11: max_jobs: "0" is not a number from 1 to 10000; write a whole number in that range`,
		`F:13:1: max_jobs: this is given twice, first in line 12; keep one of the two`,
		`F:14:18: allow_hosts: an element is a mapping; write a plain value`,
		`F:15:13: labels: an element is empty; write a plain value`,
		`F:16:11: executor: "dokcer" is not a choice; did you mean docker? It is one of docker, host`,
		`F:17:11: baseline: "yes" is neither true nor false; write true or false`,
		`F:18:50: role: "boss" is not a choice; choose one of read, trigger, admin`,
		`F:18:64: sha256: that is not a SHA-256 digest; write its 64 hexadecimal digits, as ` + "`printf %s TOKEN | sha256sum`" + ` prints them`,
		`F:19:9: listen: this is a single value, not a mapping; write ` + "`key: value`" + ` lines`,
		`F:20:7: state: the value is missing; give one, or leave the key away`,
		`F:21:20: retention.bytes: "3 GiBi" is not a size; write it like 500MB, 64MiB or 1GiB`,
		`F:21:33: retention.age: "-3s" is not a time; write it like 500ms, 30s, 5m, 1h30m or 30d`,
		`F:22:10: sockets: this is a mapping, not a single value; write one value`,
		`--host: "0.0.0.0:80" holds a port; give the port with --port, or listen.port`,
		`ABIDE_PORT: "many" is not a number from 0 to 65535; write a whole number in that range`,
		`--executor: "hosd" is not a choice; did you mean host? It is one of docker, host`,
		`F:6:5: sources: a source has 2 of git, dir and file; give it exactly one of them`,
		`F:9:5: sources: a source has 0 of git, dir and file; give it exactly one of them`,
		`F:10:5: sources: branch, tag and commit exclude each other; keep one of them`,
		`F:18:10: tokens: a token needs either token_file or sha256; name the file that holds it, or give its digest`,
		`F:18:34: tokens: a token needs a name and a role; add name: and role: read, trigger or admin`,
		`F:18:34: tokens: a token needs either token_file or sha256; name the file that holds it, or give its digest`,
		`F:18:34: tokens: the token name "x" is taken; give each token its own name`,
		`warning: the variable ABIDE_STTAE means nothing here; did you mean ABIDE_STATE?`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ text, want string }{
		"not YAML":      {"grace: [1\nstate: x", ":2:6: this is not YAML: did not find expected ',' or ']'"},
		"two documents": {"grace: 1s\n---\ngrace: 2s\n", "more than one YAML document"},
		"a list":        {"- grace: 1s\n", ":1:1: this is a list, not a mapping"},
		"binary":        {"\x00\xff\xfe", "this is not YAML"},
		"merge":         {"<<: {grace: 1s}\n", "a key must be a plain word"},
		"circle":        {"docker: &d {docker: *d}\n", "docker.docker: there is no such setting"},
		"sources":       {"sources: {git: x}\n", "not a list"},
		"source":        {"sources: [x]\n", ":1:11: this is a single value, not a mapping"},
		"too large":     {strings.Repeat("# much\n", MaxFile/7+1), "larger than 1024 KiB"},
		"same names":    {"sources: [{dir: /a, name: x}, {dir: /b, name: x}]", `name: the source name "x" is taken; give each source its own name; the first is /a`},
		"bad name":      {"sources: [{dir: /a, name: ../x}]", `name: "../x" can't be a name`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, faults := Load(input(t, tc.text, nil))
			if err := faults.Err(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	in := Input{Flags: map[string][]string{"config": {"/nowhere/abide.yaml"}}}
	if _, faults := Load(in); faults.Err() == nil || !strings.Contains(faults.Error(), "no such file") {
		t.Errorf("a missing file: %v", faults)
	}
}

func TestMisplacedFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, tc := range []struct {
		flags []string
		want  string
	}{
		{[]string{"branch=main", "file=" + dir}, "--branch: there is no --git source"},
		{[]string{"interval=3s"}, "--interval: there is no source"},
		{[]string{"file=a", "file=b", "name=x"}, "--name: one name can't be given to several pipelines"},
		{[]string{"git=/x", "branch=a", "tag=b"}, "exclude each other"},
		{[]string{"git=/x", "path=../y"}, "leaves the source"},
		{[]string{"git=/x", "interval=1ns"}, "1ns is outside 100ms to 365d"},
	} {
		_, faults := Load(input(t, "", nil, tc.flags...))
		if err := faults.Err(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: got %v, want %q", tc.flags, err, tc.want)
		}
	}
}

// What this version does nothing with is said, wherever it is given.
func TestIdleSettingsWarn(t *testing.T) {
	t.Parallel()
	_, faults := Load(input(t, "retention:\n  bytes: 3MiB\n", map[string]string{"ABIDE_KEEP_AGE": "1h"}, "keep-bytes=1MiB"))
	if faults.Err() != nil || len(faults) != 3 {
		t.Errorf("faults: %v", faults)
	}
	if got := faults[0].String(); !strings.Contains(got, ":2:10: warning: retention.bytes: this has no effect") {
		t.Errorf("the first: %s", got)
	}
}

// One table serves flags, variables and file: no name may be taken twice.
func TestNamesAreUnique(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range Options() {
		for _, name := range []string{"--" + o.Flag, o.Variable} {
			if seen[name] {
				t.Errorf("%s is taken twice", name)
			}
			seen[name] = true
		}
		if o.Usage == "" || !o.Toggle && o.Meta == "" {
			t.Errorf("--%s lacks its help", o.Flag)
		}
	}
}
