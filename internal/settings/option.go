package settings

import "strings"

// shape says how many values an option takes and how they are written.
type shape int

const (
	one    shape = iota // one value
	toggle              // true or false; a flag alone means true
	many                // a list; a flag is repeated, a variable split at commas
	pairs               // key=value; a mapping in the file
)

// option is one setting of a T. The same entry serves the file (by key), the
// command line (by flag) and the environment (by variable).
type option[T any] struct {
	key   string // as the file spells it, sections joined with dots
	flag  string // the flag's name where it isn't the key with dashes; noFlag: file only
	short string // one letter
	meta  string // what stands for the value in --help
	usage string
	shape shape
	later bool // a place that is kept: nothing in this version acts on it
	// reset empties a list before its first value; nil for single values.
	reset func(*T)
	// add takes one value as text. Its error is a fault that names no place and,
	// where the value could hold a secret, not the value.
	add func(*T, string) error
}

// noFlag marks what only the file can say.
const noFlag = "-"

func (o option[T]) flagName() string {
	if o.flag != "" {
		return o.flag
	}
	return strings.NewReplacer(".", "-", "_", "-").Replace(o.key)
}

func (o option[T]) variable() string {
	return "ABIDE_" + strings.ToUpper(strings.ReplaceAll(o.flagName(), "-", "_"))
}

// Option describes a setting to whoever builds the command line.
type Option struct {
	Flag       string // the name without its dashes
	Short      string // one letter, or empty
	Variable   string // the environment variable of the same meaning
	Key        string // in the file; empty when the file can't say it
	Meta       string // placeholder of the value
	Usage      string
	Toggle     bool // needs no value
	Repeatable bool
	Later      bool // accepted, with a warning, and without effect in this version
}

// Options lists every setting that has a flag, in the order of the help text.
func Options() []Option {
	out := describe(nil, inputOptions, "")
	out = describe(out, sourceOptions, "sources[].")
	return describe(out, options, "")
}

func describe[T any](out []Option, table []option[T], prefix string) []Option {
	for _, o := range table {
		if o.flag == noFlag {
			continue
		}
		d := Option{
			Flag: o.flagName(), Short: o.short, Variable: o.variable(), Meta: o.meta, Usage: o.usage,
			Toggle: o.shape == toggle, Repeatable: o.shape == many || o.shape == pairs, Later: o.later,
		}
		if o.key != "" {
			d.Key = prefix + o.key
		}
		out = append(out, d)
	}
	return out
}

// fault is an error with advice. Its text names no place: whoever knows whether
// the value came from a file, a flag or a variable puts that before it.
type fault struct{ message, hint string }

func (f fault) Error() string { return f.message + "; " + f.hint }
