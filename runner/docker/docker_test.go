package docker_test

import (
	"context"
	"io/fs"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/executortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newExecutor(t *testing.T) runner.Executor {
	t.Helper()
	e, err := docker.New(docker.Options{Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestContractOnEveryImage(t *testing.T) {
	t.Parallel()
	images := testimage.Require(t)
	for name, image := range images.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			executortest.Run(t, newExecutor, executortest.Options{
				Image: image, Adopts: true, Brief: name != "cmd",
				ReadOnlyDefaultDir: name == "user" || name == "named",
			})
		})
	}
}

// dirTree makes Spec.Tree of a directory.
func dirTree(dir string) func(context.Context) (fs.FS, error) {
	return func(context.Context) (fs.FS, error) { return os.DirFS(dir), nil }
}
