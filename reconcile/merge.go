package reconcile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/abide-agent/abide/internal/problem"
)

// merge makes one desired state of what the sources say, in the order of their
// configuration, and settles who owns a name that two of them claim: equal
// content goes to Git, else the owner of the durable claim keeps it, else the
// first. The other one has a problem that names both. A name that is claimed by
// a source of which nothing is known yet in this life stays that one's.
func merge(order []string, by map[string]Desired, claims map[string]string, unknown map[string]bool) (map[string]*Resource, problem.List) {
	out := map[string]*Resource{}
	var problems problem.List
	for _, source := range order {
		problems = append(problems, by[source].Problems...)
		for _, r := range by[source].Resources {
			if owner := claims[r.Key()]; owner != source && unknown[owner] {
				continue
			}
			other, taken := out[r.Key()]
			if !taken {
				out[r.Key()] = r
				continue
			}
			winner, loser := other, r
			switch {
			case other.Digest == r.Digest && r.Git && !other.Git:
				winner, loser = r, other
			case other.Digest == r.Digest:
			case claims[r.Key()] == r.Source:
				winner, loser = r, other
			}
			out[r.Key()] = winner
			if winner.Digest != loser.Digest {
				problems = append(problems, problem.Problem{
					Severity: problem.Error, File: loser.File,
					Message: fmt.Sprintf("%s %s of source %s is already owned by source %s (%s)", r.Kind, r.Name, loser.Source, winner.Source, winner.File),
					Hint:    "rename one of the two, or remove it from one source",
				})
			}
		}
	}
	checkAfter(out)
	return out, problems
}

// checkAfter resolves every `after:` to keys and makes unknown names and
// cycles problems of the resources that have them.
func checkAfter(all map[string]*Resource) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		r := all[key]
		for _, name := range r.After {
			if _, ok := all[dependency(r, name)]; !ok {
				blame(all, key, fmt.Sprintf("after: names %q, and there is no such resource", name),
					"correct the name; resources are called by kind/name, pipelines also by their bare name")
			}
		}
		if path := cycle(all, key); path != nil {
			blame(all, key, "after: makes a cycle: "+strings.Join(path, " → "), "remove one of these")
		}
	}
}

// blame adds a problem to a copy of the resource: the original belongs to the
// last loading, which may be merged again.
func blame(all map[string]*Resource, key, message, hint string) {
	r := *all[key]
	r.Problems = append(slices.Clone(r.Problems), problem.Problem{Severity: problem.Error, File: r.File, Field: "after", Message: message, Hint: hint})
	all[key] = &r
}

// dependency gives the key that a name in r's `after:` means.
func dependency(r *Resource, name string) string {
	for _, kind := range []string{"pipeline", "unit", "service"} {
		for _, prefix := range []string{kind + "/", kind + "s/"} {
			if rest, ok := strings.CutPrefix(name, prefix); ok {
				return kind + "/" + rest
			}
		}
	}
	return r.Kind + "/" + name
}

// cycle gives the way from key back to itself, or nil.
func cycle(all map[string]*Resource, start string) []string {
	seen := map[string]bool{}
	var visit func(key string, path []string) []string
	visit = func(key string, path []string) []string {
		r := all[key]
		if r == nil {
			return nil
		}
		for _, name := range r.After {
			next := dependency(r, name)
			if next == start {
				return append(path, next)
			}
			if seen[next] {
				continue
			}
			seen[next] = true
			if found := visit(next, append(path, next)); found != nil {
				return found
			}
		}
		return nil
	}
	return visit(start, []string{start})
}

// meantFor says whether a resource with these `hosts:` is meant for this host:
// one of its words is the host's name, a glob over it, or a label `key=value`.
func meantFor(hosts []string, host string, labels map[string]string) (bool, string) {
	for _, h := range hosts {
		if key, value, ok := strings.Cut(h, "="); ok && labels[key] == value && value != "" {
			return true, ""
		}
		if ok, err := path.Match(h, host); ok && err == nil {
			return true, ""
		}
	}
	if len(hosts) == 0 {
		return true, ""
	}
	return false, fmt.Sprintf("its hosts: (%s) does not name this host, %s", strings.Join(hosts, ", "), host)
}

// satisfied says whether the resource that somebody waits for is as it is
// wanted, and if not, why, as a sentence. observed is what is there of it.
func satisfied(dep *Resource, rec Record, observed string) (bool, string) {
	name := dep.Key()
	switch last := rec.Last; {
	case dep.Broken():
		return false, "it waits for " + name + ", whose file has errors"
	case rec.Rejected != "" && rec.Rejected == dep.Digest:
		return false, "it waits for " + name + ", whose new content was rolled back"
	case last == nil || last.Digest != dep.Digest:
		return false, "it waits for " + name
	case last.Result == Succeeded && observed != "" && observed != dep.Digest:
		return false, "it waits for " + name + ", which is not as it is wanted now"
	case last.Result == Succeeded, last.Result == Skipped, last.Result == Baselined:
		return true, ""
	default:
		return false, fmt.Sprintf("it waits for %s, which %s", name, last.Result)
	}
}
