package spec

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/abide-agent/abide/units"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		``:                          nil,
		` a  b	c `:                  {"a", "b", "c"},
		`"a b" 'c d'`:               {"a b", "c d"},
		`a"b c"d`:                   {"ab cd"},
		`""`:                        {""},
		`a\ b`:                      {`a\`, "b"},
		`a\sb \x41\101\u00e9\n`:     {"a b", "AAé\n"},
		`\q \x4 \x00 \400`:          {`\q`, `\x4`, `\x00`, `\400`},
		`'it''s' "say \"hi\""`:      {"its", `say "hi"`},
		`trailing\`:                 {`trailing\`},
		`"in \' both" 'of \" them'`: {"in ' both", `of " them`},
	} {
		got, err := Words(line)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", line, err, diff)
		}
	}
	for _, line := range []string{`"a`, `a 'b`, `"a\`} {
		if got, err := Words(line); err == nil {
			t.Errorf("%s gives %q", line, got)
		}
	}
}

func TestCommands(t *testing.T) {
	t.Parallel()
	same := func(s string) (string, error) { return s, nil }
	for line, want := range map[string][]Command{
		`/bin/a b`:                 {{Path: "/bin/a", Args: []string{"/bin/a", "b"}}},
		`a`:                        {{Path: "a", Args: []string{"a"}}},
		`-/bin/a`:                  {{Path: "/bin/a", Args: []string{"/bin/a"}, Ignore: true}},
		`@/bin/a zero one`:         {{Path: "/bin/a", Args: []string{"zero", "one"}}},
		`-@:/bin/a x`:              {{Path: "/bin/a", Args: []string{"x"}, Ignore: true, Raw: true}},
		`+/bin/a`:                  {{Path: "/bin/a", Args: []string{"/bin/a"}, Full: true}},
		`!/bin/a`:                  {{Path: "/bin/a", Args: []string{"/bin/a"}, Full: true}},
		`!!/bin/a`:                 {{Path: "/bin/a", Args: []string{"/bin/a"}}},
		`/bin/a ; -/bin/b c ;`:     {{Path: "/bin/a", Args: []string{"/bin/a"}}, {Path: "/bin/b", Args: []string{"/bin/b", "c"}, Ignore: true}},
		`/bin/a \; ";" b;`:         {{Path: "/bin/a", Args: []string{"/bin/a", ";", ";", "b;"}}},
		`"/bin/with blank" 'a  b'`: {{Path: "/bin/with blank", Args: []string{"/bin/with blank", "a  b"}}},
	} {
		got, err := Commands(line, same)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v\n%s", line, err, diff)
		}
	}
	for _, line := range []string{``, `;`, `-`, `@/bin/a`, `bin/a`, `/bin/`, `/bin/a "b`} {
		if got, err := Commands(line, same); err == nil {
			t.Errorf("%s gives %+v", line, got)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	env := map[string]string{"ONE": "one", "TWO": "two words 'and more'", "EMPTY": ""}
	get := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	for arg, want := range map[string][]string{
		"$ONE":           {"one"},
		"$TWO":           {"two", "words", "and more"},
		"${TWO}":         {"two words 'and more'"},
		"x${ONE}y${ONE}": {"xoneyone"},
		"$EMPTY":         nil,
		"${EMPTY}":       {""},
		"$UNSET":         nil,
		"${UNSET}":       {""},
		"$$ONE":          {"$ONE"},
		"a$ONE":          {"a$ONE"},
		"$":              {"$"},
		"${ONE":          {"${ONE"},
		"${O-E}":         {"${O-E}"},
	} {
		got := Command{Args: []string{"$ONE", arg}}.Expand(get)
		if diff := cmp.Diff(append([]string{"$ONE"}, want...), got); diff != "" {
			t.Errorf("%s: %s", arg, diff)
		}
	}
	if got := (Command{Raw: true, Args: []string{"a", "$ONE"}}).Expand(get); got[1] != "$ONE" {
		t.Errorf("with the prefix : it gives %q", got)
	}
}

func TestParseEnvFile(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"A=1\nB=2":                        {"A=1", "B=2"},
		"# A=1\n;B=2\n\nC=3":              {"C=3"},
		"# goes on \\\nA=1\nB=2":          {"B=2"},
		" A = b c  \r\n":                  {"A=b c"},
		"A='x # y'\nB=\"x\\\"y\\q\"":      {"A=x # y", `B=x"y\q`},
		"A=a\\\nb\nB='a\nb'":              {"A=ab", "B=a\nb"},
		"A=\"a\"b'c'":                     {"A=ab'c'"},
		"A=\\ x":                          {"A= x"},
		"A=":                              {"A="},
		"no assignment\n1A=x\nexport A=1": nil,
		"A=x # no comment":                {"A=x # no comment"},
	} {
		if diff := cmp.Diff(want, ParseEnvFile(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90": 90 * time.Second, "1min 30s": 90 * time.Second, "1min30s": 90 * time.Second, "2.5": 2500 * time.Millisecond,
		"100ms": 100 * time.Millisecond, "infinity": 0, "0": 0, "1h": time.Hour, "5 min": 5 * time.Minute, "999999999w": 0,
	} {
		if got, err := ParseSpan(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "5 parsecs", "-1", "1..2"} {
		if got, err := ParseSpan(text); err == nil {
			t.Errorf("%q gives %v", text, got)
		}
	}
	for text, want := range map[string]int{"SIGTERM": 15, "term": 15, "9": 9, "RTMIN+3": 37, "SIGRTMAX-1": 63} {
		if got, err := ParseSignal(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]uint64{"1K": 1024, "1.5M": 3 << 19, "infinity": math.MaxUint64, "12": 12} {
		if got, err := size(text); got != want || err != nil {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}

func compile(name string, lines ...string) (Compiled, error) {
	return Compile(name, Files(name, []byte(strings.Join(lines, "\n")), nil), Host{Hostname: "here.example", User: "me", Home: "/home/me", MachineID: "0123", Runtime: "/run"})
}

func TestCompile(t *testing.T) {
	t.Parallel()
	c, err := compile("web-api@a-b\\x2dc.service", "[Unit]", "Description=x", "[Service]", "ExecStart=/bin/%p -i %i -I %I -n %n -N %N -u %u -h %h -H %H -m %m -t %t -j %j -f %f 5%%",
		"Environment=A=%i \"B=x y\"", "Environment=C=1", "EnvironmentFile=-/etc/%p", "LimitNOFILE=10:20", "LimitCORE=infinity", "Nice=-5", "UMask=027", "SuccessExitStatus=3 TEMPFAIL SIGKILL",
		"WorkingDirectory=-~", "StandardOutput=append:/var/log/%p", "StandardError=null", "[X-Fleet]", "Global=true")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Service
	want := []string{"/bin/web-api", "-i", `a-b\x2dc`, "-I", "a/b-c", "-n", `web-api@a-b\x2dc.service`, "-N", `web-api@a-b\x2dc`, "-u", "me", "-h", "/home/me", "-H", "here.example", "-m", "0123", "-t", "/run", "-j", "api", "-f", "/a/b-c", "5%"}
	if diff := cmp.Diff(want, s.Start[0].Args); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{`A=a-b\x2dc`, "B=x y", "C=1"}, s.Environment); diff != "" {
		t.Error(diff) // a specifier comes in when escapes have been undone
	}
	if diff := cmp.Diff([]Limit{{unix.RLIMIT_NOFILE, 10, 20}, {unix.RLIMIT_CORE, math.MaxUint64, math.MaxUint64}}, s.Limits); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Exits{Codes: []int{3, 75}, Signals: []int{9}}, s.Success); diff != "" {
		t.Error(diff)
	}
	if *s.Nice != -5 || s.UMask != 0o27 || s.Dir != "/home/me" || !s.DirOptional || s.Stdout != (Output{"append", "/var/log/web-api"}) || s.Stderr.To != "null" || !s.Files[0].Optional {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff([]string{"Unit/Description"}, c.Ignored); diff != "" {
		t.Error(diff)
	}
}

func TestCompileReset(t *testing.T) {
	t.Parallel()
	c, err := Compile("a.service", Files("a.service", []byte("[Service]\nExecStart=/bin/a\nEnvironment=A=1\n"),
		[]units.DropIn{{Name: "20.conf", Text: []byte("[Service]\nExecStart=/bin/c\n")}, {Name: "10.conf", Text: []byte("[Service]\nExecStart=\nEnvironment=\nExecStart=/bin/b\nType=oneshot\n")}}), Host{})
	if err != nil || len(c.Service.Start) != 2 || c.Service.Start[0].Path != "/bin/b" || c.Service.Start[1].Path != "/bin/c" || len(c.Service.Environment) > 0 || c.Service.TimeoutStart != 0 {
		t.Errorf("%+v, %v", c.Service, err)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"Type=dbus": "Type=dbus", "Type=idle": "Type=idle", "DynamicUser=yes": "DynamicUser", "ProtectSystem=strict": "ProtectSystem", "CPUQuota=5%": "CPUQuota",
		"Misspelt=x": "Misspelt", "Sockets=a.socket": "Sockets", "StandardInput=tty": "StandardInput", "StandardError=journal+console": "journal+console",
		"RootDirectory=/x": "RootDirectory", "AmbientCapabilities=CAP_NET_RAW": "AmbientCapabilities", "ExecStopPost=/bin/x %c": "%c", "RuntimeDirectory=x": "RuntimeDirectory",
	} {
		_, err := compile("a.service", "[Service]", "ExecStart=/bin/true", line)
		if !errors.Is(err, units.ErrNotSupported) || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "a.service:3:1: ") {
			t.Errorf("%s: %v", line, err)
		}
	}
	for line, want := range map[string]string{
		"Type=x": "no type", "Restart=x": "none of", "ExecStop=a/b": "relative path", "Environment=x": "no assignment", "TimeoutSec=x": "time span", "KillSignal=x": "no signal",
		"EnvironmentFile=x": "absolute", "LimitNOFILE=20:10": "soft limit", "Nice=99": "-20 to 19", "ExecStop=/bin/x %Z": "%Z is no specifier", "WorkingDirectory=x": "absolute",
		"UMask=9": "octal", "SuccessExitStatus=999": "999", "ExecStop=/bin/a \"": "quote", "ExecStart=/bin/b": "more than one", "KillMode=x": "none of", "RemainAfterExit=maybe": "truth",
	} {
		_, err := compile("a.service", "[Service]", "ExecStart=/bin/true", line)
		if err == nil || errors.Is(err, units.ErrNotSupported) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	for name, lines := range map[string][]string{
		"neither": {"[Service]"}, "oneshot for ever": {"[Service]", "Type=oneshot", "ExecStart=/bin/true", "Restart=always"}, "only stop": {"[Service]", "ExecStop=/bin/true"},
	} {
		if _, err := compile("a.service", lines...); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := compile("a.service", "[Service]", "ExecStop=/bin/true", "RemainAfterExit=yes"); err != nil {
		t.Error(err)
	}
}

func FuzzCommands(f *testing.F) {
	for _, seed := range []string{`/bin/a b`, `-@/bin/a "b c" ; d`, `a\x41 '`, `\;`, `"\`, `:+!a ${B} $C`, `%C`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		list, err := Commands(line, specifiers{name: "a@b.service"}.expand)
		if err != nil {
			return
		}
		for _, c := range list {
			if c.Path == "" || len(c.Args) == 0 {
				t.Errorf("%q gives %+v", line, c)
			}
			c.Expand(func(string) (string, bool) { return line, true })
		}
	})
}

func FuzzParseEnvFile(f *testing.F) {
	for _, seed := range []string{"A=1\n", "A='x\ny'\n# c \\\n", "A=\"\\", "=x", "A=\\\n\n"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range ParseEnvFile(text) {
			name, value, ok := strings.Cut(a, "=")
			if !ok || !ValidName(name) || strings.ContainsRune(value, 0) {
				t.Errorf("%q gives %q", text, a)
			}
		}
	})
}
