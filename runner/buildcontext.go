package runner

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// maxIgnoreBytes is how long a .dockerignore may be.
const maxIgnoreBytes = 1 << 20

// ContextSet gives what a build from a Dockerfile may read: the directory of
// the Dockerfile less what its .dockerignore leaves out, with paths below that
// directory. As with Docker's own client NAME.dockerignore beside the
// Dockerfile comes before .dockerignore, and neither it nor the Dockerfile can
// be left out. It is the walk of both the digest and the build.
func ContextSet(tree fs.FS, dockerfile string) iter.Seq2[Entry, error] {
	dir, base := path.Split(dockerfile)
	dir = path.Clean(dir)
	ignore, ignoreFile, err := dockerIgnore(tree, dir, base)
	if err != nil {
		return func(yield func(Entry, error) bool) { yield(Entry{Path: dockerfile}, err) }
	}
	if ignore == nil {
		return walkTree(tree, dir, func(string, bool) (bool, bool) { return true, true })
	}
	parents := map[string]patternmatcher.MatchInfo{}
	return walkTree(tree, dir, func(name string, isDir bool) (keep, descend bool) {
		matched, info, err := ignore.MatchesUsingParentResults(name, parents[path.Dir(name)])
		if isDir {
			parents[name] = info
		}
		if err != nil || !matched || name == base || name == ignoreFile {
			return true, true
		}
		return false, isDir && readmits(ignore, name)
	})
}

// dockerIgnore reads the ignore file of a build, nil when there is none.
func dockerIgnore(tree fs.FS, dir, base string) (m *patternmatcher.PatternMatcher, name string, err error) {
	for _, name := range []string{base + ".dockerignore", ".dockerignore"} {
		f, err := tree.Open(path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		text, err := io.ReadAll(io.LimitReader(f, maxIgnoreBytes+1))
		f.Close()
		if err != nil {
			return nil, "", err
		}
		if len(text) > maxIgnoreBytes {
			return nil, "", fmt.Errorf("%s is longer than %d bytes; shorten it", path.Join(dir, name), maxIgnoreBytes)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil || len(patterns) == 0 {
			return nil, "", err
		}
		m, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, "", fmt.Errorf("%s has a pattern that can't be read: %w; correct it", path.Join(dir, name), err)
		}
		return m, name, nil
	}
	return nil, "", nil
}

// readmits says whether a `!pattern` may take back something below a directory
// that is left out.
func readmits(m *patternmatcher.PatternMatcher, dir string) bool {
	if !m.Exclusions() {
		return false
	}
	for _, p := range m.Patterns() {
		if p.Exclusion() && (strings.HasPrefix(p.String()+"/", dir+"/") || strings.ContainsAny(p.String(), "*?[")) {
			return true
		}
	}
	return false
}
