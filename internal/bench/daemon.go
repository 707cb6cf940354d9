package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/abide-agent/abide/runner"
)

// patience bounds every single wait: an agent that hangs is a failed
// measurement, not an endless one.
const patience = 3 * time.Minute

// daemon is an agent that serves on a free port of loopback. One that is a
// child of ours has a command, a log and an end of its own.
type daemon struct {
	base    string
	http    *http.Client
	process int
	tail    func() string // the end of what it logged

	cmd   *exec.Cmd
	state string
	log   *os.File
	ended chan error
	began time.Time // when the process was started
}

// start starts an agent with a state directory of its own and waits until it
// answers.
func (r *rig) start(ctx context.Context, env []string, args ...string) (*daemon, error) {
	state, err := r.fresh("state")
	if err != nil {
		return nil, err
	}
	return r.startOn(ctx, state, env, args...)
}

func (r *rig) startOn(ctx context.Context, state string, env []string, args ...string) (*daemon, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.CreateTemp(r.dir, "agent-*.log")
	if err != nil {
		return nil, err
	}
	d := newDaemon(port)
	d.state, d.log, d.ended = state, log, make(chan error, 1)
	d.tail = func() string {
		text, _ := os.ReadFile(log.Name())
		return string(text[max(0, len(text)-2000):])
	}
	d.cmd = exec.Command(r.binary, append([]string{"apply", "--daemon", "--port", port, "--state", state}, args...)...)
	d.cmd.Env = environment(env...)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.began = time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	d.process = d.cmd.Process.Pid
	go func() { d.ended <- d.cmd.Wait() }()
	err = d.answers(ctx, func() error {
		select {
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("the agent ended: %v", err)
		default:
			return nil
		}
	})
	if err != nil {
		return nil, errors.Join(d.explain(err), d.stop())
	}
	return d, nil
}

func newDaemon(port string) *daemon {
	return &daemon{base: "http://127.0.0.1:" + port, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// answers waits for the first good answer, while the agent is alive.
func (d *daemon) answers(ctx context.Context, alive func() error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	return until(ctx, 500*time.Microsecond, func() (bool, error) {
		if err := alive(); err != nil {
			return false, err
		}
		resp, err := d.http.Get(d.base + "/health")
		if err != nil {
			return false, nil
		}
		return resp.StatusCode == http.StatusOK, drained(resp)
	})
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func drained(resp *http.Response) error {
	_, err := io.Copy(io.Discard, resp.Body)
	return errors.Join(err, resp.Body.Close())
}

func (d *daemon) pid() int { return d.process }

// explain adds the end of the agent's log to an error.
func (d *daemon) explain(err error) error {
	return fmt.Errorf("%w; the agent's log ends:\n%s", err, d.tail())
}

// stop ends the agent as its users do.
func (d *daemon) stop() error {
	_, err := d.terminate()
	return err
}

// terminate sends SIGTERM and gives the time until the process has ended.
func (d *daemon) terminate() (time.Duration, error) {
	defer d.log.Close()
	defer d.http.CloseIdleConnections()
	began := time.Now()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return 0, err
	}
	select {
	case err := <-d.ended:
		if err != nil {
			return 0, d.explain(fmt.Errorf("the agent did not end well: %w", err))
		}
		return time.Since(began), nil
	case <-time.After(time.Minute):
		err := d.cmd.Process.Kill()
		<-d.ended
		return 0, d.explain(errors.Join(errors.New("the agent did not end within a minute of SIGTERM"), err))
	}
}

// get asks for JSON.
func (d *daemon) get(ctx context.Context, path string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.base+path, nil)
	if err != nil {
		return err
	}
	return d.ask(req, out)
}

func (d *daemon) post(ctx context.Context, path, mime, body string, out any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", mime)
	return d.ask(req, out)
}

func (d *daemon) ask(req *http.Request, out any) error {
	resp, err := d.http.Do(req)
	if err != nil {
		return d.explain(err)
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return d.explain(fmt.Errorf("%s %s: %s: %s", req.Method, req.URL.Path, resp.Status, bytes.TrimSpace(text)))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// trigger sends a pipeline and gives the run's id.
func (d *daemon) trigger(ctx context.Context, yaml string) (string, error) {
	var answer struct {
		ID string `json:"pipeline_id"`
	}
	err := d.post(ctx, "/trigger", "application/yaml", yaml, &answer)
	return answer.ID, err
}

// wait waits until a run has ended, and fails when it did not end as wanted.
func (d *daemon) wait(ctx context.Context, id string, want runner.State) (run runner.Run, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err = until(ctx, 5*time.Millisecond, func() (bool, error) {
		err := d.get(ctx, "/v1/runs/"+id, &run)
		return run.State.Final(), err
	})
	if err == nil && run.State != want {
		err = d.explain(fmt.Errorf("run %s of %s ended as %s (%s), not as %s", id, run.Pipeline, run.State, run.Reason, want))
	}
	return run, err
}

// triggerAndWait runs a pipeline to its good end.
func (d *daemon) triggerAndWait(ctx context.Context, yaml string) (runner.Run, error) {
	id, err := d.trigger(ctx, yaml)
	if err != nil {
		return runner.Run{}, err
	}
	return d.wait(ctx, id, runner.Succeeded)
}

// settled waits until no run is under way or waits, and there have been at
// least n since the agent's state began.
func (d *daemon) settled(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return until(ctx, 5*time.Millisecond, func() (bool, error) {
		var h struct {
			Runs    int `json:"total_pipelines_executed"`
			Running int `json:"running"`
			Queued  int `json:"queued"`
		}
		err := d.get(ctx, "/health", &h)
		return h.Runs >= n && h.Running+h.Queued == 0, err
	})
}
