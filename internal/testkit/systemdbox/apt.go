package systemdbox

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// archive is where this machine's own packages come from.
type archive struct {
	mirror string // may hold a password: never in an error
	suite  string
	proxy  string
}

// readArchive asks apt's configuration for the archive of the machine's own
// release, so that no mirror is written down here.
func readArchive(ctx context.Context) (archive, error) {
	suite, err := codename("/etc/os-release")
	if err != nil {
		return archive{}, err
	}
	names, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, name := range append([]string{"/etc/apt/sources.list"}, names...) {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		mirror, ok := mirrorOf(string(text), filepath.Ext(name) == ".sources", suite)
		if ok {
			proxy, _ := exec.CommandContext(ctx, "apt-config", "shell", "P", "Acquire::http::Proxy").Output()
			value := strings.Trim(strings.TrimPrefix(strings.TrimSpace(string(proxy)), "P="), "'")
			return archive{mirror: mirror, suite: suite, proxy: value}, nil
		}
	}
	return archive{}, fmt.Errorf("none of apt's sources has the component main of %s", suite)
}

func codename(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "VERSION_CODENAME="); ok && v != "" {
			return strings.Trim(v, `"`), nil
		}
	}
	return "", errors.New("this is no Debian release: /etc/os-release has no VERSION_CODENAME")
}

// mirrorOf finds the mirror of a suite in one of apt's files, in either of its
// two formats (sources.list(5)).
func mirrorOf(text string, deb822 bool, suite string) (string, bool) {
	if deb822 {
		for stanza := range strings.SplitSeq(text, "\n\n") {
			f := fields822(stanza)
			if slices.Contains(f["types"], "deb") && slices.Contains(f["suites"], suite) &&
				slices.Contains(f["components"], "main") && len(f["uris"]) > 0 {
				return f["uris"][0], true
			}
		}
		return "", false
	}
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] != "deb" {
			continue
		}
		words = words[1:]
		if len(words) > 0 && strings.HasPrefix(words[0], "[") {
			end := slices.IndexFunc(words, func(w string) bool { return strings.HasSuffix(w, "]") })
			words = words[end+1:]
		}
		if len(words) > 2 && words[1] == suite && slices.Contains(words[2:], "main") {
			return words[0], true
		}
	}
	return "", false
}

func fields822(stanza string) map[string][]string {
	out := map[string][]string{}
	s := bufio.NewScanner(bytes.NewReader([]byte(stanza)))
	for s.Scan() {
		key, value, ok := strings.Cut(s.Text(), ":")
		if ok && !strings.HasPrefix(key, "#") {
			out[strings.ToLower(strings.TrimSpace(key))] = strings.Fields(value)
		}
	}
	return out
}
