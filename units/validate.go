package units

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// MaxText bounds a unit file, in bytes, and maxOptions what callers may put into
// one.
const (
	MaxText    = 256 << 10
	maxOptions = 5000
)

// ValidateOptions checks the options that a caller of fleet's API gives for a
// unit, and gives them as they read back from their serialised form, which is
// what is kept. The errors have fleet's texts where fleet has one.
//
// Beyond fleet it refuses what would make the file say something else than the
// options do: a line break smuggled into a value, a section or a name that
// can't be one, and options that systemd would see and fleet not.
func ValidateOptions(name string, options []Option) ([]Option, error) {
	text := Serialize(options)
	if len(text) > MaxText || len(options) > maxOptions {
		return nil, fmt.Errorf("the unit has %d options in %d bytes; at most %d options in %d bytes are taken", len(options), len(text), maxOptions, MaxText)
	}
	read, err := Parse(text)
	if err != nil {
		return nil, err
	}
	for i, o := range options {
		if err := o.validate(); err != nil {
			return nil, fmt.Errorf("option %d (%s): %w", i+1, clip(o.Section+"/"+o.Name), err)
		}
	}
	settings, faults := Read("", text)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if err := sameReading(settings, read); err != nil {
		return nil, err
	}
	if _, faults := XAbideOf(name, settings); faults.Err() != nil {
		return nil, faults.Errors()[:1]
	}
	return read, XFleetOf(name, read).Check()
}

// validate checks one option by itself.
func (o Option) validate() error {
	if why := badSection(o.Section); why != "" {
		return errors.New("its section " + why)
	}
	switch {
	case strings.TrimSpace(o.Name) == "":
		return errors.New("it has no name")
	case strings.Contains(o.Name, "=") || strings.HasPrefix(strings.TrimSpace(o.Name), "["):
		return errors.New("systemd would read its name as something else")
	case strings.ContainsFunc(o.Name, unicode.IsControl):
		return errors.New("its name has a control character")
	case strings.ContainsAny(o.Value, "\r\x00"):
		return errors.New("its value has a carriage return or a zero byte, which ends the line for systemd")
	}
	for i := range len(o.Value) {
		if o.Value[i] == '\n' && (i == 0 || o.Value[i-1] != '\\') {
			return errors.New(`its value has a line break; a value goes on in the next line only after a \`)
		}
	}
	return nil
}

// sameReading makes sure that systemd sees the same options as fleet does.
func sameReading(settings []Setting, fleet []Option) error {
	for i := range max(len(settings), len(fleet)) {
		switch {
		case i >= len(settings):
			return differently(fleet[i], "does not see it")
		case i >= len(fleet):
			return differently(settings[i].Option, "sees it where fleet does not")
		case settings[i].Section != fleet[i].Section || strings.TrimSpace(settings[i].Name) != fleet[i].Name:
			return differently(fleet[i], "sees "+clip(settings[i].Section+"/"+settings[i].Name)+" in its place")
		}
	}
	return nil
}

func differently(o Option, how string) error {
	return fmt.Errorf(`systemd reads %s differently: it %s; look at the backslash at the end of the option before it`, clip(o.Section+"/"+o.Name), how)
}
