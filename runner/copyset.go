package runner

import (
	"fmt"
	"io/fs"
	"iter"
	"regexp"
)

// MaxCopyEntries is how many files, links and directories one job may copy.
const MaxCopyEntries = 1_000_000

// Entry is one file, link or directory of what a job is given. The embedded
// DirEntry says what it is; its Info is looked up only when asked for.
type Entry struct {
	Path string // slash path below the root that was walked
	fs.DirEntry
	Link string // what a link points to, as it stands
}

// CopySet gives what copyFiles copies of a tree, in the order of a walk that
// takes each directory's names sorted and a directory before what is in it:
// regular files, links, which are not followed, and directories, empty ones
// too. Nothing else of a tree can be copied.
//
// A file or link is left out when a pattern matches its slash path anywhere. A
// directory is left out, with all that is below it, when a pattern matches its
// path with a slash behind it: every path below it would match as well. So a
// pattern that ends in `$` leaves out files and never a directory.
//
// An error ends the walk and comes with an Entry that names the place only.
func CopySet(tree fs.FS, ignore []*regexp.Regexp) iter.Seq2[Entry, error] {
	return walkTree(tree, ".", func(path string, dir bool) (keep, descend bool) {
		if dir {
			path += "/"
		}
		for _, re := range ignore {
			if re.MatchString(path) {
				return false, false
			}
		}
		return true, true
	})
}

// walkTree walks below root and gives the entries that choose keeps, with
// their paths below root.
func walkTree(tree fs.FS, root string, choose func(path string, dir bool) (keep, descend bool)) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		entries := 0
		err := fs.WalkDir(tree, root, func(name string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			path := relative(name, root)
			if path == "." || path == "" {
				return nil
			}
			t := d.Type()
			if !t.IsRegular() && t != fs.ModeDir && t != fs.ModeSymlink {
				return nil
			}
			keep, descend := choose(path, t == fs.ModeDir)
			if keep {
				if entries++; entries > MaxCopyEntries {
					return fmt.Errorf("more than %d files are to be copied; narrow it with copyIgnore or a .dockerignore", MaxCopyEntries)
				}
				e := Entry{Path: path, DirEntry: d}
				if t == fs.ModeSymlink {
					if e.Link, err = fs.ReadLink(tree, name); err != nil {
						return err
					}
				}
				if !yield(e, nil) {
					return fs.SkipAll
				}
			}
			if t == fs.ModeDir && !descend {
				return fs.SkipDir
			}
			return nil
		})
		if err != nil {
			yield(Entry{Path: root}, err)
		}
	}
}

// relative gives a path of the tree as a path below root.
func relative(name, root string) string {
	if root == "." || len(name) <= len(root) {
		if name == root {
			return "."
		}
		return name
	}
	return name[len(root)+1:]
}
