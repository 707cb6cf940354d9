package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/abide-agent/abide/internal/testkit/systemdbox"
)

// boxed is the agent as a service of a machine with systemd. Its port is one of
// ours, so that everything that asks a daemon works with it, too.
type boxed struct {
	*daemon
	box  *systemdbox.Box
	repo *repository
	bare string // what the machine has of repo, before it goes there
	sent map[string]bool
}

const (
	boxRepo  = "/srv/app.git"
	boxState = "/var/lib/abide"
	boxUnits = "/etc/systemd/system/"
	service  = `[Unit]
Description=the agent
After=dbus.service
[Service]
ExecStart=/usr/local/bin/abide apply --daemon --units systemd --git ` + boxRepo + ` --state ` + boxState + ` --port 8080 --interval 200ms
Restart=always
RestartSec=0
[Install]
WantedBy=multi-user.target
`
)

// newBoxed boots a machine whose agent follows a repository there. The agent is
// not started yet.
func newBoxed(t *testing.T) *boxed {
	t.Helper()
	b := &boxed{box: systemdbox.Start(t, boxState, filepath.Clean(boxUnits)), repo: newRepository(t), bare: filepath.Join(t.TempDir(), "app.git"), sent: map[string]bool{}}
	b.daemon = &daemon{t: t, port: b.box.Forward(t, 8080), out: &syncBuffer{}}
	b.repo.git("init", "-q", "--bare", "-b", "main", b.bare)
	if err := b.box.Copy(t.Context(), binary(t, ""), "/usr/local/bin/abide", 0o755); err != nil {
		t.Fatal(err)
	}
	b.file(boxUnits+"abide.service", service)
	b.box.MustExec(t, "mkdir", "-p", boxRepo)
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := b.box.Exec(context.WithoutCancel(t.Context()), "journalctl", "-u", "abide", "-n", "150", "--no-pager", "-o", "cat")
			t.Logf("the agent said:\n%s", log)
		}
	})
	return b
}

func (b *boxed) file(path, text string) {
	b.t.Helper()
	if err := b.box.Write(b.t.Context(), path, 0o644, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *boxed) sh(format string, args ...any) string {
	b.t.Helper()
	return strings.TrimSpace(b.box.MustExec(b.t, "bash", "-c", fmt.Sprintf(format, args...)))
}

// up waits until the agent answers, and is another process than before.
func (b *boxed) up(before string) {
	b.t.Helper()
	b.eventually("the agent answers", func() bool {
		resp, err := http.Get(b.url("/health"))
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK && b.pid("abide.service") != before
	})
}

// push commits what was written and takes it to the machine as Git does: first
// what nothing points at yet, then the branch, which a rename changes.
func (b *boxed) push(message string) {
	b.t.Helper()
	b.repo.commit(message)
	b.publish()
}

func (b *boxed) publish() {
	b.t.Helper()
	b.repo.git("push", "-q", b.bare, "main")
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := filepath.WalkDir(b.bare, func(path string, e os.DirEntry, err error) error {
		name, _ := filepath.Rel(b.bare, path)
		if err != nil || e.IsDir() || b.sent[name] || strings.HasPrefix(name, "hooks/") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if name == "refs/heads/main" {
			name = "refs/main.new"
		} else {
			b.sent[name] = true
		}
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.t.Fatal(err)
	}
	if err := b.box.Unpack(b.t.Context(), boxRepo, &buf); err != nil {
		b.t.Fatal(err)
	}
	b.sh("cd %s && mkdir -p refs/heads && mv refs/main.new refs/heads/main", boxRepo)
}

// show gives a property of units of the machine, as systemctl prints it.
func (b *boxed) show(property string, names ...string) string {
	b.t.Helper()
	return b.sh("systemctl show --value -p %s %s", property, strings.Join(names, " "))
}

// pid is the main process of a unit, "0" when there is none.
func (b *boxed) pid(name string) string { return b.show("MainPID", name) }

// runsAnew waits until a unit runs as another process than before.
func (b *boxed) runsAnew(name, before string) {
	b.t.Helper()
	b.eventually(name+" runs anew", func() bool { pid := b.pid(name); return pid != "0" && pid != before })
}
