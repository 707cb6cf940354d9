package docker

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/filecopy"
)

// maxDockerfile bounds how long a Dockerfile may be, in bytes.
const maxDockerfile = 1 << 20

// buildContext is what a build gets to see: the Dockerfile's directory, less
// what .dockerignore excludes; see [runner.ContextSet].
type buildContext struct {
	tree       fs.FS  // the source's
	name       string // the Dockerfile's path in it
	dockerfile string // and in its own directory
	text       []byte
	digest     string // of everything that is sent
}

// newBuildContext opens the context of a Dockerfile and takes its digest.
func newBuildContext(ctx context.Context, tree fs.FS, dockerfile string) (*buildContext, error) {
	name, text, err := checkDockerfile(tree, dockerfile)
	if err != nil {
		return nil, err
	}
	bc := &buildContext{tree: tree, name: name, dockerfile: path.Base(name), text: text}
	bc.digest, err = bc.copy(ctx, nowhere{})
	return bc, err
}

// copy streams the context, and gives a digest that also tells apart two
// Dockerfiles of one directory.
func (bc *buildContext) copy(ctx context.Context, sink filecopy.Sink) (string, error) {
	tree := bc.tree
	if dir := path.Dir(bc.name); dir != "." {
		var err error
		if tree, err = fs.Sub(tree, dir); err != nil {
			return "", err
		}
	}
	digest, err := filecopy.Copy(ctx, tree, runner.ContextSet(bc.tree, bc.name), sink)
	if err != nil {
		return "", fmt.Errorf("the build context of %s: %w", bc.name, err)
	}
	sum := sha256.Sum256([]byte(bc.dockerfile + "\n" + digest))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// nowhere is a sink for the digest's sake.
type nowhere struct{}

func (nowhere) Dir(string, fs.FileInfo) error          { return nil }
func (nowhere) Link(string, string, fs.FileInfo) error { return nil }
func (nowhere) File(_ string, _ fs.FileInfo, r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

// stream writes the context as a tar archive.
func (bc *buildContext) stream(ctx context.Context, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<20)
	sink := filecopy.NewTar(out, "", 0, 0)
	if _, err := bc.copy(ctx, sink); err != nil {
		return err
	}
	return errors.Join(sink.Close(), out.Flush())
}

func isNotTaken(err error) bool { return errors.Is(err, errNotTaken) }

// What only BuildKit understands: a frontend of its own, mounts and networks of
// a RUN, flags of COPY and ADD, here-documents.
var buildkitOnly = regexp.MustCompile(`(?im)^\s*#\s*syntax\s*=|^\s*RUN\s+--(mount|network|security)|^\s*(COPY|ADD)\s+.*--(chmod|link|parents|checksum|exclude|keep-git-dir)|^\s*(RUN|COPY|ADD)\s.*<<-?["']?[A-Za-z_]`)

// needsBuildKit chooses the builder. The classic one is taken where it will do:
// it can pull private base images with the credentials that it is given, which
// BuildKit only can over a session of its client.
func (bc *buildContext) needsBuildKit() bool {
	return buildkitOnly.Match(bytes.ReplaceAll(bc.text, []byte("\\\n"), nil))
}
