package runner

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const anyJob = "\nj: {image: a}\n"

// TestParseTopLevel has a row for each rule of the top level.
func TestParseTopLevel(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"a: {image: b}":                                          {"1:1 /workflow workflow must be defined and cannot be empty", "W 1:1 /a job 'a' is not listed in workflow and never runs"},
		"worflow: [j]" + anyJob:                                  {"1:1 /workflow workflow must be defined and cannot be empty", "1:1 /worflow unknown key 'worflow' of a pipeline", "W 2:1 /j job 'j' is not listed in workflow and never runs"},
		"workflow:":                                              {"1:1 /workflow workflow must be defined and cannot be empty"},
		"workflow: []":                                           {"1:1 /workflow workflow must be defined and cannot be empty"},
		"workflow: {}":                                           {"1:1 /workflow workflow must be defined and cannot be empty"},
		"workflow: {j: x}":                                       {"1:1 /workflow workflow must be defined and cannot be empty"},
		"workflow: ' '":                                          {"1:1 /workflow workflow must be defined and cannot be empty"},
		"workflow: [[j], {j: x}, ~]":                             {"1:12 /workflow all workflow items must be job names, found a list at index 0", "1:17 /workflow all workflow items must be job names, found a map at index 1", "1:25 /workflow workflow item at index 2 cannot be empty"},
		"workflow: [\"a\\nb\"]":                                  {"1:12 /workflow a job's name is too long or holds a control character"},
		"workflow: [x]":                                          {"1:12 x/x job 'x' is not defined or is empty"},
		"workflow: [x]\nx: {}":                                   {"2:1 x/x job 'x' is not defined or is empty"},
		"workflow: [x]\nx: y":                                    {"2:1 x/x job 'x' is not defined or is empty"},
		"workflow: j" + anyJob:                                   {},
		"WORKFLOW: j" + anyJob:                                   {},
		"workflow: J" + anyJob:                                   {},
		"workflow: j  k\nk: {image: a}" + anyJob:                 {},
		"workflow: [j, J]" + anyJob:                              {"W 1:15 J/workflow workflow lists the job 'J' 2 times"},
		"workflow: [x, x]":                                       {"1:12 x/x job 'x' is not defined or is empty"},
		"workflow: j\nj: {image: a}\nJ: {image: a}":              {"3:1 /J 'J' and 'j' (line 2, column 1) are the same key, as keys are read in any case"},
		"workflow: j\nj: {image: a, image: b}":                   {"2:15 /image 'image' is defined twice, first at line 2, column 5"},
		"workflow: a.b\na: {b: {image: x}}":                      {},
		"workflow: a.b\na.b: {image: x}":                         {},
		"workflow: j\nk: {script: ''}" + anyJob:                  {"W 2:1 /k job 'k' is not listed in workflow and never runs", "W 2:1 k/image either 'image' or 'dockerfile' must be specified", "W 2:13 k/script 'script' cannot be empty"},
		"workflow: j\n.k: &k {script: x}\nj: {<<: *k, image: a}": {},
		"workflow: j\nk: &k {image: x}\nj: *k":                   {},
		"workflow: j\nname: x" + anyJob:                          {"W 2:1 /name unknown key 'name' of a pipeline is ignored"},
		"workflow: j\nschedul: x" + anyJob:                       {"2:1 /schedul unknown key 'schedul' of a pipeline"},
		"workflow: j\ntriggers: {paths: [x]}" + anyJob:           {"2:1 /triggers unknown key 'triggers' of a pipeline"},
		"workflow: j\nlogsWithTime: 'true'" + anyJob:             {},
		"workflow: j\nlogsWithTime: 1" + anyJob:                  {},
		"workflow: j\nlogsWithTime: always" + anyJob:             {"W 2:15 /logsWithTime 'logsWithTime' must be a boolean value; it is taken as false"},
		"workflow: [schedule, docker]\nschedule: {image: a}\ndocker: {image: a, host: 'tcp://h:1'}": {},
		"workflow: [trigger]\ntrigger: manual":                                                      {"2:1 trigger/trigger job 'trigger' is not defined or is empty"},
		"workflow: [trigger]\ntrigger: {paths: [x]}":                                                {"2:1 trigger/trigger job 'trigger' is not defined or is empty"},
		"workflow: j\nschedule: 5" + anyJob:                                                         {"2:11 /schedule 'schedule' must be a string"},
		"workflow: j\nschedule: []" + anyJob:                                                        {"2:11 /schedule 'schedule' must be a string"},
		"workflow: j\nschedule: ''" + anyJob:                                                        {"2:11 /schedule 'schedule' cannot be empty"},
		"workflow: j\nschedule: '61 * * * *'" + anyJob:                                              {"2:11 /schedule the schedule '61 * * * *' can't be read: end of range (61) above maximum (59): 61"},
		"workflow: j\ntimezone: UTC" + anyJob:                                                       {"W 2:1 /timezone 'timezone' without 'schedule' has no effect"},
		"workflow: j\nschedule: '@daily'\ntimezone: Mars" + anyJob:                                  {"3:11 /timezone 'Mars' is not a time zone"},
		"workflow: j\ntrigger: manual" + anyJob:                                                     {},
		"workflow: j\ntrigger: auto" + anyJob:                                                       {"2:10 /trigger 'trigger' must be 'manual' or an object with 'paths'"},
		"workflow: j\ntrigger: {paths: []}" + anyJob:                                                {"2:10 /trigger.paths 'trigger.paths' cannot be empty"},
		"workflow: j\ntrigger: {path: x}" + anyJob:                                                  {"2:10 /trigger.paths 'trigger.paths' cannot be empty", "2:11 /path unknown key 'path' of trigger"},
		"workflow: j\ntrigger: {paths: [../x, '[a']}" + anyJob:                                      {"2:19 /trigger.paths the pattern '../x' leaves the source", "2:25 /trigger.paths the pattern '[a' is not a glob: a '[' is not closed"},
		"workflow: j\nafter: {a: b}" + anyJob:                                                       {"2:8 /after 'after' must be a string or array of strings"},
		"workflow: j\nafter: n" + anyJob:                                                            {"2:8 /after a pipeline can't wait for itself"},
		"workflow: j\nhosts: [5]" + anyJob:                                                          {"2:9 /hosts all hosts items must be strings, found int at index 0"},
		"workflow: j\ndocker: x" + anyJob:                                                           {"2:9 /docker 'docker' must be an object"},
		"workflow: j\ndocker: {hosts: x}" + anyJob:                                                  {"2:10 /hosts unknown key 'hosts' of docker"},
		"workflow: j\ndocker: {host: ''}" + anyJob:                                                  {},
		"workflow: j\ndocker.host: tcp://h:1" + anyJob:                                              {},
		"workflow: j\ndocker: {host: 5}" + anyJob:                                                   {"2:16 /docker.host docker.host must be a string"},
		"workflow: j\ndocker: {host: ' '}" + anyJob:                                                 {"2:16 /docker.host docker.host cannot be empty"},
		"workflow: j\ndocker: {host: 'tcp://'}" + anyJob:                                            {"2:16 /docker.host docker.host tcp:// format requires host and port (e.g., tcp://localhost:2375)"},
		"workflow: j\ndocker: {host: 'tcp://:'}" + anyJob:                                           {"2:16 /docker.host docker.host tcp:// format requires host and port (e.g., tcp://localhost:2375)"},
		"workflow: j\ndocker: {host: tcp://h}" + anyJob:                                             {"2:16 /docker.host docker.host tcp:// format must include port (e.g., tcp://localhost:2375)"},
		"workflow: j\ndocker: {host: 'tcp://h:99999'}" + anyJob:                                     {"2:16 /docker.host docker.host has a port outside 1 to 65535, got: 99999"},
		"workflow: j\ndocker: {host: 'unix://x'}" + anyJob:                                          {"2:16 /docker.host docker.host unix:// format requires an absolute path (e.g., unix:///var/run/docker.sock)"},
		"workflow: j\ndocker: {host: 'unix:///run/docker.sock'}" + anyJob:                           {},
		"workflow: j\ndocker: {host: 'npipe:////./pipe/engine'}" + anyJob:                           {},
		"workflow: j\ndocker: {host: 'ssh://me@h'}" + anyJob:                                        {},
		"workflow: j" + anyJob + "---\nworkflow: [":                                                 {"W 1:1 / only the first YAML document of the file is read"},
		`{"workflow": ["j"], "j": {"image": "a", "script": ["x"]}}`:                                 {},
	} {
		t.Run(strings.ReplaceAll(text, "\n", "; "), func(t *testing.T) {
			t.Parallel()
			p, list := Parse("n", "f", []byte(text))
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

func TestParseNames(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"workflow: [j, J, j]" + anyJob:                                    "j,J-2,j-3",
		"workflow: [j, j, j-2]\nj-2: {image: a}" + anyJob:                 "j,j-3,j-2",
		"workflow: a.b\na: {b: {image: x}}":                               "a.b",
		"workflow: [1, true, 2.50]\n1: &a {image: x}\ntrue: *a\n2.50: *a": "1,true,2.50",
	} {
		p, list := Parse("n", "f", []byte(text))
		if p == nil {
			t.Fatal(list)
		}
		var names []string
		for _, j := range p.Jobs {
			names = append(names, j.Name)
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestMergeKeys(t *testing.T) {
	t.Parallel()
	p, list := Parse("n", "f", []byte(`
.a: &a {image: first, script: a, parallel: true}
.b: &b {IMAGE: second, workdir: /b}
workflow: [x, y]
x: {<<: [*a, *b], Script: own}
y:
  <<: *b
  env: [A=b]
`))
	if p == nil {
		t.Fatal(list)
	}
	x, y := p.Jobs[0], p.Jobs[1]
	if x.Image != "first" || x.WorkDir != "/b" || !x.Parallel || x.Script[0] != "own" || y.Image != "second" || len(y.Env) != 1 {
		t.Errorf("%+v\n%+v", x, y)
	}
}

func TestManyProblemsAreBounded(t *testing.T) {
	t.Parallel()
	_, list := Parse("n", "f", []byte(jobYAML("image: a\nscript: ["+strings.Repeat("5, ", 5000)+"5]")))
	if len(list) != MaxProblems+1 || list[MaxProblems].Message != "4901 more problems are not shown" || list.Err() == nil {
		t.Errorf("%d problems, the last %v", len(list), list[len(list)-1])
	}
}
