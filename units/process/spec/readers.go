package spec

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// This file holds what reads the value of one directive into a Service.

func text(field func(*Service) *string) directive {
	return func(b *builder, value string) (err error) {
		*field(&b.out.Service), err = b.specifiers.expand(value)
		return err
	}
}

func oneOf(field func(*Service) *string, values ...string) directive {
	return func(b *builder, value string) error {
		if !slices.Contains(values, value) {
			return fmt.Errorf("it is none of %s; choose one", strings.Join(values, ", "))
		}
		*field(&b.out.Service) = value
		return nil
	}
}

func boolean(field func(*Service) *bool) directive {
	return func(b *builder, value string) (err error) {
		*field(&b.out.Service), err = ParseBool(value)
		return err
	}
}

func ignorePipe(b *builder, value string) error {
	v, err := ParseBool(value)
	b.out.Service.KeepSIGPIPE = !v
	return err
}

func span(field func(*Service) *time.Duration) directive {
	return func(b *builder, value string) (err error) {
		*field(&b.out.Service), err = ParseSpan(value)
		return err
	}
}

// timeouts is TimeoutSec=, both at once; 0 is an old spelling of infinity.
func timeouts(b *builder, value string) error {
	d, err := ParseSpan(value)
	b.out.Service.TimeoutStart, b.out.Service.TimeoutStop, b.timeout = d, d, true
	return err
}

func timeoutStart(b *builder, value string) error {
	d, err := ParseSpan(value)
	b.out.Service.TimeoutStart, b.timeout = d, true
	return err
}

func number(field func(*Service) *int, low, high int) directive {
	return func(b *builder, value string) (err error) {
		*field(&b.out.Service), err = bounded(value, low, high)
		return err
	}
}

func signal(field func(*Service) *int) directive {
	return func(b *builder, value string) (err error) {
		*field(&b.out.Service), err = ParseSignal(value)
		return err
	}
}

func exits(field func(*Service) *Exits) directive {
	return func(b *builder, value string) error { return field(&b.out.Service).add(value) }
}

func (b *builder) words(value string) ([]string, error) {
	words, err := Words(value)
	if err != nil {
		return nil, err
	}
	for i, w := range words {
		if words[i], err = b.specifiers.expand(w); err != nil {
			return nil, err
		}
	}
	return words, nil
}

func words(field func(*Service) *[]string) directive {
	return func(b *builder, value string) error {
		list, err := b.words(value)
		if len(list) == 0 {
			*field(&b.out.Service) = nil
			return err
		}
		*field(&b.out.Service) = append(*field(&b.out.Service), list...)
		return err
	}
}

func setType(b *builder, value string) error {
	switch t := Type(value); t {
	case Simple, Exec, OneShot, Notify:
		b.out.Service.Type, b.typed = t, true
		return nil
	}
	if slices.Contains([]string{"forking", "dbus", "idle", "notify-reload"}, value) {
		return errMeaning
	}
	return errors.New("it is no type of a service; write simple, exec, oneshot or notify")
}

func commands(field func(*Service) *[]Command) directive {
	return func(b *builder, value string) error {
		if value == "" {
			*field(&b.out.Service) = nil
			return nil
		}
		list, err := Commands(value, b.specifiers.expand)
		*field(&b.out.Service) = append(*field(&b.out.Service), list...)
		return err
	}
}

func environment(b *builder, value string) error {
	list, err := b.words(value)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		b.out.Service.Environment = nil
	}
	for _, v := range list {
		name, _, ok := strings.Cut(v, "=")
		if !ok || !ValidName(name) {
			return errors.New("it holds a word that is no assignment; write NAME=value, in quotes where the value has blanks")
		}
		b.out.Service.Environment = append(b.out.Service.Environment, v)
	}
	return nil
}

func environmentFile(b *builder, value string) error {
	if value == "" {
		b.out.Service.Files = nil
		return nil
	}
	name, optional := strings.CutPrefix(value, "-")
	name, err := b.absolute(name)
	if err != nil {
		return err
	}
	b.out.Service.Files = append(b.out.Service.Files, EnvFile{Path: name, Optional: optional})
	return nil
}

func (b *builder) absolute(name string) (string, error) {
	name, err := b.specifiers.expand(name)
	if err == nil && !path.IsAbs(name) {
		err = errors.New("it is no absolute path; write one that begins with /")
	}
	return name, err
}

// condition reads a condition on a path. An empty one takes back all before it
// (systemd.unit(5)).
func condition(kind string, assert bool) directive {
	return func(b *builder, value string) error {
		list := &b.out.Service.Conditions
		if value == "" {
			*list = slices.DeleteFunc(*list, func(c Condition) bool { return c.Assert == assert })
			return nil
		}
		c := Condition{Kind: kind, Assert: assert}
		value, c.Trigger = strings.CutPrefix(value, "|")
		value, c.Not = strings.CutPrefix(strings.TrimSpace(value), "!")
		var err error
		c.Path, err = b.absolute(strings.TrimSpace(value))
		*list = append(*list, c)
		return err
	}
}

func workingDirectory(b *builder, value string) (err error) {
	s := &b.out.Service
	s.Dir, s.DirOptional = strings.CutPrefix(value, "-")
	if s.Dir != "" && s.Dir != "~" {
		s.Dir, err = b.absolute(s.Dir)
	}
	return err
}

func umask(b *builder, value string) error {
	n, err := strconv.ParseUint(value, 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("it is no mask of permissions; write octal digits such as 0022")
	}
	b.out.Service.UMask = int(n)
	return nil
}

func nice(b *builder, value string) error {
	n, err := bounded(value, -20, 19)
	b.out.Service.Nice = &n
	return err
}

func oomScore(b *builder, value string) error {
	n, err := bounded(value, -1000, 1000)
	b.out.Service.OOMScore = &n
	return err
}

func output(field func(*Service) *Output, unset string) directive {
	return func(b *builder, value string) error {
		to, name, hasPath := strings.Cut(value, ":")
		out := Output{To: to}
		switch {
		case value == "":
			out.To = unset
		case value == "journal" || value == "syslog" || value == "inherit" && unset == "log":
			out.To = "log"
		case value == "inherit" || value == "null":
		case hasPath && slices.Contains([]string{"file", "append", "truncate"}, to):
			full, err := b.absolute(name)
			if err != nil {
				return err
			}
			out.Path = full
		default:
			return errMeaning
		}
		*field(&b.out.Service) = out
		return nil
	}
}

// Matches says whether the set holds an exit, of which signal 0 means none.
func (e Exits) Matches(code, signal int) bool {
	if signal != 0 {
		return slices.Contains(e.Signals, signal)
	}
	return slices.Contains(e.Codes, code)
}
