package units_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/units"
)

func TestLoad(t *testing.T) {
	t.Parallel()
	text := "# kept as it is\n[Service]\nExecStart=/bin/a \\\n  %i\n[X-Fleet]\nMachineMetadata=role=%i\n[X-Abide]\nDesiredState=loaded\nProbe=http://127.0.0.1:80%i/\nProbeWindow=1min 30s\nRollback=yes\nDrift=report\nDependsOn=pipeline/build, db.service\nHosts=web-* rack=%i\n"
	dropIns := []units.Part{
		{Path: "units/web@.service.d/20.conf", Text: []byte("[X-Abide]\nDrift=off\n")},
		{Path: "units/web@.service.d/10.conf", Text: []byte("[Unit]\nAfter=db.service\n[X-Abide]\nDrift=repair\n")},
	}
	u, faults := units.Load("web@7.service", units.Part{Path: "units/web@.service", Text: []byte(text)}, dropIns)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	want := units.XAbide{
		Desired: units.Loaded, Rollback: true, Drift: units.DriftOff, DependsOn: []string{"pipeline/build", "db.service"},
		Hosts: []string{"web-*", "rack=7"}, Probe: &units.Probe{HTTP: "http://127.0.0.1:807/", Window: 90 * time.Second},
	}
	if diff := cmp.Diff(want, u.Abide); diff != "" {
		t.Errorf("[X-Abide] (-want +got):\n%s", diff)
	}
	if string(u.Text) != text || len(u.DropIns) != 2 || u.DropIns[0].Name != "10.conf" || string(u.DropIns[1].Text) != "[X-Abide]\nDrift=off\n" {
		t.Errorf("the files are not kept: %q %v", u.Text, u.DropIns)
	}
	if got := u.Fleet.Metadata["role"]; len(got) != 1 || got[0] != "7" || u.Deps.After[0] != "db.service" {
		t.Errorf("%v %v", u.Fleet, u.Deps)
	}
	if u.Content != units.Content(u.Text, u.DropIns) || u.Meaning != units.MeaningfulDigest(u.Text, u.DropIns) {
		t.Error("digests differ")
	}
}

func TestLoadFaults(t *testing.T) {
	t.Parallel()
	const service = "[Service]\nExecStart=/bin/a\n"
	for name, tt := range map[string]struct {
		name, text, dropIn string
		want               string
	}{
		"bad name":        {name: "web", text: service, want: `units/x: unit name must contain "."; rename`},
		"too long":        {name: strings.Repeat("a", 248) + ".service", text: service, want: "the name has 256 bytes, systemd takes 255"},
		"in a drop-in":    {text: service, dropIn: "[Service]\nnonsense", want: "units/x.d/a.conf:2:1: "},
		"near miss":       {text: service + "[X-Abide]\nDesiredStat=loaded\n", want: `units/x:4:1: "DesiredStat" is not a key of [X-Abide]; did you mean DesiredState=?`},
		"case":            {text: service + "[X-Abide]\nrollback=yes\n", want: "did you mean Rollback=?"},
		"unknown":         {text: service + "[X-Abide]\nColour=red\n", want: `units/x:4:1: warning: "Colour" is not a key`},
		"state":           {text: service + "[X-Abide]\nDesiredState=running\n", want: "write inactive, loaded or launched"},
		"boolean":         {text: service + "[X-Abide]\nRollback=maybe\n", want: "neither true nor false"},
		"section":         {text: service + "[X-abide]\nDrift=off\n", want: "did you mean [X-Abide]?"},
		"no X":            {text: service + "[Abide]\nDrift=off\n", want: "did you mean [X-Abide]?"},
		"fleet's section": {text: service + "[x-fleet]\nGlobal=true\n", want: "warning: fleet and abide ignore the section"},
		"requirements":    {text: service + "[X-Fleet]\nMachineID=a\nGlobal=true\n", want: "units/x:4:1: MachineID cannot be used with Global"},
		"probe":           {text: service + "[X-Abide]\nProbe=ping\n", want: "units/x:4:1: the probe is neither an http://"},
		"probe port":      {text: service + "[X-Abide]\nProbe=tcp://host:http\n", want: "not one from 1 to 65535"},
		"probe no port":   {text: service + "[X-Abide]\nProbe=tcp:host\n", want: "does not give host and port"},
		"probe program":   {text: service + "[X-Abide]\nProbe=exec:curl x\n", want: "absolute path"},
		"probe quote":     {text: service + "[X-Abide]\nProbe=/bin/a 'x\n", want: "not closed"},
		"probe secret":    {text: service + "[X-Abide]\nProbe=http://me:pw@host/\n", want: "holds credentials"},
		"probe host":      {text: service + "[X-Abide]\nProbe=http:///x\n", want: "not a URL with a host"},
		"window":          {text: service + "[X-Abide]\nProbe=tcp::80\nProbeWindow=soon\n", want: "not a time span"},
		"window too long": {text: service + "[X-Abide]\nProbe=tcp::80\nWindow=2h\n", want: "at most 1h0m0s"},
		"window alone":    {text: service + "[X-Abide]\nProbeWindow=5\n", want: "warning: there is no Probe="},
		"pattern":         {text: service + "[X-Abide]\nHosts=[a\n", want: `"[a" is not a pattern`},
		"hidden":          {text: "[Service]\n# a \\\nExecStart=/bin/a\n", want: "warning: fleet's API shows it otherwise"},
		"fleet only":      {text: "A=[b] c\n" + service, want: "can't show it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dropIns []units.Part
			if tt.dropIn != "" {
				dropIns = []units.Part{{Path: "units/x.d/a.conf", Text: []byte(tt.dropIn)}}
			}
			if tt.name == "" {
				tt.name = "x.service"
			}
			_, faults := units.Load(tt.name, units.Part{Path: "units/x", Text: []byte(tt.text)}, dropIns)
			if !strings.Contains(faults.Error(), tt.want) {
				t.Errorf("%v\nwant %s", faults, tt.want)
			}
			if strings.Contains(faults.Error(), "pw@") {
				t.Error("a secret is shown")
			}
		})
	}
}

