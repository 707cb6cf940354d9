//go:build unix

// Command shell is the whole user land of the test images: a POSIX shell
// (mvdan.cc/sh) and the few commands that tests and the demo use, in one
// static binary that is called by many names. It knows nothing of abide. It is
// deliberately small and follows POSIX only as far as the tests go.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// command is one applet: it gets its arguments without its own name, and gives
// the exit code.
type command func(args []string, stdin io.Reader, stdout, stderr io.Writer) int

// commands is filled in by the files of this package that implement them.
func commands() map[string]command {
	return map[string]command{
		"sh": shell,
		// files.go
		"cat": cat, "ls": ls, "mkdir": mkdir, "touch": touch, "rm": rm, "cp": cp, "ln": ln,
		"chmod": chmod, "find": find, "stat": stat, "readlink": readlink, "sha256sum": sha256sum,
		// text.go
		"seq": seq, "head": head, "wc": wc, "grep": grep, "yes": yes, "emit": emit, "spew": spew,
		// system.go
		"sleep": sleep, "env": env, "id": id, "whoami": whoami, "date": date, "uname": uname,
		"kill": kill, "sync": syncFiles, "hostname": hostname, "nproc": nproc,
	}
}

func main() {
	all := commands()
	name := filepath.Base(os.Args[0])
	if name == "shell" && len(os.Args) == 2 && os.Args[1] == "--list" {
		for _, n := range names(all) {
			fmt.Println(n)
		}
		return
	}
	run, ok := all[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s: not a command of the test image\n", name)
		os.Exit(127)
	}
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func names(all map[string]command) []string {
	out := make([]string, 0, len(all))
	for n := range all {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// fail prints why a command failed and gives exit code 1.
func fail(stderr io.Writer, name string, err error) int {
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return 1
}

// flags takes the leading one-letter options off args, as in `-la -1 --`.
func flags(args []string) (set string, rest []string) {
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if args[0] == "--" {
			return set, args[1:]
		}
		set += args[0][1:]
		args = args[1:]
	}
	return set, args
}
