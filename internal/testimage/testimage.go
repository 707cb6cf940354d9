// Package testimage makes the container images that tests, benchmarks and the
// demo run in, on a machine that has nothing but Go and a Docker engine: no
// registry, no base image, no network. It knows how to build a static shell,
// wrap it into a root file system and import it. It never knows what is tested.
package testimage

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"sync"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
)

// Repository is what all test images are called; the tag is a hash of what
// they are made from, with the variant's name before it.
const Repository = "abide-test/shell"

// Images are the names of the variants. They hold the same commands and differ
// in what a job runner might wrongly rely on.
type Images struct {
	Cmd    string // CMD /bin/sh, /root and /home: what a usual base image looks like
	Entry  string // an ENTRYPOINT that exits at once with code 97, and a HEALTHCHECK that fails
	User   string // USER 1000 and WORKDIR /srv
	Named  string // USER job, a name that only the image's /etc/passwd knows, and no WORKDIR
	NoHome string // neither /root nor /home
	None   string // no CMD at all
}

// All gives the variants by name, for tests that walk them.
func (i Images) All() map[string]string {
	return map[string]string{"cmd": i.Cmd, "entry": i.Entry, "user": i.User, "named": i.Named, "nohome": i.NoHome, "none": i.None}
}

// variant is one way to wrap the same binary.
type variant struct {
	name    string
	homes   bool
	changes []string // Dockerfile instructions
}

func variants() []variant {
	return []variant{
		{name: "cmd", homes: true, changes: []string{`CMD ["/bin/sh"]`}},
		{name: "entry", homes: true, changes: []string{`ENTRYPOINT ["/bin/sh", "-c", "exit 97"]`, `CMD ["/bin/sh"]`, `HEALTHCHECK --interval=1s CMD ["/bin/false"]`}},
		{name: "user", homes: true, changes: []string{`USER 1000`, `WORKDIR /srv`, `CMD ["/bin/sh"]`}},
		{name: "named", homes: true, changes: []string{`USER job`, `CMD ["/bin/sh"]`}},
		{name: "nohome", changes: []string{`CMD ["/bin/sh"]`}},
		{name: "none", homes: true},
	}
}

// sources is everything that decides what is in the images.
//
//go:embed shell/*.go *.go
var sources embed.FS

// contentHash names what the images are made from, so that a changed shell
// gives new tags and an unchanged one costs one question to the engine.
var contentHash = sync.OnceValue(func() string {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version())
	_ = fs.WalkDir(sources, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(sources, name)
		fmt.Fprintf(h, "%s %d\n%s", name, len(text), text)
		return err
	})
	return hex.EncodeToString(h.Sum(nil))[:12]
})

func names() Images {
	tag := func(name string) string { return Repository + ":" + name + "-" + contentHash() }
	return Images{Cmd: tag("cmd"), Entry: tag("entry"), User: tag("user"), Named: tag("named"), NoHome: tag("nohome"), None: tag("none")}
}

// ErrNoEngine wraps "no Docker engine answers here".
var ErrNoEngine = errors.New("no Docker engine answers; start one, or point DOCKER_HOST at it")

// Ensure gives the names of the images and makes those that the engine doesn't
// have. Processes that ask at the same time build once: they share a file lock.
func Ensure(ctx context.Context) (Images, error) {
	out := names()
	cli, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return Images{}, fmt.Errorf("%w (%v)", ErrNoEngine, err)
	}
	defer cli.Close()
	if _, err := cli.Ping(ctx); err != nil {
		return Images{}, fmt.Errorf("%w (%v)", ErrNoEngine, err)
	}
	missing, err := absent(ctx, cli, out)
	if err != nil || len(missing) == 0 {
		return out, err
	}
	unlock, err := lock(ctx)
	if err != nil {
		return Images{}, err
	}
	defer unlock()
	if missing, err = absent(ctx, cli, out); err != nil || len(missing) == 0 {
		return out, err
	}
	server, err := cli.ServerVersion(ctx)
	if err != nil {
		return Images{}, fmt.Errorf("asking the engine for its architecture: %w", err)
	}
	binary, err := buildShell(ctx, server.Arch)
	if err != nil {
		return Images{}, err
	}
	for _, v := range missing {
		if err := importImage(ctx, cli, v, out.All()[v.name], binary); err != nil {
			return Images{}, fmt.Errorf("importing test image %s: %w", out.All()[v.name], err)
		}
	}
	return out, nil
}

// absent gives the variants that the engine doesn't have.
func absent(ctx context.Context, cli *client.Client, want Images) ([]variant, error) {
	var missing []variant
	for _, v := range variants() {
		_, err := cli.ImageInspect(ctx, want.All()[v.name])
		switch {
		case cerrdefs.IsNotFound(err):
			missing = append(missing, v)
		case err != nil:
			return nil, fmt.Errorf("asking the engine for %s: %w", want.All()[v.name], err)
		}
	}
	return missing, nil
}

func importImage(ctx context.Context, cli *client.Client, v variant, name string, binary []byte) error {
	r, w := io.Pipe()
	go func() { w.CloseWithError(writeRoot(w, v.homes, binary)) }()
	defer r.Close()
	body, err := cli.ImageImport(ctx, image.ImportSource{Source: r, SourceName: "-"}, name, image.ImportOptions{Changes: v.changes})
	if err != nil {
		return err
	}
	defer body.Close()
	return jsonmessage.DisplayJSONMessagesStream(body, io.Discard, 0, false, nil) // an import can fail in its answer's stream
}
