package settings

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/abide-agent/abide/internal/problem"
)

// MaxFile bounds the settings file, in bytes.
const MaxFile = 1 << 20

// reading is one pass over a settings file: it collects every fault instead of
// stopping at the first.
type reading struct {
	file   string
	faults problem.List
}

// readFile lays the settings of a file over s.
func readFile(file string, s *Settings) problem.List {
	r := &reading{file: file}
	data, err := readBounded(file)
	if err != nil {
		r.fault(nil, "", err.Error(), "check the path given with --config or ABIDE_CONFIG")
		return r.faults
	}
	r.decode(data, s)
	return r.faults
}

func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("the settings can't be read: %w", bare(err))
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("the settings can't be read: %w", bare(err))
	}
	if len(data) > MaxFile {
		return nil, fmt.Errorf("the settings are larger than %d KiB", MaxFile>>10)
	}
	return data, nil
}

// bare takes the path out of an error whose reader sees it anyway.
func bare(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

func (r *reading) decode(data []byte, s *Settings) {
	var doc yaml.Node
	if err := yaml.Load(data, &doc); err != nil {
		r.syntax(err)
		return
	}
	if len(doc.Content) == 0 {
		return
	}
	section(r, doc.Content[0], "", options, s, map[string]func(*yaml.Node){
		"sources": func(n *yaml.Node) {
			s.Sources = elements(r, n, "sources", sourceOptions, s.Sources, Source{}, placeSource)
		},
		"tokens": func(n *yaml.Node) { s.Tokens = elements(r, n, "tokens", tokenOptions, s.Tokens, Token{}, placeToken) },
	})
}

func placeSource(s *Source, p place) { s.at = p }
func placeToken(t *Token, p place)   { t.at = p }

// syntax reports what the YAML library says, at its place. A file with nothing
// in it is no fault: everything then has its default.
func (r *reading) syntax(err error) {
	if all, ok := errors.AsType[*yaml.LoadErrors](err); ok {
		for _, e := range all.Errors {
			r.syntaxOne(e)
		}
		return
	}
	if e, ok := errors.AsType[*yaml.LoadError](err); ok {
		r.syntaxOne(e)
		return
	}
	r.fault(nil, "", "this is not YAML: "+err.Error(), "correct it")
}

func (r *reading) syntaxOne(e *yaml.LoadError) {
	message := strings.TrimPrefix(e.Message, "yaml: ")
	switch {
	case strings.Contains(message, "no documents"):
		return
	case strings.Contains(message, "multiple"):
		r.fault(nil, "", "the file holds more than one YAML document", "keep one, and remove the lines with ---")
		return
	}
	p := problem.Problem{
		Severity: problem.Error, File: r.file, Line: e.Mark.Line, Column: e.Mark.Column,
		Message: "this is not YAML: " + message, Hint: "check the indentation and the quotes there",
	}
	r.faults = append(r.faults, p)
}

func (r *reading) place(n *yaml.Node) place {
	p := place{file: r.file}
	if n != nil {
		p.line, p.column = n.Line, n.Column
	}
	return p
}

func (r *reading) fault(n *yaml.Node, field, message, hint string) {
	r.faults = append(r.faults, r.place(n).fault(field, message, hint))
}
