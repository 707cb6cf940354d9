package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/internal/testimage"
)

// sample is one pipeline as pin's users write it, and what `apply -f` says of
// it. IMAGE stands for the test image.
type sample struct {
	name  string
	files map[string]string // beside the pipeline
	yaml  string
	env   []string
	args  []string // other than `apply -f pipeline.yaml`
	code  int
	says  []string // each is a regular expression over the output
	never []string
	after func(t *testing.T, dir string)
}

// removeBuilt removes the image of a job, which has pin's name and one that
// holds the digest of its content.
func removeBuilt(job string) func(*testing.T, string) {
	return func(t *testing.T, _ string) {
		docker(t, "rmi", job+"-custom:latest", docker(t, "images", "--format", "{{.Repository}}:{{.Tag}}", "abide/pipeline-"+job))
	}
}

// ownJob names a job that no other run of these tests has: its image is called
// after it.
var ownJob = fmt.Sprintf("abide-e2e-%d", os.Getpid())

var samples = []sample{
	{
		name: "environment variables, with time",
		yaml: `
workflow: [show]
logsWithTime: true
show:
  image: IMAGE
  script: ['echo "name is $NAME, empty is ($EMPTY), text is $TEXT"']
  env: [NAME=value, EMPTY=, "TEXT=a = b"]
`,
		says: []string{`\[show\] \d{4}/\d\d/\d\d \d\d:\d\d:\d\d name is value, empty is \(\), text is a = b`},
	},
	{
		name: "one variable, keys in any case",
		yaml: "WORKFLOW: [show]\nshow: {IMAGE: IMAGE, Script: 'echo $ONE', ENV: ONE=1}\n",
		says: []string{`\[show\] 1`},
	},
	{
		name: "one script shares its shell, solo items don't",
		yaml: `
workflow: [shared, solo]
shared: {image: IMAGE, script: [cd /tmp, V=kept, 'echo shared $PWD $V']}
solo: {image: IMAGE, soloExecution: true, workDir: /work, script: [touch mark, cd /tmp, V=kept, 'echo solo $PWD "($V)"; ls']}
`,
		says: []string{`\[shared\] shared /tmp kept`, `\[solo\] solo /work \(\)`, `\[solo\] mark`, `solo Execute command: cd /tmp`},
	},
	{
		name:  "a failing command ends the script, the job and the pipeline",
		yaml:  "workflow: [a, b]\na: {image: IMAGE, script: [echo before, (exit 7), echo after]}\nb: {image: IMAGE, script: [echo B]}\n",
		code:  1,
		says:  []string{`\[a\] before`, `exit code 7`, `b Job skipped: job a failed`},
		never: []string{`\[a\] after`, `\[b\] B`},
	},
	{
		name: "without errexit only the last command counts",
		yaml: "workflow: [a]\na: {image: IMAGE, errexit: false, script: [(exit 7), echo after]}\n",
		says: []string{`\[a\] after`},
	},
	{
		name: "an image built from the tree, with its files",
		files: map[string]string{
			"docker/Dockerfile.job": "FROM IMAGE\nENV BUILT=yes\nCOPY inner /inner\n", "docker/inner": "from the context\n",
			"src/main.py": "print()\n", "src/debug.log": "x\n", "node_modules/big": "x\n",
		},
		yaml: `
workflow: [JOB]
JOB:
  dockerfile: ./docker/Dockerfile.job
  copyFiles: true
  copyIgnore: ['^node_modules/', '\.log$']
  script: ['echo built $BUILT', cat /inner, 'ls src', 'ls', whoami]
`,
		says:  []string{`\] built yes`, `\] from the context`, `\] main.py`, `\] root`},
		never: []string{`debug.log`, `\] node_modules`},
		after: removeBuilt(ownJob),
	},
	{
		name:  "a file below the directory that its path starts from",
		files: map[string]string{"ci/pipeline.yaml": "workflow: [JOB-ci]\nJOB-ci: {dockerfile: ci/Dockerfile, copyFiles: true, script: [ls, cat src/main.py]}\n", "ci/Dockerfile": "FROM IMAGE\n", "src/main.py": "print()\n"},
		args:  []string{"apply", "-f", "ci/pipeline.yaml"},
		says:  []string{`\] ci\n`, `\] src\n`, `\] print\(\)`},
		after: removeBuilt(ownJob + "-ci"),
	},
	{
		name:  "two files of one name",
		files: map[string]string{"a/p.yaml": "workflow: [x]\nx: {image: IMAGE, script: echo A}\n", "b/p.yaml": "workflow: [x]\nx: {image: IMAGE, script: echo B}\n"},
		args:  []string{"apply", "-f", "a/p.yaml", "-f", "b/p.yaml"},
		says:  []string{`\[p/x\] A`, `\[p-2/x\] B`, `2 succeeded`},
	},
	{
		name: "an artifact comes to where the command was called",
		yaml: "workflow: [make]\nmake: {image: IMAGE, script: [mkdir -p /workspace/a, echo made > /workspace/a/file, echo top > /workspace/top], artifactPath: /workspace}\n",
		says: []string{`make Artifact /workspace is kept as workspace`},
		after: func(t *testing.T, dir string) {
			for name, want := range map[string]string{"workspace/a/file": "made\n", "workspace/top": "top\n"} {
				if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
					t.Errorf("%s: %q %v", name, got, err)
				}
			}
		},
	},
	{
		name: "an artifact that isn't there fails the job",
		yaml: "workflow: [make]\nmake: {image: IMAGE, script: [echo hi], artifactPath: /nowhere}\n",
		code: 1,
		says: []string{`artifactPath /nowhere could not be copied`},
	},
	{
		name: "conditions",
		yaml: `
workflow: [deploy, test, own, never]
deploy: {image: IMAGE, condition: $BRANCH == "main", script: [echo D]}
test: {image: IMAGE, condition: $BRANCH != "main" || $FORCE, script: [echo T]}
own: {image: IMAGE, condition: '$MINE == yes && !$FORCE', env: [MINE=yes], script: [echo O]}
never: {image: IMAGE, condition: $UNSET, script: [echo N]}
`,
		env:   []string{"BRANCH=main"},
		says:  []string{`\[deploy\] D`, `test Job skipped: condition is false`, `\[own\] O`, `never Job skipped`},
		never: []string{`\[test\] T`, `\[never\] N`},
	},
	{
		name: "retries until it works",
		yaml: "workflow: [again]\nagain: {image: IMAGE, retry: {attempts: 10, delay: 1, backoff: 1.0}, script: ['test $(date +%s) -ge LATER']}\n",
		says: []string{`Job failed \(attempt 1/10\), retrying in 1s: exit code 1`, `again Job completed successfully`},
	},
	{
		name: "retries with growing waits, in vain",
		yaml: "workflow: [again]\nagain: {image: IMAGE, retry: {attempts: 3, delay: 1, backoff: 1.5}, script: [exit 3]}\n",
		code: 1,
		says: []string{`attempt 1/3\), retrying in 1s`, `attempt 2/3\), retrying in 1\.5s`, `Job failed: exit code 3`},
	},
	{
		name: "a parallel group is a barrier",
		yaml: `
workflow: [build, lint, unit, deploy]
build: {image: IMAGE, script: [sleep 0.3, echo BUILT]}
lint: {image: IMAGE, parallel: true, script: [sleep 0.6, echo LINTED]}
unit: {image: IMAGE, parallel: true, script: [exit 4]}
deploy: {image: IMAGE, script: [echo DEPLOYED]}
`,
		code:  1,
		says:  []string{`(?s)BUILT.*LINTED`, `deploy Job skipped`},
		never: []string{`DEPLOYED`},
	},
	{
		name: "the own engine by its address",
		yaml: "workflow: [a]\ndocker: {host: 'unix:///var/run/docker.sock'}\na: {image: IMAGE, script: [whoami]}\n",
		says: []string{`\[a\] root`},
	},
	{
		name:  "an engine that nobody runs",
		yaml:  "workflow: [a]\ndocker: {host: 'tcp://127.0.0.1:1'}\na: {image: IMAGE, script: [whoami]}\n",
		code:  1,
		says:  []string{`can't be reached at tcp://127.0.0.1:1; start the engine`},
		never: []string{`\[a\]`},
	},
	{
		name:  "all faults of a file at once",
		yaml:  "workflow: [a, b]\na: {script: [echo]}\nb:\n  image: IMAGE\n  script: []\n  port: nonsense\n  retry: {attempts: 15, delay: 500}\n",
		code:  1,
		says:  []string{`pipeline.yaml:2:\d+: either 'image' or 'dockerfile'`, `pipeline.yaml:5:\d+: 'script' array`, `:6:\d+: invalid port format`, `:7:\d+: retry.attempts`, `:7:\d+: retry.delay`},
		never: []string{`started`},
	},
}

