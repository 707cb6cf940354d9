package units

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Machine is a machine as fleet's API shows it and as [X-Fleet] chooses it.
type Machine struct {
	ID       string
	Address  string // primaryIP; empty when there is none
	Metadata map[string]string
}

// shortID is the length of the beginning of a machine's id that fleet takes for it.
const shortID = 8

// Fits says whether the machine is one that a unit asks for, looking at the
// machine alone; if not, why.
func (x XFleet) Fits(m Machine) (bool, string) {
	if x.MachineID != "" && x.MachineID != m.ID && (len(m.ID) < shortID || x.MachineID != m.ID[:shortID]) {
		return false, fmt.Sprintf("its MachineID= is %s, this machine is %s", x.MachineID, m.ID)
	}
	keys := make([]string, 0, len(x.Metadata))
	for k := range x.Metadata {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if !slices.Contains(x.Metadata[k], m.Metadata[k]) {
			return false, fmt.Sprintf("its MachineMetadata= asks for %s=%s, this machine has %s", k, strings.Join(x.Metadata[k], "|"), orNone(m.Metadata[k]))
		}
	}
	return true, ""
}

func orNone(value string) string {
	if value == "" {
		return "none"
	}
	return value
}

// Candidate is a unit that is wanted somewhere: desired loaded or launched.
type Candidate struct {
	Name   string
	Fleet  XFleet
	Placed bool // it already is on this machine, so it goes before newcomers
}

// Place decides which of the candidates this machine takes, and gives for each
// of the others the reason. Units that are placed keep their place against
// newcomers in conflict with them; else the order of the names decides, so that
// the answer is the same every time.
func Place(all []Candidate, m Machine) map[string]string {
	order := slices.SortedFunc(slices.Values(all), func(a, b Candidate) int {
		if a.Placed != b.Placed {
			if a.Placed {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	unfit := map[string]string{}
	for _, c := range order {
		if ok, why := c.Fleet.Fits(m); !ok {
			unfit[c.Name] = why
		}
	}
	// What is refused itself takes nobody's place: without such, once more.
	void := map[string]bool{}
	for {
		refused := maps.Clone(unfit)
		by := replaced(order, refused, void)
		conflicting(order, refused)
		withoutPeers(order, refused)
		again := false
		for _, name := range by {
			if refused[name] != "" && !void[name] {
				void[name], again = true, true
			}
		}
		if !again {
			return refused
		}
	}
}

// replaced refuses what another takes the place of, and gives those others. Two
// that replace each other both stay, as in fleet.
func replaced(order []Candidate, refused map[string]string, void map[string]bool) (by []string) {
	replacing := slices.DeleteFunc(slices.Clone(order), func(c Candidate) bool { return len(c.Fleet.Replaces) == 0 || void[c.Name] })
	for _, c := range order {
		for _, r := range replacing {
			if r.Name == c.Name || refused[r.Name] != "" || refused[c.Name] != "" {
				continue
			}
			if matching(r.Fleet.Replaces, c.Name) != "" && matching(c.Fleet.Replaces, r.Name) == "" {
				refused[c.Name] = "the unit " + r.Name + " replaces it (Replaces=), and there is no other machine"
				by = append(by, r.Name)
			}
		}
	}
	return by
}

// Displaces says whether a unit with these wishes can't be beside one of that
// name: it conflicts with it, or takes its place.
func (x XFleet) Displaces(name string) bool {
	return matching(x.Conflicts, name) != "" || matching(x.Replaces, name) != ""
}

func conflicting(order []Candidate, refused map[string]string) {
	var taken []Candidate
	if !slices.ContainsFunc(order, func(c Candidate) bool { return len(c.Fleet.Conflicts) > 0 }) {
		return
	}
	for _, c := range order {
		if refused[c.Name] != "" {
			continue
		}
		i := slices.IndexFunc(taken, func(t Candidate) bool {
			return matching(t.Fleet.Conflicts, c.Name) != "" || matching(c.Fleet.Conflicts, t.Name) != ""
		})
		if i >= 0 {
			refused[c.Name] = "it is in conflict with " + taken[i].Name + " (Conflicts=), which is on this machine"
			continue
		}
		taken = append(taken, c)
	}
}

// withoutPeers refuses what has to be where a unit is that is not here, until
// nothing changes any more: peers have peers.
func withoutPeers(order []Candidate, refused map[string]string) {
	here := map[string]bool{}
	for _, c := range order {
		here[c.Name] = refused[c.Name] == ""
	}
	for again := true; again; {
		again = false
		for _, c := range order {
			i := slices.IndexFunc(c.Fleet.Peers, func(p string) bool { return !here[p] })
			if here[c.Name] && i >= 0 {
				refused[c.Name] = "its MachineOf= names " + c.Fleet.Peers[i] + ", which is not on this machine"
				here[c.Name], again = false, true
			}
		}
	}
}
