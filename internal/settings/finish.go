package settings

import (
	"fmt"
	"slices"

	"github.com/abide-agent/abide/internal/problem"
)

// finish fills in what a source leaves open and finds what only the whole can
// show: settings that contradict each other.
func finish(s *Settings) problem.List {
	var faults problem.List
	for i := range s.Sources {
		faults = append(faults, s.Sources[i].finish()...)
	}
	faults = append(faults, nameSources(s.Sources)...)
	seen := map[string]bool{}
	for _, t := range s.Tokens {
		faults = append(faults, t.check(seen)...)
		seen[t.Name] = true
	}
	return faults
}

func (s *Source) finish() (faults problem.List) {
	given := 0
	for _, where := range []string{string(s.Git), s.Dir, s.File} {
		if where != "" {
			given++
		}
	}
	if given != 1 {
		faults = append(faults, s.at.fault("sources", fmt.Sprintf("a source has %d of git, dir and file", given), "give it exactly one of them"))
	}
	refs := 0
	for _, ref := range []string{s.Branch, s.Tag, s.Commit} {
		if ref != "" {
			refs++
		}
	}
	switch {
	case refs > 1:
		faults = append(faults, s.at.fault("sources", "branch, tag and commit exclude each other", "keep one of them"))
	case refs == 1 && s.Git == "" && given == 1:
		faults = append(faults, s.at.fault("sources", "branch, tag and commit belong to a git source", "remove them, or follow the repository with git"))
	}
	faults = append(faults, s.Auth.check(s)...)
	faults = append(faults, s.checkStatus()...)
	if s.Interval == 0 {
		s.Interval = DefaultInterval
	}
	if len(s.Kinds) == 0 {
		s.Kinds = []string{KindPipelines, KindUnits, KindServices}
	}
	slices.Sort(s.Kinds)
	s.Kinds = slices.Compact(s.Kinds)
	return faults
}

func (t Token) check(seen map[string]bool) (faults problem.List) {
	at := t.at
	if t.Name == "" || t.Role == "" {
		faults = append(faults, at.fault("tokens", "a token needs a name and a role", "add name: and role: read, trigger or admin"))
	}
	if (t.File == "") == (t.SHA256 == "") {
		faults = append(faults, at.fault("tokens", "a token needs either token_file or sha256", "name the file that holds it, or give its digest"))
	}
	if t.Name != "" && seen[t.Name] {
		faults = append(faults, at.fault("tokens", fmt.Sprintf("the token name %q is taken", t.Name), "give each token its own name"))
	}
	return faults
}
