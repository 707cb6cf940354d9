package units

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// XFleet is what the section [X-Fleet] of a unit asks for.
type XFleet struct {
	MachineID string              // a machine's id, or its first 8 characters
	Peers     []string            // MachineOf: only where all of these are
	Metadata  map[string][]string // MachineMetadata: one value of each key
	Conflicts []string            // not beside units that match one of these globs
	Global    bool                // on every machine that fits
	Replaces  []string            // takes the place of units that match
}

const fleetSection = "X-Fleet"

// oldNames are the spellings that fleet had before 0.8 and still reads.
var oldNames = map[string]string{
	"X-ConditionMachineID": "MachineID", "X-ConditionMachineBootID": "MachineID",
	"X-ConditionMachineOf": "MachineOf", "X-ConditionMachineMetadata": "MachineMetadata", "X-Conflicts": "Conflicts",
}

// XFleetOf reads the section [X-Fleet] of the options of a unit; the name is
// for its specifiers. What fleet doesn't know, or can't read, it ignores.
func XFleetOf(name string, options []Option) XFleet {
	var x XFleet
	specifiers := fleetSpecifiers(name)
	for _, o := range options {
		if o.Section != fleetSection {
			continue
		}
		key := o.Name
		if now, ok := oldNames[key]; ok {
			key = now
		}
		for _, v := range quotedList(o.Value) {
			x.add(key, specifiers.Replace(v))
		}
	}
	return x
}

func (x *XFleet) add(key, value string) {
	switch key {
	case "MachineID":
		if x.MachineID == "" {
			x.MachineID = value
		}
	case "MachineOf":
		x.Peers = append(x.Peers, value)
	case "MachineMetadata":
		k, v, ok := strings.Cut(value, "=")
		if !ok || k == "" || v == "" || strings.Contains(v, "=") {
			return
		}
		if x.Metadata == nil {
			x.Metadata = map[string][]string{}
		}
		if values := x.Metadata[k]; len(values) < maxWords && !slices.Contains(values, v) {
			x.Metadata[k] = append(values, v)
		}
	case "Conflicts":
		x.Conflicts = append(x.Conflicts, strings.Fields(value)...)
	case "Global":
		x.Global = slices.Contains([]string{"true", "yes", "1", "on", "t"}, strings.ToLower(value))
	case "Replaces":
		x.Replaces = append(x.Replaces, value)
	}
}

// fleetSpecifiers are the only ones that fleet knows; `%%` stays as it is.
func fleetSpecifiers(name string) *strings.Replacer {
	prefix, instance, typ, _ := splitName(name)
	return strings.NewReplacer("%n", name, "%N", strings.TrimSuffix(name, typ), "%p", prefix, "%i", instance)
}

// quotedList takes a value apart at the blanks outside of quotes, but only when
// it begins and ends with a quote; any other is one value.
func quotedList(value string) []string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return []string{value}
	}
	var out []string
	var word strings.Builder
	quoted := false
	for _, r := range value + " " {
		switch {
		case r == '"':
			quoted = !quoted
		case (r == ' ' || r == '\t' || r == '\n') && !quoted:
			if word.Len() > 0 {
				out = append(out, word.String())
			}
			word.Reset()
		default:
			word.WriteRune(r)
		}
	}
	if word.Len() > 0 {
		out = append(out, word.String())
	}
	return out
}

// Check says in fleet's words which of the wishes exclude each other.
func (x XFleet) Check() error {
	if max(len(x.Peers), len(x.Conflicts), len(x.Replaces)) > maxWords {
		return fmt.Errorf("there are more than %d names in one of MachineOf, Conflicts and Replaces", maxWords)
	}
	for _, p := range x.Peers {
		if glob := matching(x.Conflicts, p); glob != "" {
			return fmt.Errorf("unresolvable requirements: peer %q matches conflict %q", p, glob)
		}
		if glob := matching(x.Replaces, p); glob != "" {
			return fmt.Errorf("unresolvable requirements: peer %q matches replace %q", p, glob)
		}
	}
	id, peers, conflicts, replaces := x.MachineID != "", len(x.Peers) > 0, len(x.Conflicts) > 0, len(x.Replaces) > 0
	switch {
	case id && peers:
		return errors.New("MachineID cannot be used with Peers")
	case id && conflicts:
		return errors.New("MachineID cannot be used with Conflicts")
	case id && x.Global:
		return errors.New("MachineID cannot be used with Global")
	case id && replaces:
		return errors.New("MachineID cannot be used with Replaces")
	case x.Global && peers:
		return errors.New("Global cannot be used with Peers")
	case x.Global && replaces:
		return errors.New("Global cannot be used with Replaces")
	case conflicts && replaces:
		return errors.New("Conflicts cannot be used with Replaces")
	}
	return nil
}

// matching gives the first glob that name matches, or "". A glob that is none
// matches nothing.
func matching(globs []string, name string) string {
	for _, g := range globs {
		if ok, err := path.Match(g, name); ok && err == nil {
			return g
		}
	}
	return ""
}
