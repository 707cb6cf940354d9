//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is `sh [-eux] [-c SCRIPT [NAME [ARG…]] | FILE [ARG…]]`; without either
// it reads its script from the standard input.
func shell(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, args := flags(args)
	name, source, params, err := script(opts, args, stdin)
	if err != nil {
		fmt.Fprintf(stderr, "sh: %v\n", err)
		return 127
	}
	if c, ok := source.(io.Closer); ok {
		defer c.Close()
	}
	prog, err := syntax.NewParser(syntax.Variant(syntax.LangPOSIX)).Parse(source, name)
	if err != nil {
		fmt.Fprintf(stderr, "sh: %v\n", err)
		return 2
	}
	set := []string{}
	for _, o := range strings.ReplaceAll(opts, "c", "") {
		set = append(set, "-"+string(o))
	}
	set = append(append(set, "--"), params...)
	runner, err := interp.New(interp.StdIO(stdin, stdout, stderr), interp.Params(set...),
		interp.CallHandler(ownCommands), interp.ExecHandlers(inherit))
	if err != nil {
		fmt.Fprintf(stderr, "sh: %v\n", err)
		return 2
	}
	err = runner.Run(context.Background(), prog)
	if status, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(status)
	}
	if err != nil {
		fmt.Fprintf(stderr, "sh: %v\n", err)
		return 1
	}
	return 0
}

// script finds what to run.
func script(opts string, args []string, stdin io.Reader) (name string, source io.Reader, params []string, err error) {
	if strings.Contains(opts, "c") {
		if len(args) == 0 {
			return "", nil, nil, errors.New("-c needs a script")
		}
		params = args[1:]
		if len(params) > 0 {
			params = params[1:] // the first one is $0
		}
		return "sh", strings.NewReader(args[0]), params, nil
	}
	if len(args) == 0 {
		return "sh", stdin, nil, nil
	}
	f, err := os.Open(args[0])
	if err != nil {
		return "", nil, nil, err
	}
	return args[0], f, args[1:], nil
}

// ownCommands sends to our own binary what the interpreter lists as built-in
// and has not built.
func ownCommands(_ context.Context, args []string) ([]string, error) {
	if args[0] == "kill" {
		args = append([]string{"/bin/kill"}, args[1:]...)
	}
	return args, nil
}

// inherit runs every command as a child, without the interpreter's own grace
// between an interrupt and a kill.
func inherit(interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return interp.DefaultExecHandler(-1 * time.Second)
}

// signalNumber understands KILL, SIGKILL and 9.
func signalNumber(s string) (syscall.Signal, bool) {
	known := map[string]syscall.Signal{"HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "SEGV": 11, "USR2": 12, "TERM": 15}
	if n, ok := known[strings.TrimPrefix(strings.ToUpper(s), "SIG")]; ok {
		return n, true
	}
	var n int
	if _, err := fmt.Sscan(s, &n); err != nil || n < 0 || n > 64 {
		return 0, false
	}
	return syscall.Signal(n), true
}
