package units_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

// opts writes options as "Section Name=value", one a line; \n is a newline.
func opts(lines ...string) []units.Option {
	var out []units.Option
	for _, l := range lines {
		section, rest, _ := strings.Cut(l, " ")
		name, value, _ := strings.Cut(rest, "=")
		out = append(out, units.Option{Section: section, Name: name, Value: value})
	}
	return out
}

func TestValidateOptions(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		options []units.Option
		want    string // in the error; empty: none
	}{
		"well":                    {opts("Unit Description=x", "Service ExecStart=/bin/a"), ""},
		"nothing":                 {nil, ""},
		"interleaved":             {opts("A a=1", "B b=2", "A c=3"), ""},
		"empty value":             {opts("Service ExecStart="), ""},
		"continued":               {opts("Service ExecStart=a \\\n b"), ""},
		"comment in the middle":   {opts("Service ExecStart=a \\\n# b \\\n c", "Service X=y"), ""},
		"swallows the next":       {opts(`Service A=x\`, "Service B=y"), ""},
		"comment name":            {opts("Service #A=x", "Service B=y"), ""},
		"a newline":               {opts("Service A=/bin/a\n[X-Fleet]\nGlobal=true"), "line break"},
		"a newline at its start":  {opts("Service A=\nB=c"), "line break"},
		"an empty line":           {opts("Service A=x \\\n\nB=c"), "line break"},
		"a carriage return":       {opts("Service A=x\rB=c"), "carriage return"},
		"a zero byte":             {opts("Service A=x\x00B=c"), "zero byte"},
		"no section":              {[]units.Option{{Name: "A", Value: "b"}}, "section has no name"},
		"no name":                 {opts("Service =b"), "has no name"},
		"nothing in it":           {[]units.Option{{}}, "section has no name"},
		"bracket":                 {opts("Ser]vice a=c"), "found garbage after section name : [118 105 99 101 93]"},
		"opening bracket":         {opts("Ser[vice a=c"), "bracket"},
		"newline in the section":  {opts("Ser\nvice a=c"), "control character"},
		"newline in the name":     {[]units.Option{{Section: "Service", Name: "a\nb", Value: "c"}}, "unexpected newline encountered while parsing option name"},
		"= in the name":           {[]units.Option{{Section: "Service", Name: "a=b", Value: "c"}}, "something else"},
		"section in the name":     {[]units.Option{{Section: "Service", Name: "[X-Fleet]", Value: "c"}}, "found garbage"},
		"longest line":            {opts("Service A=" + strings.Repeat("x", 2045)), ""},
		"too long":                {opts("Service A=" + strings.Repeat("x", 2046)), "line too long (max 2048 bytes)"},
		"hidden by a comment":     {opts(`Service #A=x\`, "Service ExecStart=/bin/evil"), "systemd reads"},
		"hidden from systemd":     {opts("Service A=x \\\n# c", "Service B=y"), "systemd reads"},
		"two backslashes":         {opts(`Service A=x\\`, "Service B=y"), "systemd reads"},
		"two backslashes, last":   {opts(`Service A=x\\`), ""},
		"MachineID and peers":     {opts("X-Fleet MachineID=m", "X-Fleet MachineOf=p.service"), "MachineID cannot be used with Peers"},
		"MachineID and conflicts": {opts("X-Fleet MachineID=m", "X-Fleet Conflicts=p.service"), "MachineID cannot be used with Conflicts"},
		"MachineID and global":    {opts("X-Fleet MachineID=m", "X-Fleet Global=true"), "MachineID cannot be used with Global"},
		"old id and replaces":     {opts("X-Fleet X-ConditionMachineBootID=m", "X-Fleet Replaces=p"), "MachineID cannot be used with Replaces"},
		"global and peers":        {opts("X-Fleet Global=1", "X-Fleet X-ConditionMachineOf=p"), "Global cannot be used with Peers"},
		"global and replaces":     {opts("X-Fleet Global=on", "X-Fleet Replaces=p"), "Global cannot be used with Replaces"},
		"conflicts and replaces":  {opts("X-Fleet X-Conflicts=c", "X-Fleet Replaces=p"), "Conflicts cannot be used with Replaces"},
		"peer in conflict":        {opts("X-Fleet MachineOf=web@1.service", "X-Fleet Conflicts=a web@*.service"), `unresolvable requirements: peer "web@1.service" matches conflict "web@*.service"`},
		"peer in replaces":        {opts("X-Fleet MachineOf=w", "X-Fleet Replaces=?"), `unresolvable requirements: peer "w" matches replace "?"`},
		"global and conflicts":    {opts("X-Fleet Global=true", "X-Fleet Conflicts=q"), ""},
		"global taken back":       {opts("X-Fleet Global=true", "X-Fleet Global=no", "X-Fleet MachineOf=p"), ""},
		"unknown to fleet":        {opts("X-Fleet Bogus=1"), ""},
		"our own key misspelled":  {opts("X-Abide Rolback=true"), "did you mean Rollback=?"},
		"our own key unknown":     {opts("X-Abide Colour=red"), ""},
		"our own value":           {opts("X-Abide Drift=never"), "write repair, report or off"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := units.ValidateOptions("a.service", tt.options)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func TestXFleet(t *testing.T) {
	t.Parallel()
	got := units.XFleetOf("web@eu.service", opts(
		"X-Fleet X-ConditionMachineID=boot", "X-Fleet MachineOf=%p@%%.service", `X-Fleet X-ConditionMachineMetadata="a=1" "b=2" "a=3"`,
		"X-Fleet MachineMetadata=c=4 d=5", "X-Fleet MachineMetadata==1", "X-Fleet MachineMetadata=a=1", "X-Fleet Conflicts=x y",
		`X-Fleet Conflicts="v w" z`, "X-Fleet Replaces=r s", "Service Global=true", "X-Fleet Global=T",
	))
	want := units.XFleet{
		MachineID: "boot", Peers: []string{"web@%%.service"}, Metadata: map[string][]string{"a": {"1", "3"}, "b": {"2"}},
		Conflicts: []string{"x", "y", `"v`, `w"`, "z"}, Replaces: []string{"r s"}, Global: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