func TestProbes(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]units.Probe{
		"https://h/x?y":        {HTTP: "https://h/x?y"},
		"tcp://db:5432":        {TCP: "db:5432"},
		"tcp :80":              {TCP: "127.0.0.1:80"},
		"tcp:[::1]:80":         {TCP: "[::1]:80"},
		`exec:/bin/a "b c" d`:  {Exec: []string{"/bin/a", "b c", "d"}},
		`/bin/a 'b\' \" e\ f`:  {Exec: []string{"/bin/a", `b\`, `"`, "e f"}},
		`exec /bin/test -e ""`: {Exec: []string{"/bin/test", "-e", ""}},
	} {
		u, faults := units.Load("x.service", units.Part{Text: []byte("[X-Abide]\nProbe=" + value + "\n")}, nil)
		want.Window = 30 * time.Second
		if len(faults) > 0 {
			t.Errorf("%s: %v", value, faults)
		} else if diff := cmp.Diff(&want, u.Abide.Probe); diff != "" {
			t.Errorf("%s (-want +got):\n%s", value, diff)
		}
	}
	for value, want := range map[string]time.Duration{"5": 5 * time.Second, "1m30s": 90 * time.Second, "2 min 1.5 s": 121500 * time.Millisecond, "250ms": 250 * time.Millisecond} {
		u, faults := units.Load("x.service", units.Part{Text: []byte("[X-Abide]\nProbe=tcp::1\nProbeWindow=" + value + "\n")}, nil)
		if len(faults) > 0 || u.Abide.Probe.Window != want {
			t.Errorf("%s: %v, %v", value, u.Abide.Probe, faults)
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	machine := units.Machine{ID: "65682ab14d5547ff9ee675122e16a164", Metadata: map[string]string{"disk": "ssd"}}
	candidate := func(name string, placed bool, lines ...string) units.Candidate {
		for i := range lines {
			lines[i] = "X-Fleet " + lines[i]
		}
		return units.Candidate{Name: name, Placed: placed, Fleet: units.XFleetOf(name, opts(lines...))}
	}
	refused := units.Place([]units.Candidate{
		candidate("plain", false),
		candidate("id", false, "MachineID=65682ab14d5547ff9ee675122e16a164"),
		candidate("short", false, "MachineID=65682ab1"),
		candidate("other", false, "MachineID=65682ab"),
		candidate("ssd", false, "MachineMetadata=disk=hdd", "MachineMetadata=disk=ssd"),
		candidate("mars", false, "MachineMetadata=disk=ssd", "MachineMetadata=planet=mars"),
		candidate("web@1", false, "Conflicts=web@*"), candidate("web@2", true, "Conflicts=web@*"), candidate("web@3", false),
		candidate("peer", false, "MachineOf=plain"), candidate("orphan", false, "MachineOf=mars"), candidate("chain", false, "MachineOf=orphan"),
		candidate("new", false, "Replaces=old"), candidate("old", true),
		candidate("far", false, "Replaces=near", "MachineOf=mars"), candidate("near", false),
		candidate("left", false, "Replaces=right"), candidate("right", false, "Replaces=left"),
	}, machine)
	want := map[string]string{
		"other": "MachineID=", "mars": "planet=mars, this machine has none", "web@1": "in conflict with web@2", "web@3": "in conflict with web@2",
		"orphan": "names mars", "chain": "names orphan", "old": "new replaces it",
		"far": "names mars", // so that near stays
	}
	for name, why := range refused {
		if want[name] == "" || !strings.Contains(why, want[name]) {
			t.Errorf("%s is refused: %s", name, why)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		t.Errorf("not refused: %v", want)
	}
}
