package runner

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/abide-agent/abide/internal/problem"
)

var jobOptions = cmp.Options{
	cmpopts.IgnoreUnexported(Job{}),
	cmp.Comparer(func(a, b *regexp.Regexp) bool { return a.String() == b.String() }),
	cmp.Comparer(func(a, b *Condition) bool { return a == b || a != nil && b != nil && a.String() == b.String() }),
}

// brief writes a problem as a test wants it: severity but for errors, place,
// job and field, and the message.
func brief(p problem.Problem) string {
	mark := ""
	if p.Severity == problem.Warning {
		mark = "W "
	}
	return fmt.Sprintf("%s%d:%d %s/%s %s", mark, p.Line, p.Column, p.Job, p.Field, p.Message)
}

func briefs(l problem.List) []string {
	out := []string{}
	for _, p := range l {
		out = append(out, brief(p))
	}
	return out
}

// job wraps the fields of a job, one a line, as a pipeline of the one job j,
// whose fields start on line 3, column 3.
func jobYAML(fields string) string {
	return "workflow: [j]\nj:\n  " + strings.ReplaceAll(strings.TrimSpace(fields), "\n", "\n  ") + "\n"
}

func TestParseWhole(t *testing.T) {
	t.Parallel()
	text := `
workflow: [build, Check, "3"]
logsWithTime: true
docker: {host: "tcp://10.0.0.1:2375"}
schedule: "30 3 * * 1-5"
timezone: Europe/Berlin
trigger: {paths: ["src/**", "!src/doc"]}
after: [network, units/db.service]
hosts: web-*
build:
  IMAGE: golang:1.26
  script: [go build, "go test"]
  WorkDir: /src/
  copyfiles: true
  copyIgnore: ["\\.md$"]
  soloexecution: true
  errexit: false
  port: ["8080:80", "127.0.0.1:53:53/udp"]
  env: [A=1, "B=x=y", C=]
  artifactPath: out
  condition: $BRANCH == "main"
  retry: {attempts: 3, delay: 0, backoff: 2}
check: {dockerfile: ./ci/Dockerfile, parallel: true, script: "a\nb"}
3: {image: alpine}
`
	p, list := Parse("nightly", "pipelines/nightly.yaml", []byte(text))
	if len(list) != 0 {
		t.Fatal(list)
	}
	condition, _ := ParseCondition(`$BRANCH == "main"`)
	once := Retry{Attempts: 1, Delay: time.Second, Backoff: 1}
	want := []Job{
		{
			Name: "build", Line: 10, Column: 1, Image: "golang:1.26", Script: []string{"go build", "go test"}, WorkDir: "/src",
			CopyFiles: true, CopyIgnore: []*regexp.Regexp{regexp.MustCompile(`\.md$`)}, SoloExecution: true,
			Ports:        []Port{{"", 8080, 80, "tcp"}, {"127.0.0.1", 53, 53, "udp"}},
			Env:          []string{"A=1", "B=x=y", "C="},
			ArtifactPath: "out", Condition: condition, Retry: Retry{3, 0, 2},
		},
		{Name: "Check", Line: 23, Column: 1, Dockerfile: "ci/Dockerfile", Parallel: true, Errexit: true, Script: []string{"a\nb"}, Retry: once},
		{Name: "3", Line: 24, Column: 1, Image: "alpine", Errexit: true, Retry: once},
	}
	if diff := cmp.Diff(want, p.Jobs, jobOptions); diff != "" {
		t.Error(diff)
	}
	if p.Name != "nightly" || p.File != "pipelines/nightly.yaml" || string(p.Text) != text || !p.LogsWithTime ||
		p.DockerHost != "tcp://10.0.0.1:2375" || p.Schedule.String() != "30 3 * * 1-5 (Europe/Berlin)" {
		t.Errorf("%+v", p)
	}
	if diff := cmp.Diff(Trigger{Paths: []string{"src/**", "!src/doc"}}, p.Trigger); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([][]string{{"network", "units/db.service"}, {"web-*"}}, [][]string{p.After, p.Hosts}); diff != "" {
		t.Error(diff)
	}
}

// TestParseReportsAll has a fault in nearly every field of one file.
func TestParseReportsAll(t *testing.T) {
	t.Parallel()
	text := `workflow: [a, b]
docker: {host: ftp://me:secret@x}
a:
  image: 5
  script: [ok, echo x: y]
  scripts: []
  retry: {attempts: 11, delay: -1, backoff: .nan}
b:
  port: 1:2:3:4
`
	_, list := Parse("n", "f.yaml", []byte(text))
	want := []string{
		"2:16 /docker.host docker.host must start with a valid protocol (tcp://, unix://, npipe://, ssh://), got: ftp://***@x",
		"4:10 a/image 'image' must be a string",
		"5:16 a/script all script items must be strings, found a map at index 1",
		"6:3 a/scripts unknown key 'scripts' of a job",
		"7:21 a/retry.attempts retry.attempts must not exceed 10 (to prevent infinite loops)",
		"7:32 a/retry.delay retry.delay must be non-negative",
		"7:45 a/retry.backoff retry.backoff must be a number",
		"8:1 b/image either 'image' or 'dockerfile' must be specified",
		"9:9 b/port invalid port format: port must be in format 'hostPort:containerPort' (e.g., '8080:80') or 'hostIP:hostPort:containerPort' (e.g., '127.0.0.1:8080:80')",
	}
	if diff := cmp.Diff(want, briefs(list)); diff != "" {
		t.Error(diff)
	}
	for _, p := range list {
		if p.File != "f.yaml" || p.Hint == "" || strings.Contains(p.String(), "secret") {
			t.Errorf("%+v", p)
		}
	}
}

