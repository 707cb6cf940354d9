package runner

import (
	"strings"
	"testing"
)

// TestPinSamples has pipelines of the shapes that pin's own test data has, by
// the names of its files: which of them are valid, and which field of the
// others is at fault.
func TestPinSamples(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text   string
		faults string // job.field of each error
	}{
		"simple_test": {text: `
workflow:
  - greet

greet:
  image: alpine:latest
  script:
    - echo "Good morning"
    - echo "Good night"`},
		"test": {text: `
workflow:
  - compile
  - check
compile:
  image: golang:1.26
  copyFiles: true
  script:
    - mkdir /root/out
    - cd /root/out
check:
  image: golang:1.26
  script:
    - touch checked.txt`},
		"test2": {text: `
workflow:
  - first
  - beside
  - last
first: {image: node:current-alpine3.15, copyFiles: true, soloExecution: true, script: [node -v]}
last: {image: node:current-alpine3.15, copyFiles: true, soloExecution: true, script: [node main.js]}
beside:
  image: node:current-alpine3.15
  copyFiles: true
  soloExecution: true
  parallel: true
  script:
    - ls -l`},
		"test_artifact": {text: `
workflow:
  - make
make:
  image: golang:alpine3.15
  copyFiles: true
  script:
    - mkdir /out
  artifactPath: /out
`},
		"test_conditional": {text: `
workflow: [make, ship]
make: {image: golang:alpine3.15, copyFiles: true, script: [go build]}
ship:
  image: alpine:latest
  condition: $BRANCH == "main"
  script:
    - echo "Shipping..."`},
		"test_custom_host": {text: `
workflow:
  - web
web:
  image: nginx:alpine
  port:
    - "127.0.0.1:9092:80"  # this machine only
  script:
    - echo "started"
    - nginx -g "daemon off;" &
    - curl -s http://localhost || echo "it runs"`},
		"test_docker_host": {text: `
workflow:
  - probe
docker:
  host: "tcp://localhost:2375"
probe: {image: alpine:latest, script: [echo "elsewhere"]}`},
		"test_dockerfile": {text: `
workflow: [own-image]
own-image:
  dockerfile: "./ci/Dockerfile.test"
  copyFiles: true
  script:
    - whoami`},
		"test_env": {text: `
workflow:
  - show
logsWithTime: true
show:
  image: golang:alpine3.15
  script:
    - 'echo "The variables:"'
    - 'echo "ONE: $ONE"'
  env:
    - ONE=1
    - TWO=second_value
`},
		"test_http_trigger": {text: `
# sent with curl
workflow:
  - sent_job
sent_job:
  image: "alpine:latest"
  script:
    - "echo 'It arrived!'"
    - "date"
  workdir: "/root"
  soloexecution: true
logsWithTime: true`},
		"test_invalid": {faults: "make.image check.script", text: `
workflow:
  - make
  - check
make:
  # neither image nor dockerfile
  script:
    - echo "x"
check:
  image: golang:alpine3.15
  script: []`},
		"test_invalid2": {faults: "make.port", text: `
workflow:
  - make
make:
  image: golang:alpine3.15
  port: "not_a_port"`},
		"test_invalid_docker_host": {faults: ".docker.host", text: `
workflow: [probe]
docker:
  host: "no-scheme"
probe: {image: alpine:latest, script: [echo never]}`},
		"test_invalid_enhanced": {faults: "bad.image bad.port", text: `
workflow:
  - bad
bad:
  script:
    - echo "no image here"
  port:
    - "not:a:port:at-all"`},
		"test_invalid_port": {faults: "bad.port", text: `
workflow: [bad]
bad:
  image: nginx:alpine
  port: "no_port"`},
		"test_invalid_retry": {faults: "bad.retry.attempts bad.retry.delay", text: `
workflow: [bad]
bad:
  image: alpine:latest
  retry:
    attempts: 15
    delay: 500
  script: [echo never]`},
		"test_invalid_tcp_host": {faults: ".docker.host", text: `
workflow: [probe]
docker:
  host: "tcp://localhost"
probe: {image: alpine:latest, script: [echo never]}`},
		"test_multi_port": {text: `
workflow: [server]
server:
  image: alpine:latest
  port:
    - "9095:8080"
    - "127.0.0.1:9096:8081"
    - "0.0.0.0:9097:8082"
  script:
    - echo "three ports"`},
		"test_no_retry_success": {text: `
workflow: [good]
good: {image: alpine:latest, retry: {attempts: 3, delay: 1}, script: [echo "at once"]}`},
		"test_retry_backoff": {text: `
workflow: [never]
never:
  image: alpine:latest
  retry:
    attempts: 4
    delay: 1
    backoff: 2.0
  script:
    - exit 1  # waits 1, 2 and 4 seconds`},
		"test_retry_simple": {text: `
workflow: [never]
never:
  image: alpine:latest
  retry:
    attempts: 3
    delay: 1
  script:
    - exit 1`},
		"test_retry_success": {text: `
workflow: [second-time]
second-time:
  image: alpine:latest
  retry:
    attempts: 3
    delay: 1
  script:
    - test -f /tmp/mark && echo "Good!" || (touch /tmp/mark && exit 1)`},
		"test_standard_port": {text: `
workflow: [web]
web:
  image: nginx:alpine
  port: "9090:80"
  script:
    - sleep 2`},
		"test_unix_socket": {text: `
workflow: [probe]
docker:
  host: "unix:///var/run/docker.sock"
probe: {image: alpine:latest, script: [whoami]}`},
		"README, environment (an item with a colon and a blank)": {faults: "run.script", text: `
workflow: [run]
run:
  image: golang:alpine3.15
  script:
    - echo "ONE: $ONE"`},
		"use-cases, an ordering that no condition has": {faults: "deploy.condition", text: `
workflow: [deploy]
deploy:
  image: python:3.11-slim
  condition: $ACCURACY > "0.9"
  script: [python deploy.py]`},
		"troubleshooting, what is never right": {faults: "j.env j.condition j.retry.attempts j.retry.delay j.retry.backoff", text: `
workflow: [j]
j:
  image: alpine
  env:
    ONE: value
  condition: $BRANCH = "main"
  retry: {attempts: 15, delay: 500, backoff: 0.05}`},
		"examples, ignore patterns": {text: `
workflow: [j]
j:
  image: alpine
  copyFiles: true
  copyIgnore: ["node_modules", "*.log", ".git", "coverage", "dist", ".env*"]`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, list := Parse("sample", "sample.yaml", []byte(tc.text))
			var faults []string
			for _, e := range list.Errors() {
				faults = append(faults, e.Job+"."+e.Field)
			}
			if got := strings.Join(faults, " "); got != tc.faults || (p == nil) != (tc.faults != "") {
				t.Errorf("faults %q, want %q\n%s", got, tc.faults, list)
			}
		})
	}
}
