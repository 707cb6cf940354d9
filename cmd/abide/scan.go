package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
)

// maxIgnoreFile bounds .abideignore, in bytes.
const maxIgnoreFile = 1 << 20

// directory checks the pipeline files of a directory, found as a source finds
// them: directly in it and below pipelines/. os.Root refuses links that lead
// out of it.
func (v *verdict) directory(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		v.unreadable(dir, err)
		return
	}
	defer func() { _ = root.Close() }()
	ignored := v.ignores(root, dir)
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			v.unreadable(filepath.Join(dir, name), err)
			return nil
		case name == ".":
			return nil
		case e.IsDir():
			if elsewhere(name) || ignored(name, true) {
				return fs.SkipDir
			}
			return nil
		case !isYAML(name) || ignored(name, false):
			return nil
		}
		v.found(root, dir, name)
		return nil
	})
	if err != nil {
		v.unreadable(dir, err)
	}
}

func (v *verdict) found(root *os.Root, dir, name string) {
	file := filepath.Join(dir, name)
	f, err := root.Open(name)
	if err != nil {
		v.unreadable(file, err)
		return
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return
	}
	v.stream(file, pipelineName(name), f, false)
}

// elsewhere tells the directories whose files are not the agent's business.
func elsewhere(dir string) bool {
	return dir != "pipelines" && !strings.HasPrefix(dir, "pipelines/")
}

func isYAML(name string) bool {
	ext := path.Ext(name)
	return ext == ".yaml" || ext == ".yml"
}

// ignores reads .abideignore, whose syntax is gitignore's.
func (v *verdict) ignores(root *os.Root, dir string) func(name string, isDir bool) bool {
	var patterns []gitignore.Pattern
	f, err := root.Open(".abideignore")
	if err == nil {
		defer func() { _ = f.Close() }()
		var text []byte
		text, err = io.ReadAll(io.LimitReader(f, maxIgnoreFile))
		for line := range strings.Lines(string(text)) {
			line = strings.TrimRight(line, "\r\n")
			if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
				patterns = append(patterns, gitignore.ParsePattern(line, nil))
			}
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.unreadable(filepath.Join(dir, ".abideignore"), err)
	}
	m := gitignore.NewMatcher(patterns)
	return func(name string, isDir bool) bool { return m.Match(strings.Split(name, "/"), isDir) }
}

// reason is an error without the path that its reader is told anyway.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
