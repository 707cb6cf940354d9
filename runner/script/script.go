// Package script turns the script of a job into the command line that runs it,
// and into files where it is too long for one. It knows shells and the
// kernel's limit on an argument. It never knows where the command will run.
package script

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/output"
)

// MaxArg is Linux's limit on one argument, MAX_ARG_STRLEN, including the NUL
// byte at its end.
const MaxArg = 128 << 10

// maxMessage bounds the narration of one item, in bytes.
const maxMessage = 1 << 10

// File is a file that must exist before the command runs. Anyone may read it:
// the image's user need not be root.
type File struct {
	Name string // below the directory that Build was given
	Text string
}

// Command is a job's script, ready to run.
type Command struct {
	Argv  []string // Argv[0] is the shell's absolute path
	Files []File
	Steps *output.Steps // nil without soloExecution
}

// Build gives the command of one attempt. Its files, if it needs any, are
// expected in dir. A script stops at its first failing command unless the job
// says errexit: false. With soloExecution each item runs in a shell of its own,
// and the first item that fails ends the script with its exit code.
func Build(job *runner.Job, labels runner.Labels, dir string) Command {
	token := Token(labels)
	b := builder{dir: dir, base: ".abide-" + token, flags: "-c"}
	if job.Errexit {
		b.flags = "-e -c"
	}
	text := strings.Join(job.Script, "\n")
	var cmd Command
	if job.SoloExecution {
		marker := "abide-step-" + token + "-"
		text = b.solo(job.Script, marker)
		cmd.Steps = output.NewSteps(marker, messages(job.Script))
	}
	if text == "" {
		text = ":" // a job without a script starts and ends
	}
	cmd.Argv = append([]string{"/bin/sh"}, b.run(text, ".sh")...)
	cmd.Files = b.files
	return cmd
}

// Token identifies an attempt in names and markers. It depends on the labels
// alone, so that whoever adopts the attempt after a restart finds the same.
func Token(l runner.Labels) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %d", l.Agent, l.Source, l.Run, l.Job, l.Attempt))
	return hex.EncodeToString(sum[:8])
}

type builder struct {
	dir, base string
	flags     string // how a shell is told to run a text
	files     []File
}

// run gives the arguments of a shell that runs text: the text itself where it
// fits, else a file that holds it.
func (b *builder) run(text, suffix string) []string {
	flags := strings.Fields(b.flags)
	if len(text) < MaxArg-1 { // a byte for the NUL, one for the blank below
		if text[0] == '-' || text[0] == '+' {
			text = " " + text // else a shell takes it for options
		}
		return append(flags, text)
	}
	b.files = append(b.files, File{Name: b.base + suffix, Text: text + "\n"})
	return append(flags[:len(flags)-1], path.Join(b.dir, b.base+suffix))
}

// solo gives the script that runs items one by one.
func (b *builder) solo(items []string, marker string) string {
	var out strings.Builder
	for i, item := range items {
		if item == "" {
			continue
		}
		fmt.Fprintf(&out, "echo %s%d\n/bin/sh", marker, i)
		for _, arg := range b.run(item, "-"+strconv.Itoa(i)+".sh") {
			out.WriteString(" " + quote(arg))
		}
		out.WriteString(" || exit $?\n")
	}
	return out.String()
}

// quote makes one word of s for any POSIX shell.
func quote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// messages are pin's words for the items of a script.
func messages(items []string) []string {
	out := make([]string, len(items))
	for i, item := range items {
		if len(item) > maxMessage {
			item = strings.ToValidUTF8(item[:maxMessage], "") + "…"
		}
		out[i] = "Execute command: " + item
	}
	return out
}
