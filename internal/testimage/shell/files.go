//go:build unix

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func cat(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	code := 0
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, name := range args {
		if err := catOne(name, stdin, stdout); err != nil {
			code = fail(stderr, "cat", err)
		}
	}
	return code
}

func catOne(name string, stdin io.Reader, stdout io.Writer) error {
	if name == "-" {
		_, err := io.Copy(stdout, stdin)
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(stdout, f)
	return err
}

// ls knows -a, -l, -R and prints one name a line, always.
func ls(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	opts, args := flags(args)
	if len(args) == 0 {
		args = []string{"."}
	}
	code := 0
	for _, name := range args {
		if err := lsOne(name, opts, stdout); err != nil {
			code = fail(stderr, "ls", err)
		}
	}
	return code
}

func lsOne(name, opts string, stdout io.Writer) error {
	info, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if !info.IsDir() || strings.Contains(opts, "d") {
		lsEntry(name, name, info, opts, stdout)
		return nil
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return err
	}
	if strings.Contains(opts, "R") {
		fmt.Fprintf(stdout, "%s:\n", name)
	}
	var dirs []string
	for _, e := range entries {
		if e.Name()[0] == '.' && !strings.ContainsAny(opts, "aA") {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		lsEntry(e.Name(), filepath.Join(name, e.Name()), info, opts, stdout)
		if e.IsDir() {
			dirs = append(dirs, filepath.Join(name, e.Name()))
		}
	}
	if strings.Contains(opts, "R") {
		for _, d := range dirs {
			if err := lsOne(d, opts, stdout); err != nil {
				return err
			}
		}
	}
	return nil
}

func lsEntry(name, path string, info fs.FileInfo, opts string, stdout io.Writer) {
	if !strings.Contains(opts, "l") {
		fmt.Fprintln(stdout, name)
		return
	}
	uid, gid := owner(info)
	if info.Mode()&fs.ModeSymlink != 0 {
		target, _ := os.Readlink(path)
		name += " -> " + target
	}
	fmt.Fprintf(stdout, "%s %d %d %8d %s\n", info.Mode(), uid, gid, info.Size(), name)
}

func owner(info fs.FileInfo) (uid, gid uint32) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Uid, st.Gid
	}
	return 0, 0
}

func mkdir(args []string, _ io.Reader, _, stderr io.Writer) int {
	opts, args := flags(args)
	for _, name := range args {
		make := os.Mkdir
		if strings.Contains(opts, "p") {
			make = os.MkdirAll
		}
		if err := make(name, 0o777); err != nil {
			return fail(stderr, "mkdir", err)
		}
	}
	return 0
}

func touch(args []string, _ io.Reader, _, stderr io.Writer) int {
	for _, name := range args {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return fail(stderr, "touch", err)
		}
		f.Close()
		_ = os.Chtimes(name, time.Now(), time.Now())
	}
	return 0
}

func rm(args []string, _ io.Reader, _, stderr io.Writer) int {
	opts, args := flags(args)
	for _, name := range args {
		remove := os.Remove
		if strings.ContainsAny(opts, "rR") {
			remove = os.RemoveAll
		}
		if err := remove(name); err != nil && !(strings.Contains(opts, "f") && errors.Is(err, fs.ErrNotExist)) {
			return fail(stderr, "rm", err)
		}
	}
	return 0
}

// cp copies one file, or with -r a tree.
func cp(args []string, _ io.Reader, _, stderr io.Writer) int {
	opts, args := flags(args)
	if len(args) != 2 {
		return fail(stderr, "cp", errors.New("needs a source and a target"))
	}
	from, to := args[0], args[1]
	if info, err := os.Stat(to); err == nil && info.IsDir() {
		to = filepath.Join(to, filepath.Base(from))
	}
	if strings.ContainsAny(opts, "rRa") {
		if info, err := os.Stat(from); err == nil && info.IsDir() {
			if err := os.CopyFS(to, os.DirFS(from)); err != nil {
				return fail(stderr, "cp", err)
			}
			return 0
		}
	}
	if err := copyFile(from, to); err != nil {
		return fail(stderr, "cp", err)
	}
	return 0
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func ln(args []string, _ io.Reader, _, stderr io.Writer) int {
	opts, args := flags(args)
	if len(args) != 2 {
		return fail(stderr, "ln", errors.New("needs a target and a name"))
	}
	link := os.Link
	if strings.Contains(opts, "s") {
		link = os.Symlink
	}
	if strings.Contains(opts, "f") {
		_ = os.Remove(args[1])
	}
	if err := link(args[0], args[1]); err != nil {
		return fail(stderr, "ln", err)
	}
	return 0
}

// chmod knows octal modes and +x.
func chmod(args []string, _ io.Reader, _, stderr io.Writer) int {
	if len(args) < 2 {
		return fail(stderr, "chmod", errors.New("needs a mode and a file"))
	}
	for _, name := range args[1:] {
		info, err := os.Stat(name)
		if err != nil {
			return fail(stderr, "chmod", err)
		}
		mode := uint64(info.Mode().Perm()) | 0o111
		if args[0] != "+x" {
			if mode, err = strconv.ParseUint(args[0], 8, 12); err != nil {
				return fail(stderr, "chmod", err)
			}
		}
		if err := syscall.Chmod(name, uint32(mode)); err != nil {
			return fail(stderr, "chmod", err)
		}
	}
	return 0
}

// find walks DIR… and knows -type f|d|l.
func find(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	var roots []string
	for len(args) > 0 && args[0][0] != '-' {
		roots, args = append(roots, args[0]), args[1:]
	}
	kind := ""
	if len(args) == 2 && args[0] == "-type" {
		kind = args[1]
	} else if len(args) > 0 {
		return fail(stderr, "find", errors.New("knows no more than -type f|d|l"))
	}
	if len(roots) == 0 {
		roots = []string{"."}
	}
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && (kind == "" || kind == letter(d.Type())) {
				fmt.Fprintln(stdout, path)
			}
			return err
		})
		if err != nil {
			return fail(stderr, "find", err)
		}
	}
	return 0
}

func letter(t fs.FileMode) string {
	switch {
	case t.IsDir():
		return "d"
	case t&fs.ModeSymlink != 0:
		return "l"
	case t.IsRegular():
		return "f"
	}
	return "?"
}

// stat prints `MODE UID GID SIZE NAME` a file, mode in octal, not following links.
func stat(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	for _, name := range args {
		info, err := os.Lstat(name)
		if err != nil {
			return fail(stderr, "stat", err)
		}
		uid, gid := owner(info)
		fmt.Fprintf(stdout, "%s %04o %d %d %d %s\n", letter(info.Mode()), info.Mode().Perm(), uid, gid, info.Size(), name)
	}
	return 0
}

func readlink(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	for _, name := range args {
		target, err := os.Readlink(name)
		if err != nil {
			return fail(stderr, "readlink", err)
		}
		fmt.Fprintln(stdout, target)
	}
	return 0
}

func sha256sum(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, name := range args {
		h := sha256.New()
		if err := catOne(name, stdin, h); err != nil {
			return fail(stderr, "sha256sum", err)
		}
		fmt.Fprintf(stdout, "%x  %s\n", h.Sum(nil), name)
	}
	return 0
}
