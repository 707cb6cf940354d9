package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/google/go-cmp/cmp"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/executortest"
	"github.com/abide-agent/abide/runner/output"
)

func TestWorkDir(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		job  runner.Job
		img  picture
		want string
	}{
		"given":                             {runner.Job{WorkDir: "/a/b/"}, picture{user: "1000"}, "/a/b"},
		"root":                              {runner.Job{}, picture{workDir: "/srv"}, "/root"},
		"root by number":                    {runner.Job{}, picture{user: "0:0", workDir: "/srv"}, "/root"},
		"root by name":                      {runner.Job{}, picture{user: "root"}, "/root"},
		"a user":                            {runner.Job{}, picture{user: "1000", workDir: "/srv"}, "/srv"},
		"a user without a directory":        {runner.Job{}, picture{user: "job"}, "/"},
		"a user's copy never goes to /":     {runner.Job{CopyFiles: true}, picture{user: "job", workDir: "/"}, "/workspace"},
		"a user's copy goes to the image's": {runner.Job{CopyFiles: true}, picture{user: "job", workDir: "/app"}, "/app"},
	} {
		if got := workDir(&tc.job, tc.img); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	exposed, bindings, err := ports([]runner.Port{
		{HostPort: 8080, ContainerPort: 80},
		{HostIP: "127.0.0.1", HostPort: 8081, ContainerPort: 80, Protocol: "tcp"},
		{HostIP: "localhost", HostPort: 53, ContainerPort: 53, Protocol: "udp"},
		{HostIP: "[::1]", HostPort: 8082, ContainerPort: 82},
	})
	if err != nil || len(exposed) != 3 {
		t.Fatalf("%v, error %v", exposed, err)
	}
	text, err := json.Marshal(bindings)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"53/udp":[{"HostIp":"127.0.0.1","HostPort":"53"}],"80/tcp":[{"HostIp":"","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"8081"}],"82/tcp":[{"HostIp":"::1","HostPort":"8082"}]}`
	if diff := cmp.Diff(want, string(text)); diff != "" {
		t.Error(diff)
	}
	if _, _, err := ports([]runner.Port{{HostIP: "example.com", HostPort: 1, ContainerPort: 1}}); err == nil {
		t.Error("a host name was taken for an address: the engine would bind all interfaces")
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	name := containerName(runner.Labels{Run: "01J/ä b", Job: "Build & Test", Attempt: 2})
	if name != "abide-01J---b-Build---Test-2" {
		t.Errorf("container name %q", name)
	}
	spec := runner.Spec{Labels: runner.Labels{Source: "My__Repo"}, Job: &runner.Job{Name: "-Compile It-"}}
	want := []string{"abide/my-repo-compile-it:0123456789ab", "compile-it-custom:latest"}
	if diff := cmp.Diff(want, imageTags(spec, "sha256:0123456789abcdef")); diff != "" {
		t.Error(diff)
	}
	if got := imageTags(runner.Spec{Job: &runner.Job{Name: "ÄÖ"}}, "sha256:0123456789abcdef")[0]; got != "abide/x-x:0123456789ab" {
		t.Errorf("image name %q", got)
	}
	for in, want := range map[string]string{
		"Get http://user:pa%40ss@host/x: no":        "Get http://***@host/x: no",
		"tcp://me@10.0.0.1:2375 and https://x.y/@z": "tcp://***@10.0.0.1:2375 and https://x.y/@z",
	} {
		if got := scrub(in); got != want {
			t.Errorf("scrub(%q) = %q", in, got)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"unix:///x.sock": "", "tcp://127.0.0.1:1": "", "ssh://u@h": "forward the engine's socket", "npipe:////./pipe/x": "Windows",
		"nonsense": "no scheme", "ftp://user:secret@h": "no scheme",
	} {
		e, err := New(Options{Host: host})
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", host, err)
				continue
			}
			e.Close()
		} else if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s gives %v, want it to say %q", host, err, want)
		}
	}
}

func TestNoEngine(t *testing.T) {
	t.Parallel()
	e, err := New(Options{Host: "unix:///nowhere/docker.sock"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	check := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, runner.ErrUnavailable) || !strings.Contains(err.Error(), "DOCKER_HOST") || !strings.Contains(err.Error(), "/nowhere/docker.sock") {
			t.Errorf("%s gives %v", what, err)
		}
	}
	check("Ping", e.Ping(t.Context()))
	_, err = e.Run(t.Context(), runner.Spec{Job: &runner.Job{Name: "j", Image: "x"}}, executortest.NewRecorder())
	check("Run", err)
	_, err = e.Run(t.Context(), runner.Spec{DockerHost: "tcp://127.0.0.1:1", Job: &runner.Job{Name: "j", Image: "x"}}, executortest.NewRecorder())
	if !errors.Is(err, runner.ErrUnavailable) || !strings.Contains(err.Error(), "tcp://127.0.0.1:1") {
		t.Errorf("Run on another engine gives %v", err)
	}
	_, err = e.List(t.Context(), "a")
	check("List", err)
	check("Remove", e.Remove(t.Context(), "x"))
}

func TestFindUser(t *testing.T) {
	t.Parallel()
	const passwd = "root:x:0:0::/:/bin/sh\nbad\njob:x:1234:99:::\nbroken:x:a:b:::\n"
	if uid, gid, err := findUser(strings.NewReader(passwd), "job"); uid != 1234 || gid != 99 || err != nil {
		t.Errorf("%d:%d, error %v", uid, gid, err)
	}
	for _, name := range []string{"nobody", "broken", ""} {
		if _, _, err := findUser(strings.NewReader(passwd), name); err == nil {
			t.Errorf("%q was found", name)
		}
	}
}

func TestLocksEndWithTheContext(t *testing.T) {
	t.Parallel()
	var l locks
	unlock, waited, err := l.lock(t.Context(), "a")
	if err != nil || waited {
		t.Fatal(err, waited)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, _, err := l.lock(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled wait gives %v", err)
		}
	})
	cancel()
	wg.Wait()
	unlock()
	if unlock, waited, err = l.lock(t.Context(), "a"); err != nil || waited {
		t.Errorf("after all left: waited %v, error %v", waited, err)
	}
	unlock()
	if len(l.held) > 0 {
		t.Errorf("%d locks are kept", len(l.held))
	}
}