// TestSamples runs pipelines as pin's documentation and tests have them.
func TestSamples(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	for _, s := range samples {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill := strings.NewReplacer("{IMAGE: IMAGE", "{IMAGE: "+image, "IMAGE", image, "JOB", ownJob, "LATER", fmt.Sprint(time.Now().Unix()+4)).Replace
			for name, text := range s.files {
				write(t, filepath.Join(dir, name), fill(text))
			}
			write(t, filepath.Join(dir, "pipeline.yaml"), fill(s.yaml))
			if s.args == nil {
				s.args = []string{"apply", "-f", "pipeline.yaml"}
			}
			out, code := abide(t, dir, s.env, s.args...)
			if code != s.code {
				t.Errorf("exit code %d, want %d", code, s.code)
			}
			for _, want := range s.says {
				if !regexp.MustCompile(want).MatchString(out) {
					t.Errorf("it never says %s", want)
				}
			}
			for _, bad := range s.never {
				if regexp.MustCompile(bad).MatchString(out) {
					t.Errorf("it says %s", bad)
				}
			}
			if s.after != nil {
				s.after(t, dir)
			}
			if t.Failed() {
				t.Log(out)
			}
		})
	}
}

// abide runs the product in a directory, with a bare environment.
func abide(t *testing.T, dir string, env []string, args ...string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(t, ""), args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}, env...)
	b, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatalf("abide %s: %v", strings.Join(args, " "), err)
	}
	return string(b), cmd.ProcessState.ExitCode()
}

