//go:build unix

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// numbers parses every argument as a decimal integer.
func numbers(args []string) ([]int, error) {
	out := make([]int, len(args))
	for i, a := range args {
		n, err := strconv.Atoi(a)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", a)
		}
		out[i] = n
	}
	return out, nil
}

// seq is `seq [FIRST [STEP]] LAST`.
func seq(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	n, err := numbers(args)
	if err != nil || len(n) == 0 || len(n) > 3 {
		return fail(stderr, "seq", errors.Join(err, errors.New("usage: seq [FIRST [STEP]] LAST")))
	}
	first, step, last := 1, 1, n[len(n)-1]
	if len(n) > 1 {
		first = n[0]
	}
	if len(n) == 3 {
		step = max(n[1], 1)
	}
	w := bufio.NewWriter(stdout)
	defer w.Flush()
	for i := first; i <= last; i += step {
		fmt.Fprintln(w, i)
	}
	return 0
}

// head knows `-n N`, `-N` and `-c N`.
func head(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	lines, size := 10, -1
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		word := args[0]
		args = args[1:]
		if (word == "-n" || word == "-c") && len(args) > 0 {
			word, args = word+args[0], args[1:]
		}
		n, err := strconv.Atoi(strings.TrimLeft(word, "-nc"))
		if err != nil {
			return fail(stderr, "head", err)
		}
		if word[1] == 'c' {
			size = n
		} else {
			lines = n
		}
	}
	if len(args) > 0 {
		f, err := os.Open(args[0])
		if err != nil {
			return fail(stderr, "head", err)
		}
		defer f.Close()
		stdin = f
	}
	if size >= 0 {
		_, _ = io.CopyN(stdout, stdin, int64(size))
		return 0
	}
	r := bufio.NewReader(stdin)
	for range lines {
		line, err := r.ReadString('\n')
		fmt.Fprint(stdout, line)
		if err != nil {
			break
		}
	}
	return 0
}

// wc knows -l and -c, of files or of the standard input.
func wc(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, args := flags(args)
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, name := range args {
		var c counter
		if err := catOne(name, stdin, &c); err != nil {
			return fail(stderr, "wc", err)
		}
		switch {
		case strings.Contains(opts, "l"):
			fmt.Fprint(stdout, c.lines)
		case strings.Contains(opts, "c"):
			fmt.Fprint(stdout, c.bytes)
		default:
			fmt.Fprint(stdout, c.lines, " ", c.bytes)
		}
		if name != "-" {
			fmt.Fprint(stdout, " ", name)
		}
		fmt.Fprintln(stdout)
	}
	return 0
}

type counter struct{ lines, bytes int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.lines += int64(bytes.Count(p, []byte{'\n'}))
	c.bytes += int64(len(p))
	return len(p), nil
}

// grep knows -q and -v, with Go's regular expressions.
func grep(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	opts, args := flags(args)
	if len(args) == 0 {
		return fail(stderr, "grep", errors.New("needs a pattern"))
	}
	re, err := regexp.Compile(args[0])
	if err != nil {
		return fail(stderr, "grep", err)
	}
	var text bytes.Buffer
	files := args[1:]
	if len(files) == 0 {
		files = []string{"-"}
	}
	for _, name := range files {
		if err := catOne(name, stdin, &text); err != nil {
			return 2 * fail(stderr, "grep", err)
		}
	}
	code := 1
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSuffix(line, "\n")
		if re.MatchString(line) == strings.Contains(opts, "v") {
			continue
		}
		code = 0
		if strings.Contains(opts, "q") {
			break
		}
		fmt.Fprintln(stdout, line)
	}
	return code
}

// yes prints its words, or "y", until nobody reads any more.
func yes(args []string, _ io.Reader, stdout, _ io.Writer) int {
	word := "y"
	if len(args) > 0 {
		word = strings.Join(args, " ")
	}
	block := bytes.Repeat([]byte(word+"\n"), 1024)
	for {
		if _, err := stdout.Write(block); err != nil {
			return 1
		}
	}
}

// emit is `emit N MS`: N lines, MS milliseconds apart, each holding the time at
// which it was printed in nanoseconds since the epoch.
func emit(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	n, err := numbers(args)
	if err != nil || len(n) != 2 {
		return fail(stderr, "emit", errors.Join(err, errors.New("usage: emit N MILLISECONDS")))
	}
	for range n[0] {
		time.Sleep(time.Duration(n[1]) * time.Millisecond)
		fmt.Fprintf(stdout, "%d\n", time.Now().UnixNano())
	}
	return 0
}

// spew is `spew BYTES`: that many bytes in lines of 100.
func spew(args []string, _ io.Reader, stdout, stderr io.Writer) int {
	n, err := numbers(args)
	if err != nil || len(n) != 1 {
		return fail(stderr, "spew", errors.Join(err, errors.New("usage: spew BYTES")))
	}
	line := strings.Repeat("x", 99) + "\n"
	block := []byte(strings.Repeat(line, 320))
	for left := n[0]; left > 0; left -= len(block) {
		if _, err := stdout.Write(block[:min(left, len(block))]); err != nil {
			return 1
		}
	}
	return 0
}
