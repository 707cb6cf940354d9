package spec

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// SearchPath is where a program without a slash is looked for, and the PATH of
// every workload that sets none. It is fixed, as systemd's is.
const SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Commands parses the value of an Exec…= line: commands separated by a lone
// ";", each with its prefixes. expand replaces specifiers in one word.
func Commands(line string, expand func(string) (string, error)) ([]Command, error) {
	var out []Command
	s := scanner{line}
	for {
		for s.bare(";") { // an empty command is none
		}
		c, ok, err := command(&s, expand)
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		out = append(out, c)
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no command; name a program")
	}
	return out, nil
}

func command(s *scanner, expand func(string) (string, error)) (c Command, ok bool, err error) {
	word, ok, err := s.next()
	if !ok {
		return c, false, err
	}
	word, named, err := c.prefixes(word)
	if err != nil {
		return c, false, err
	}
	if c.Path, err = expand(word); err != nil {
		return c, false, err
	}
	if err := checkProgram(c.Path); err != nil {
		return c, false, err
	}
	if !named {
		c.Args = []string{c.Path}
	}
	for {
		if s.bare(";") {
			break
		}
		if s.bare(`\;`) {
			c.Args = append(c.Args, ";")
			continue
		}
		word, ok, err := s.next()
		if err != nil {
			return c, false, err
		}
		if !ok {
			break
		}
		if word, err = expand(word); err != nil {
			return c, false, err
		}
		c.Args = append(c.Args, word)
	}
	if len(c.Args) == 0 {
		return c, false, fmt.Errorf("%q has the prefix @ and no name to run under; add a second word", c.Path)
	}
	return c, true, nil
}

// prefixes takes the special characters off a program; named says that the
// next word is argv[0].
func (c *Command) prefixes(word string) (rest string, named bool, err error) {
	bangs := 0
	for {
		if word == "" {
			return "", false, errors.New("a prefix stands without a program; write it directly before the program's path")
		}
		switch {
		case word[0] == '-' && !c.Ignore:
			c.Ignore = true
		case word[0] == '@' && !named:
			named = true
		case word[0] == ':' && !c.Raw:
			c.Raw = true
		case word[0] == '+' && !c.Full && bangs == 0:
			c.Full = true
		case word[0] == '!' && bangs < 2:
			bangs++
		default:
			// One "!" keeps the privileges of the manager. Two say: only where
			// the kernel has no ambient capabilities, and all have them now.
			c.Full = c.Full || bangs == 1
			return word, named, nil
		}
		word = word[1:]
	}
}

func checkProgram(program string) error {
	switch {
	case program == "":
		return errors.New("its specifiers leave no program; name one")
	case strings.HasSuffix(program, "/"):
		return fmt.Errorf("%q is a directory; name the program in it", program)
	case strings.Contains(program, "/") && !path.IsAbs(program):
		return fmt.Errorf("%q is a relative path; write the absolute one, or only a name", program)
	case strings.ContainsRune(program, 0):
		return errors.New("the program's path holds a NUL byte; take it out")
	}
	return nil
}