// TestPorts publishes a port in each of the forms and asks the engine where.
func TestPorts(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	d := newDaemon(t)
	d.start()
	port := make([]int, 5)
	for i := range port {
		port[i] = freePort(t)
	}
	d.trigger(fmt.Sprintf(`
workflow: [server]
server:
  image: %s
  port:
    - "%d:80"
    - "127.0.0.1:%d:81"
    - "0.0.0.0:%d:82"
    - "localhost:%d:83"
    - "127.0.0.1:%d:53/udp"
  script: [echo up, sleep 30]
`, image, port[0], port[1], port[2], port[3], port[4]), &map[string]any{})
	d.stream("?since=0").wait(`"message":"up"`)
	run := d.runs()[0]
	var bound map[string][]struct{ HostIP, HostPort string }
	id := strings.TrimSpace(containersOf(t, "dev.abide.run="+run.ID))
	if err := json.Unmarshal([]byte(docker(t, "inspect", "-f", "{{json .NetworkSettings.Ports}}", id)), &bound); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ container, ip string }{{"80/tcp", "0.0.0.0"}, {"81/tcp", "127.0.0.1"}, {"82/tcp", "0.0.0.0"}, {"83/tcp", "127.0.0.1"}, {"53/udp", "127.0.0.1"}} {
		b := bound[c.container]
		if len(b) == 0 || b[0].HostIP != c.ip || b[0].HostPort != fmt.Sprint(port[i]) {
			t.Errorf("%s is bound to %v, want %s:%d", c.container, b, c.ip, port[i])
		}
	}
	if c, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port[1]), 5*time.Second); err != nil {
		t.Errorf("nobody listens: %v", err)
	} else {
		_ = c.Close()
	}

	// One host port can be had once: the second run fails, says why, and leaves
	// nothing behind.
	d.trigger(fmt.Sprintf("workflow: [late]\nlate: {image: %s, port: '%d:80', script: [echo up]}\n", image, port[0]), &map[string]any{})
	d.eventually("the second run ends", func() bool { return d.runs()[0].State.Final() })
	if late := d.runs()[0]; !strings.Contains(late.Reason, fmt.Sprint(port[0])) {
		t.Errorf("the second run is %s: %s", late.State, late.Reason)
	}
	if out, code := d.cli("cancel", run.ID); code != 0 {
		t.Errorf("cancel: %d %s", code, out)
	}
	d.waitRuns(2)
	d.eventually("no container left", func() bool { return d.containers() == "" })
}
