package yang

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testkit/notrun"
)

// folders hold the modules that Debian packages.
var folders = []string{
	"/usr/share/yuma/modules/ietf", "/usr/share/yuma/modules/ietf-draft", "/usr/share/yuma/modules/ietf-derived",
	"/usr/share/yuma/modules/netconfcentral", "/usr/share/yuma/modules/yuma123", "/usr/share/yuma/modules/examples",
}

// present installs the oracle and the modules once, where that is possible.
var present = sync.OnceValue(func() error {
	there := func() bool {
		_, err := exec.LookPath("yanglint")
		_, missing := os.Stat(folders[0])
		return err == nil && missing == nil
	}
	if there() {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		return fmt.Errorf("yanglint or libyuma-base is missing, and only root can install them with apt")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "apt-get", "install", "-y", "-q", "--no-install-recommends", "libyang2-tools", "libyuma-base")
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil || !there() {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return fmt.Errorf("apt-get install libyang2-tools libyuma-base: %v: %s", err, lines[len(lines)-1])
	}
	return nil
})

func needOracle(t testing.TB) {
	t.Helper()
	if err := present(); err != nil {
		notrun.Because(t, err.Error())
	}
}

// yanglint runs the oracle, and says whether it was content.
func yanglint(t testing.TB, args ...string) (string, bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, f := range folders {
		args = append([]string{"-p", f}, args...)
	}
	out, err := exec.CommandContext(ctx, "yanglint", args...).CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	return string(out), err == nil
}

// debian gives the modules of Debian, the newest revision of each name in the
// folders' order, as yanglint finds them.
var debian = sync.OnceValue(func() map[string]Module {
	out := map[string]Module{}
	for _, folder := range folders {
		files, _ := filepath.Glob(folder + "/*.yang")
		slices.Reverse(files)
		for _, file := range files {
			text, err := os.ReadFile(file)
			name, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".yang"), "@")
			if _, known := out[name]; err == nil && !known {
				out[name] = Module{Name: name, File: file, Text: string(text)}
			}
		}
	}
	return out
})

var mentions = regexp.MustCompile(`(?m)^\s*(?:import|include)\s+"?([\w.-]+)"?\s*[;{]`)

// closure gives a module with all that it imports or includes.
func closure(all map[string]Module, name string) []Module {
	var out []Module
	seen := map[string]bool{}
	var add func(string)
	add = func(name string) {
		m, ok := all[name]
		if !ok || seen[name] {
			return
		}
		seen[name] = true
		out = append(out, m)
		for _, hit := range mentions.FindAllStringSubmatch(m.Text, -1) {
			add(hit[1])
		}
	}
	add(name)
	return out
}