func TestBuilderChoice(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"FROM a\nRUN echo --mount\n": false, "FROM a\nRUN --mount=type=cache,target=/x make\n": true,
		"# syntax=docker/dockerfile:1\nFROM a\n": true, "FROM a\nCOPY --from=b x y\n": false, "FROM a\ncopy --chmod=755 x y\n": true,
		"FROM a\nRUN <<EOF\necho\nEOF\n": true, "FROM a\nRUN cat < x\n": false, "FROM a\nRUN \\\n --network=none true\n": true,
	} {
		if got := (&buildContext{text: []byte(text)}).needsBuildKit(); got != want {
			t.Errorf("%q needs BuildKit: %v", text, got)
		}
	}
}

func TestStreamErrorsCount(t *testing.T) {
	t.Parallel()
	rec := executortest.NewRecorder()
	for in, want := range map[string]string{
		`{"status":"x"}{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}`: "manifest unknown",
		`{"error":"old engines say only this"}`:                                                   "old engines say only this",
		`{"status":"x"`:                                                                           "unexpected EOF",
	} {
		err := follow(io.NopCloser(strings.NewReader(in)), &classicLog{obs: rec})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v", in, err)
		}
	}
}

func frame(kind byte, text string) []byte {
	head := make([]byte, frameHead)
	head[0] = kind
	binary.BigEndian.PutUint32(head[4:], uint32(len(text)))
	return append(head, text...)
}

func TestDemux(t *testing.T) {
	t.Parallel()
	in := bytes.Join([][]byte{frame(1, "a\nb"), frame(2, "e\n"), frame(1, "c\n"), frame(3, "out of disk"), frame(1, "")}, nil)
	rec := executortest.NewRecorder()
	lines := output.New(rec, nil, nil)
	if err := demux(bytes.NewReader(in), lines); err != nil {
		t.Error(err)
	}
	lines.Close()
	if diff := cmp.Diff([]string{"a", "bc"}, rec.Lines(runner.Stdout)); diff != "" {
		t.Error(diff)
	}
	if len(rec.Lines(runner.Stderr)) != 1 || len(rec.Narrated("out of disk")) != 1 {
		t.Error(rec)
	}
	for _, bad := range [][]byte{in[:5], in[:10], frame(9, "x")} {
		if err := demux(bytes.NewReader(bad), lines); err == nil {
			t.Errorf("%q has no error", bad)
		}
	}
}

func FuzzDemux(f *testing.F) {
	f.Add(frame(1, "a\n"))
	f.Add([]byte{2, 0, 0, 0, 255, 255, 255, 255, 'x'})
	f.Fuzz(func(t *testing.T, in []byte) {
		lines := output.New(executortest.NewRecorder(), nil, nil)
		_ = demux(bytes.NewReader(in), lines)
		lines.Close()
	})
}

func FuzzBuildTrace(f *testing.F) {
	f.Add([]byte{0x0a, 4, 0x0a, 0, 0x1a, 0})
	f.Add([]byte{0x1a, 3, 0x22, 1, 'x'})
	f.Fuzz(func(t *testing.T, raw []byte) {
		aux, err := json.Marshal(base64.StdEncoding.EncodeToString(raw))
		if err != nil {
			t.Fatal(err)
		}
		l := &buildkitLog{obs: executortest.NewRecorder(), names: map[string]string{}}
		l.message(jsonmessage.JSONMessage{ID: traceID, Aux: (*json.RawMessage)(&aux)})
	})
}
