package units

import "slices"

// Deps are the units that a unit names in its section [Unit], with specifiers
// replaced, in the order of the file. They say what a batch has to be ordered
// by: After and Before alone order, the others alone only bind.
type Deps struct {
	Requires, Requisite, Wants, BindsTo, PartOf, After, Before []string
}

// Needs are the units without which this one is not to run.
func (d Deps) Needs() []string { return slices.Concat(d.Requires, d.Requisite, d.BindsTo) }

// DepsOf reads the dependencies of a unit from its options, see [Effective].
// Unlike other lists these can't be emptied by an empty assignment
// (systemd.unit(5)).
func DepsOf(name string, options []Option) Deps {
	var d Deps
	lists := map[string]*[]string{
		"Requires": &d.Requires, "Requisite": &d.Requisite, "Wants": &d.Wants, "BindsTo": &d.BindsTo, "PartOf": &d.PartOf, "After": &d.After, "Before": &d.Before,
	}
	replace := specifiers(name)
	seen := map[[2]string]bool{}
	for _, o := range options {
		list := lists[o.Name]
		if list == nil || o.Section != "Unit" {
			continue
		}
		names, _ := words(o.Value, false) // systemd ignores one with an open quote, too
		for _, n := range names {
			if n = replace.Replace(n); !seen[[2]string{o.Name, n}] {
				seen[[2]string{o.Name, n}] = true
				*list = append(*list, n)
			}
		}
	}
	return d
}

// Effective gives the options of a unit with those of its drop-ins, as systemd
// puts them together: the unit's own, then each drop-in's in the order of names.
func Effective(text []byte, dropIns []DropIn) []Option {
	settings, _ := Read("", string(text))
	for _, in := range sorted(dropIns) {
		more, _ := Read("", string(in.Text))
		settings = append(settings, more...)
	}
	return optionsOf(settings)
}

func optionsOf(settings []Setting) []Option {
	options := make([]Option, len(settings))
	for i, s := range settings {
		options[i] = s.Option
	}
	return options
}
