package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
)

// TestSourcesInTrouble: each source that can't be read says why, the command
// fails, a daemon goes on with the others, and what was lost comes back.
func TestSourcesInTrouble(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	good := newRepository(t)
	good.write("pipelines/good.yaml", one(image, "echo good"))
	good.commit("good")
	empty := newRepository(t)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "no repository")
	write(t, filepath.Join(dir, "plain", "file"), "no repository")
	late := filepath.Join(dir, "late")
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--git", filepath.Join(dir, "nowhere")}, "nowhere"},
		{[]string{"--git", filepath.Join(dir, "file")}, "not a Git repository"},
		{[]string{"--git", filepath.Join(dir, "plain")}, "not a Git repository"},
		{[]string{"--git", empty.dir}, "no file at all"},
		{[]string{"--git", good.dir, "--branch", "no-such-branch"}, "no-such-branch"},
		{[]string{"--git", good.dir, "--tag", "no-such-tag"}, "no-such-tag"},
		{[]string{"--git", good.dir, "--commit", strings.Repeat("a", 40)}, "aaaaaaaaaaaa"},
		{[]string{"--git", good.dir, "--path", "no-such-dir"}, "no-such-dir"},
		{[]string{"--git", "http://127.0.0.1:1/repo.git"}, "127.0.0.1:1"},
		{[]string{"-f", filepath.Join(dir, "nowhere")}, "nowhere"},
		{[]string{"-f", filepath.Join(dir, "nowhere.yaml")}, "nowhere.yaml"},
	} {
		out, code := abide(t, dir, nil, append([]string{"apply", "--state", t.TempDir()}, c.args...)...)
		if code != 1 || !strings.Contains(out, c.says) || strings.Contains(out, "panic") {
			t.Errorf("%s: exit code %d, want 1 and %q:\n%s", strings.Join(c.args, " "), code, c.says, out)
		}
	}

	config := filepath.Join(dir, "abide.yaml")
	write(t, config, fmt.Sprintf(`sources:
  - {name: nothing, git: %q}
  - {name: branch, git: %q, branch: no-such-branch}
  - {name: away, git: "http://127.0.0.1:1/repo.git", interval: 1s}
  - {name: late, dir: %q}
  - {name: good, git: %q}
`, filepath.Join(dir, "plain"), good.dir, late, good.dir))
	d := newDaemon(t, "--config", config)
	d.start()
	d.waitRuns(1)
	d.eventually("each says what is wrong with it", func() bool {
		text := d.sources()
		return strings.Contains(text, "not a Git repository") && strings.Contains(text, "no-such-branch") && strings.Contains(text, "127.0.0.1:1") && strings.Contains(text, late)
	})
	if status, text := d.answer("GET", "/health", ""); status != http.StatusOK || !strings.Contains(text, `"status":"degraded"`) {
		t.Errorf("health: %d %s", status, text)
	}
	write(t, filepath.Join(late, "late.yaml"), one(image, "echo here now"))
	good.git("branch", "no-such-branch")
	good.git("checkout", "-q", "no-such-branch")
	good.write("pipelines/branch.yaml", one(image, "echo on the branch"))
	good.commit("branch")
	d.stream("?since=0").wait("here now")
	d.stream("?since=0").wait("on the branch")
	d.waitRuns(3)
	if err := os.RemoveAll(late); err != nil {
		t.Fatal(err)
	}
	d.stream("?since=0").wait(`"type":"source_error","level":"error"`)
	d.eventually("what was wanted last stays in force", func() bool {
		_, text := d.answer("GET", "/v1/resources?source=late", "")
		return strings.Contains(text, `"name":"late"`)
	})
}

// TestSecretsStaySecret has a password in the URL of a source and looks for it
// wherever the agent writes.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const user, password = "robot-account", "hunter2-secret"
	address := "http://" + user + ":" + password + "@127.0.0.1:1/team/repo.git"
	d := newDaemon(t, "--git", address)
	d.env = []string{"DOCKER_HOST=tcp://" + user + ":" + password + "@127.0.0.1:1"}
	d.start()
	d.stream("?since=0").wait(`"type":"source_error"`)
	said := map[string]string{}
	for _, path := range []string{"/", "/health", "/v1/sources", "/v1/plan", "/v1/resources", "/v1/runs"} {
		_, said[path] = d.answer("GET", path, "")
	}
	_, said["trigger"] = d.answer("POST", "/trigger", one("alpine", "echo"), "Content-Type", "application/yaml")
	for _, command := range []string{"status", "plan", "runs", "status --json", "plan --json"} {
		said["abide "+command], _ = d.cli(strings.Fields(command)...)
	}
	said["plan of its own"], _ = abide(t, t.TempDir(), d.env, "plan", "--git", address, "--state", t.TempDir())
	said["apply"], _ = abide(t, t.TempDir(), d.env, "apply", "--git", address, "--state", t.TempDir())
	said["a wrong flag"], _ = abide(t, t.TempDir(), nil, "apply", "--git", "http://"+user+":"+password+"@[::1/repo.git")
	said["the log"] = d.output()
	err := filepath.WalkDir(d.state, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		said[strings.TrimPrefix(path, d.state)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range said {
		if strings.Contains(text, password) {
			t.Errorf("%s holds the password:\n%.600q", where, text)
		}
	}
	if !strings.Contains(said["/v1/sources"], "127.0.0.1:1/team/repo.git") {
		t.Errorf("nobody is told where the source is: %s", said["/v1/sources"])
	}
}