// TestParseJobFields has a row for each rule of a job's fields.
func TestParseJobFields(t *testing.T) {
	t.Parallel()
	for fields, want := range map[string][]string{
		"script: echo":                                      {"2:1 j/image either 'image' or 'dockerfile' must be specified"},
		"image:\nscript: x":                                 {"3:3 j/image either 'image' or 'dockerfile' must be specified"},
		"image: a\ndockerfile: b":                           {"4:3 j/image cannot specify both 'image' and 'dockerfile' in the same job"},
		"image: 1.20":                                       {"3:10 j/image 'image' must be a string"},
		"image: ' '":                                        {"3:10 j/image 'image' cannot be empty"},
		"image: Alpine":                                     {"3:10 j/image 'image' is not the name of an image: invalid reference format: repository name (library/Alpine) must be lowercase"},
		`image: "a\0"`:                                      {"3:10 j/image 'image' holds a NUL character"},
		"dockerfile: [x]":                                   {"3:15 j/dockerfile 'dockerfile' must be a string"},
		"dockerfile: ''":                                    {"3:15 j/dockerfile 'dockerfile' cannot be empty"},
		"dockerfile: /etc/x":                                {"3:15 j/dockerfile 'dockerfile' must name a file of the source, got: /etc/x"},
		"dockerfile: a/../../x":                             {"3:15 j/dockerfile 'dockerfile' must name a file of the source, got: a/../../x"},
		"image: a\nscript: []":                              {"4:11 j/script 'script' array cannot be empty"},
		"image: a\nscript: ''":                              {"4:11 j/script 'script' cannot be empty"},
		"image: a\nscript: {a: b}":                          {"4:11 j/script 'script' must be a string or array of strings"},
		"image: a\nscript: 5":                               {"4:11 j/script 'script' must be a string or array of strings"},
		"image: a\nscript: [x, '']":                         {"4:15 j/script script item at index 1 cannot be empty"},
		"image: a\nscript: [~]":                             {"4:12 j/script all script items must be strings, found nothing at index 0"},
		"image: a\nscript:":                                 {},
		"image: a\nscript: [x, 5, true]":                    {"4:15 j/script all script items must be strings, found int at index 1", "4:18 j/script all script items must be strings, found bool at index 2"},
		"image: a\nworkDir: 5":                              {"4:12 j/workDir 'workDir' must be a string"},
		"image: a\nworkDir: ''":                             {"4:12 j/workDir 'workDir' cannot be empty"},
		"image: a\nworkDir: src":                            {"4:12 j/workDir 'workDir' must be an absolute path, got: src"},
		"image: a\ncopyFiles: yes":                          {"4:14 j/copyFiles 'copyFiles' must be a boolean value"},
		"image: a\ncopyFiles: 'true'":                       {"4:14 j/copyFiles 'copyFiles' must be a boolean value"},
		"image: a\nsoloExecution: 1":                        {"4:18 j/soloExecution 'soloExecution' must be a boolean value"},
		"image: a\nparallel: []":                            {"4:13 j/parallel 'parallel' must be a boolean value"},
		"image: a\nerrexit: off":                            {"4:12 j/errexit 'errexit' must be a boolean value"},
		"image: a\nparallel: TRUE":                          {},
		"image: a\ncopyIgnore: 5":                           {"4:15 j/copyIgnore 'copyIgnore' must be a string or array of strings"},
		"image: a\ncopyIgnore: ''":                          {"4:15 j/copyIgnore copyIgnore cannot be empty"},
		"image: a\ncopyIgnore: [x, 5]":                      {"4:19 j/copyIgnore all copyIgnore items must be strings, found int at index 1"},
		"image: a\ncopyIgnore: ['']":                        {"4:16 j/copyIgnore copyIgnore item at index 0 cannot be empty"},
		"image: a\ncopyIgnore: 'a('":                        {"4:15 j/copyIgnore copyIgnore has a pattern that is no regular expression: error parsing regexp: missing closing ): `a(`"},
		"image: a\ncopyIgnore: []":                          {},
		"image: a\nenv: {A: b}":                             {"4:8 j/env 'env' must be a string or array of strings"},
		"image: a\nenv: [5]":                                {"4:9 j/env all environment variables must be strings, found int at index 0"},
		"image: a\nenv: [' ']":                              {"4:9 j/env environment variable at index 0 cannot be empty"},
		"image: a\nenv: ''":                                 {"4:8 j/env environment variable cannot be empty"},
		"image: a\nenv: [=x]":                               {"4:9 j/env an environment variable needs a name before its '='"},
		"image: a\nenv: [A]":                                {"W 4:9 j/env the environment variable 'A' has no value and is left out"},
		"image: a\nport: 80":                                {"4:9 j/port 'port' must be a string or array of strings"},
		"image: a\nport: ['1:2', 80]":                       {"4:17 j/port all port items must be strings, found int at index 1"},
		"image: a\nport: ['80:']":                           {"4:10 j/port invalid port format at index 0: both host and container ports must be specified"},
		"image: a\nport: ['x:', 5, '1::2']":                 {"4:10 j/port invalid port format at index 0: both host and container ports must be specified", "4:16 j/port all port items must be strings, found int at index 1", "4:19 j/port invalid port format at index 2: host IP, host port, and container port must all be specified"},
		"image: a\nport: [1:2, 0.0.0.0:1:3]":                {"4:15 j/port host port 1 is published twice"},
		"image: a\nport: 8080:80":                           {},
		"image: a\nartifactPath: 5":                         {"4:17 j/artifactPath 'artifactPath' must be a string"},
		"image: a\nartifactPath: ' '":                       {"4:17 j/artifactPath 'artifactPath' cannot be empty"},
		"image: a\ncondition: true":                         {"4:14 j/condition 'condition' must be a string"},
		"image: a\ncondition: ''":                           {"4:14 j/condition 'condition' cannot be empty"},
		"image: a\ncondition: $A = b":                       {"4:17 j/condition condition: unknown operator '=' at character 4"},
		"image: a\ncondition: '$A > \"b\"'":                 {"4:18 j/condition condition: unknown operator '>' at character 4"},
		"image: a\ncondition: BRANCH":                       {"W 4:14 j/condition the condition has no variable, so it is always true"},
		"image: a\ncondition: !$A && $B":                    {"4:14 j/condition 'condition' must be a string"},
		"image: a\ncondition: !$A == x":                     {},
		"image: a\nretry: 3":                                {"4:10 j/retry 'retry' must be an object"},
		"image: a\nretry: {attempts: 0}":                    {"4:21 j/retry.attempts retry.attempts must be at least 1"},
		"image: a\nretry: {attempts: '3'}":                  {"4:21 j/retry.attempts retry.attempts must be an integer"},
		"image: a\nretry: {attempts: 2.0}":                  {"4:21 j/retry.attempts retry.attempts must be an integer"},
		"image: a\nretry: {attempts: 99999999999999999999}": {"4:21 j/retry.attempts retry.attempts must be an integer"},
		"image: a\nretry: {delay: 301}":                     {"4:18 j/retry.delay retry.delay must not exceed 300 seconds"},
		"image: a\nretry: {delay: 1.5}":                     {"4:18 j/retry.delay retry.delay must be an integer (seconds)"},
		"image: a\nretry: {backoff: 0}":                     {"4:20 j/retry.backoff retry.backoff must be greater than 0"},
		"image: a\nretry: {backoff: 0.05}":                  {"4:20 j/retry.backoff retry.backoff must be at least 0.1"},
		"image: a\nretry: {backoff: 10.1}":                  {"4:20 j/retry.backoff retry.backoff must not exceed 10.0"},
		"image: a\nretry: {backoff: .inf}":                  {"4:20 j/retry.backoff retry.backoff must be a number"},
		"image: a\nretry: {backoff: x}":                     {"4:20 j/retry.backoff retry.backoff must be a number"},
		"image: a\nretry: {attempt: 3, max: 4}":             {"4:11 j/attempt unknown key 'attempt' of retry", "W 4:23 j/max unknown key 'max' of retry is ignored"},
		"image: a\nretry: {Attempts: ~}":                    {},
		"image: a\ncopy_files: true":                        {"4:3 j/copy_files unknown key 'copy_files' of a job"},
		"imagee: a":                                         {"2:1 j/image either 'image' or 'dockerfile' must be specified", "3:3 j/imagee unknown key 'imagee' of a job"},
		"image: a\nstage: b":                                {"W 4:3 j/stage unknown key 'stage' of a job is ignored"},
		"image: a\nenvironment: []":                         {"W 4:3 j/environment unknown key 'environment' of a job is ignored"},
	} {
		t.Run(strings.ReplaceAll(fields, "\n", "; "), func(t *testing.T) {
			t.Parallel()
			p, list := Parse("n", "f", []byte(jobYAML(fields)))
			got := briefs(list)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if (p == nil) != (list.Err() != nil) {
				t.Errorf("pipeline %v with problems %v", p, list)
			}
		})
	}
}
