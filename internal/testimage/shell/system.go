//go:build unix

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sleep takes seconds with a fraction, or a Go duration such as 50ms.
func sleep(args []string, _ io.Reader, _, stderr io.Writer) int {
	for _, a := range args {
		d, err := time.ParseDuration(a)
		if s, ferr := strconv.ParseFloat(a, 64); ferr == nil {
			d, err = time.Duration(s*float64(time.Second)), nil
		}
		if err != nil {
			return fail(stderr, "sleep", fmt.Errorf("%q is not a number of seconds", a))
		}
		time.Sleep(d)
	}
	return 0
}

// env prints the environment, or runs a command with K=V added to it.
func env(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	vars := os.Environ()
	for len(args) > 0 && strings.Contains(args[0], "=") {
		vars, args = append(vars, args[0]), args[1:]
	}
	if len(args) == 0 {
		for _, v := range vars {
			fmt.Fprintln(stdout, v)
		}
		return 0
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = vars, stdin, stdout, stderr
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		fmt.Fprintf(stderr, "env: %v\n", err)
		return 127
	}
	return 0
}

// id prints uid and gid, or with -u or -g one of them.
func id(args []string, _ io.Reader, stdout, _ io.Writer) int {
	switch opts, _ := flags(args); opts {
	case "u":
		fmt.Fprintln(stdout, os.Getuid())
	case "g":
		fmt.Fprintln(stdout, os.Getgid())
	default:
		fmt.Fprintf(stdout, "uid=%d gid=%d\n", os.Getuid(), os.Getgid())
	}
	return 0
}

func whoami(_ []string, _ io.Reader, stdout, stderr io.Writer) int {
	u, err := user.Current()
	if err != nil {
		return fail(stderr, "whoami", err)
	}
	fmt.Fprintln(stdout, u.Username)
	return 0
}

// date prints the time; `+%s` and `+%s%N` give it since the epoch.
func date(args []string, _ io.Reader, stdout, _ io.Writer) int {
	now := time.Now()
	if len(args) > 0 && strings.HasPrefix(args[0], "+") {
		r := strings.NewReplacer("%s", strconv.FormatInt(now.Unix(), 10), "%N", fmt.Sprintf("%09d", now.Nanosecond()),
			"%Y", now.Format("2006"), "%m", now.Format("01"), "%d", now.Format("02"),
			"%H", now.Format("15"), "%M", now.Format("04"), "%S", now.Format("05"))
		fmt.Fprintln(stdout, r.Replace(args[0][1:]))
		return 0
	}
	fmt.Fprintln(stdout, now.UTC().Format(time.UnixDate))
	return 0
}

func uname(args []string, _ io.Reader, stdout, _ io.Writer) int {
	if opts, _ := flags(args); strings.Contains(opts, "m") {
		fmt.Fprintln(stdout, runtime.GOARCH)
		return 0
	}
	fmt.Fprintln(stdout, "Linux")
	return 0
}

// kill is `kill [-SIGNAL | -s SIGNAL] PID…`.
func kill(args []string, _ io.Reader, _, stderr io.Writer) int {
	sig := syscall.SIGTERM
	if len(args) > 1 && strings.HasPrefix(args[0], "-") {
		word := args[0][1:]
		args = args[1:]
		if word == "s" {
			word, args = args[0], args[1:]
		}
		var ok bool
		if sig, ok = signalNumber(word); !ok {
			return fail(stderr, "kill", fmt.Errorf("unknown signal %q", word))
		}
	}
	pids, err := numbers(args)
	if err != nil {
		return fail(stderr, "kill", err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil {
			return fail(stderr, "kill", err)
		}
	}
	return 0
}

func syncFiles([]string, io.Reader, io.Writer, io.Writer) int {
	syscall.Sync()
	return 0
}

func hostname(_ []string, _ io.Reader, stdout, stderr io.Writer) int {
	name, err := os.Hostname()
	if err != nil {
		return fail(stderr, "hostname", err)
	}
	fmt.Fprintln(stdout, name)
	return 0
}

func nproc(_ []string, _ io.Reader, stdout, _ io.Writer) int {
	fmt.Fprintln(stdout, runtime.NumCPU())
	return 0
}
