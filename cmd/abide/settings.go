package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/abide-agent/abide/internal/settings"
)

// values collects what each settings flag was given, by the flag's name.
type values map[string][]string

// flagValue is one settings flag. Its text is checked by package settings,
// together with all others, so that every fault shows at once.
type flagValue struct {
	name string
	all  values
	kind string
	many bool
}

func (f *flagValue) String() string { return "" } // no "(default …)": the usage says it
func (f *flagValue) Type() string   { return f.kind }

func (f *flagValue) Set(v string) error {
	if f.many {
		f.all[f.name] = append(f.all[f.name], v)
	} else {
		f.all[f.name] = []string{v}
	}
	return nil
}

// bindSettings gives cmd a flag for every setting that only lets pass.
func bindSettings(cmd *cobra.Command, only func(flag string) bool) values {
	all := values{}
	flags := cmd.Flags()
	flags.SortFlags = false
	for _, o := range settings.Options() {
		if !only(o.Flag) {
			continue
		}
		v := &flagValue{name: o.Flag, all: all, kind: o.Meta, many: o.Repeatable}
		flag := flags.VarPF(v, o.Flag, o.Short, o.Usage)
		if o.Toggle {
			flag.NoOptDefVal, v.kind = "true", "bool" // --help shows a bool without a value
		}
		flag.Hidden = o.Later
		if o.Flag == "file" {
			// pin's long name of -f, for those who wrote scripts with it.
			flags.Var(v, "filepath", o.Usage)
			if err := flags.MarkHidden("filepath"); err != nil {
				panic(err) // the flag was added in the line above
			}
		}
	}
	return all
}

// loadSettings reads the settings; faults are a usage error, warnings are shown.
func (p *process) loadSettings(given values) (settings.Settings, error) {
	s, faults := settings.Load(settings.Input{Flags: given, Env: p.env, Environ: p.environ})
	if err := faults.Err(); err != nil {
		return s, exitError{exitUsage, err}
	}
	for _, w := range faults {
		p.warn(w.String())
	}
	return s, nil
}

// serving tells the flags that only a daemon has a use for.
func serving(flag string) bool {
	switch flag {
	case "host", "port", "socket", "admin-uid", "allow-origin", "allow-host", "external-url", "insecure":
		return true
	}
	return strings.HasPrefix(flag, "trigger-") || strings.HasPrefix(flag, "keep-")
}
