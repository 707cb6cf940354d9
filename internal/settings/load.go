package settings

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
)

// Input is where settings come from, besides the file that these name.
type Input struct {
	// Flags holds the values of each flag that was given, by the flag's name.
	Flags map[string][]string
	// Env looks up an environment variable; nil stands for os.LookupEnv.
	Env func(string) (string, bool)
	// Environ lists the environment as os.Environ does, to find misspelt
	// variables; nil looks for none.
	Environ []string
	// Stat tells a directory given with -f from a file; nil stands for os.Stat.
	Stat func(string) (os.FileInfo, error)
}

// inputs is what only the command line and the environment can say.
type inputs struct {
	config      string
	files, gits []string
	name        string
	at          map[string]place
}

var inputOptions = []option[inputs]{
	list(option[inputs]{flag: "file", short: "f", meta: "FILE|DIR|-", usage: "pipeline file to run, directory to follow, or - for standard input; may be repeated"},
		func(i *inputs) *[]string { return &i.files }, nil),
	list(option[inputs]{flag: "git", meta: "URL|PATH", usage: "Git repository to follow; may be repeated"},
		func(i *inputs) *[]string { return &i.gits }, nil),
	{
		flag: "name", short: "n", meta: "NAME", usage: "name of the one pipeline given with -f (default: its file's name)",
		add: text(func(i *inputs) *string { return &i.name }),
	},
	{
		flag: "config", meta: "FILE", usage: "read settings from this YAML file",
		add: text(func(i *inputs) *string { return &i.config }),
	},
}

// Load lays flags over variables over the file over the defaults and checks the
// whole. It reports every fault, not only the first; the settings are usable
// only when the list's Err is nil. A list (of sources, too) that is given at one
// level replaces the whole list of the levels below.
func Load(in Input) (Settings, problem.List) {
	if in.Env == nil {
		in.Env = os.LookupEnv
	}
	if in.Stat == nil {
		in.Stat = os.Stat
	}
	s := Default()
	given := inputs{at: map[string]place{}}
	faults := overlay(in, inputOptions, &given, given.at)
	if given.config != "" {
		faults = append(faults, readFile(given.config, &s)...)
	}
	faults = append(faults, overlay(in, options, &s, nil)...)

	// The source flags hold for every source of the command line.
	common := Source{}
	at := map[string]place{}
	faults = append(faults, overlay(in, sourceOptions, &common, at)...)
	faults = append(faults, given.apply(in, &s, common, at)...)
	faults = append(faults, finish(&s)...)
	return s, append(faults, misspelt(in.Environ)...)
}

// overlay sets what a flag or else a variable gives.
func overlay[T any](in Input, table []option[T], into *T, at map[string]place) (faults problem.List) {
	for _, o := range table {
		if o.flag == noFlag {
			continue
		}
		values, where := in.Flags[o.flagName()], place{label: "--" + o.flagName()}
		if values == nil {
			v, ok := in.Env(o.variable())
			if !ok || v == "" {
				continue // an empty variable is how a shell takes one away
			}
			values, where = []string{v}, place{label: o.variable()}
			if o.shape == many || o.shape == pairs {
				values = splitList(v)
			}
		}
		if at != nil {
			at[o.flagName()] = where
		}
		if o.later {
			faults = append(faults, where.idle(o.key))
		}
		if o.reset != nil {
			o.reset(into)
		}
		for _, v := range values {
			if err := o.add(into, v); err != nil {
				faults = append(faults, where.refuse(o.key, err))
			}
		}
	}
	return faults
}

// splitList takes a variable apart: at newlines where there are any, for values
// that hold commas, else at commas.
func splitList(v string) []string {
	sep := ","
	if strings.Contains(v, "\n") {
		sep = "\n"
	}
	var out []string
	for _, part := range strings.Split(v, sep) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// apply turns -f and --git into sources and explicit files.
func (g inputs) apply(in Input, s *Settings, common Source, at map[string]place) (faults problem.List) {
	var sources []Source
	for _, f := range g.files {
		// What can't be looked at is left to whoever opens it, who says why.
		if info, err := in.Stat(f); f == "-" || err != nil || !info.IsDir() {
			s.Files = append(s.Files, f)
			continue
		}
		src := common
		src.Dir, src.at = f, g.at["file"]
		src.Branch, src.Tag, src.Commit = "", "", ""
		sources = append(sources, src)
	}
	for _, u := range g.gits {
		src := common
		src.Git, src.at = Location(u), g.at["git"]
		sources = append(sources, src)
	}
	for i := range sources {
		// Whoever names source and executor on one command line has granted it.
		sources[i].Policy.HostExecutor = s.Executor == "host"
	}
	if len(sources) > 0 || len(s.Files) > 0 {
		s.Sources = sources
	}
	s.Name = g.name
	return append(faults, g.misplaced(len(sources), len(s.Files), at)...)
}

// misplaced finds flags that have nothing to say anything of. A variable may:
// it stands there for every command.
func (g inputs) misplaced(sources, files int, at map[string]place) (faults problem.List) {
	for _, name := range []string{"branch", "tag", "commit"} {
		if p, ok := at[name]; ok && len(g.gits) == 0 && strings.HasPrefix(p.label, "--") {
			faults = append(faults, p.fault("", "there is no --git source that this could belong to", "add --git URL, or say it in the file under sources"))
		}
	}
	for _, name := range []string{"path", "interval", "kinds"} {
		if p, ok := at[name]; ok && sources == 0 && strings.HasPrefix(p.label, "--") {
			faults = append(faults, p.fault("", "there is no source that this could belong to", "add --git URL or -f DIR, or say it in the file under sources"))
		}
	}
	if p, ok := g.at["name"]; ok && files > 1 {
		faults = append(faults, p.fault("", "one name can't be given to several pipelines", "give one file with -f"))
	}
	return faults
}

// misspelt warns of ABIDE_ variables that look like one of ours and are not.
func misspelt(environ []string) (faults problem.List) {
	var known []string
	for _, o := range Options() {
		known = append(known, o.Variable)
	}
	known = append(known, "ABIDE_SERVER", "ABIDE_TOKEN")
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.HasPrefix(name, "ABIDE_") {
			continue
		}
		near := nearest(strings.TrimPrefix(name, "ABIDE_"), trimAll(known))
		if near == "" || "ABIDE_"+near == name || slices.Contains(known, name) {
			continue
		}
		faults = append(faults, problem.Problem{
			Severity: problem.Warning, Field: name,
			Message: fmt.Sprintf("the variable %s means nothing here", name),
			Hint:    "did you mean ABIDE_" + near + "?",
		})
	}
	return faults
}

func trimAll(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.TrimPrefix(n, "ABIDE_")
	}
	return out
}
