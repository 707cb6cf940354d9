package sources

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/format/config"
)

// repoPaths are the directories of one repository. They differ only for a
// linked work tree (git worktree add), which has a HEAD of its own.
type repoPaths struct {
	git    string // holds HEAD
	common string // holds objects, refs and packed-refs
}

const maxRepoFile = 1 << 20 // of the small files in .git that are read whole

// findRepo finds the repository at a path: a work tree, a bare repository, or
// what a .git file leads to (a linked work tree or a submodule).
func findRepo(root string) (repoPaths, error) {
	info, err := os.Stat(root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return repoPaths{}, say(fs.ErrNotExist, "the Git repository %s does not exist; create it, or correct the path", root)
	case err != nil:
		return repoPaths{}, unreadable("the Git repository "+root, err)
	case !info.IsDir():
		return repoPaths{}, fmt.Errorf("%s is a file, not a Git repository; give the directory that holds .git", root)
	}
	dot := filepath.Join(root, ".git")
	info, err = os.Stat(dot)
	switch {
	case err == nil && info.IsDir():
		return withCommon(root, dot)
	case err == nil:
		return followGitFile(root, dot)
	case !errors.Is(err, fs.ErrNotExist):
		return repoPaths{}, unreadable("the Git repository "+root, err)
	}
	return withCommon(root, root)
}

// followGitFile reads a .git that is a file: "gitdir: PATH".
func followGitFile(root, dot string) (repoPaths, error) {
	text, err := readSmall(dot)
	if err != nil {
		return repoPaths{}, unreadable("the Git repository "+root, err)
	}
	dir, ok := strings.CutPrefix(strings.TrimSpace(text), "gitdir: ")
	if !ok {
		return repoPaths{}, fmt.Errorf("%s is not a Git repository: its .git file does not say \"gitdir: PATH\"", root)
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	return withCommon(root, filepath.Clean(dir))
}

// withCommon looks for what makes a directory a repository, and judges whether
// its format is one that can be read.
func withCommon(root, git string) (repoPaths, error) {
	paths := repoPaths{git: git, common: git}
	if text, err := readSmall(filepath.Join(git, "commondir")); err == nil {
		paths.common = strings.TrimSpace(text)
		if !filepath.IsAbs(paths.common) {
			paths.common = filepath.Join(git, paths.common)
		}
	}
	if err := mayRead(paths); err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return repoPaths{}, unreadable("the Git repository "+root, err)
		}
		return repoPaths{}, notARepo(root)
	}
	return paths, checkFormat(root, paths)
}

// mayRead looks for the three things that every repository has.
func mayRead(paths repoPaths) error {
	head, err := os.Lstat(filepath.Join(paths.git, "HEAD"))
	if err != nil {
		return err
	}
	if head.IsDir() {
		return fs.ErrInvalid
	}
	for _, name := range []string{"objects", "refs"} {
		f, err := os.Open(filepath.Join(paths.common, name))
		if err != nil {
			return err
		}
		_, err = f.Readdirnames(1)
		f.Close()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}

// notARepo says so, and whether one is above, since a folder of a repository is
// what is given most often by mistake.
func notARepo(root string) error {
	for dir := filepath.Dir(root); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			if below, err := filepath.Rel(dir, root); err == nil {
				return fmt.Errorf("%s is not a Git repository, but a folder of the one at %s; give that one, with the path %s", root, dir, below)
			}
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return fmt.Errorf("%s is not a Git repository; give a directory made by git init or git clone, or watch it as a plain directory", root)
}

// checkFormat refuses the formats of repository that go-git would misread.
func checkFormat(root string, paths repoPaths) error {
	f, err := os.Open(filepath.Join(paths.common, "config"))
	if err != nil {
		return nil // Git itself can do without
	}
	defer f.Close()
	cfg := config.New()
	if err := config.NewDecoder(io.LimitReader(f, maxRepoFile)).Decode(cfg); err != nil {
		return nil // whatever is wrong there concerns Git commands, not the objects
	}
	ext := cfg.Section("extensions")
	if format := ext.Option("objectformat"); format != "" && !strings.EqualFold(format, "sha1") {
		return fmt.Errorf("the Git repository %s uses the object format %s, which is not supported; use a repository with SHA-1 objects", root, format)
	}
	if storage := ext.Option("refstorage"); storage != "" && !strings.EqualFold(storage, "files") {
		return fmt.Errorf("the Git repository %s keeps its refs as %s, which is not supported; convert it with: git refs migrate --ref-format=files", root, storage)
	}
	return nil
}

// readSmall reads a small file whole.
func readSmall(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxRepoFile))
	return string(data), err
}

// unwrapPath takes the operation and the path off an error whose sentence names
// the path already.
func unwrapPath(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
