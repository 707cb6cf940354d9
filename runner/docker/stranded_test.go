package docker_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/owner"
)

// TestStranded tells the container that a killed process had asked for from one
// that this process is about to start, and from one that ran.
func TestStranded(t *testing.T) {
	t.Parallel()
	image := testimage.Require(t).Cmd
	api, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	agent := fmt.Sprintf("stranded-%d-%d", os.Getpid(), time.Now().UnixNano())
	create := func(maker string, start bool) string {
		t.Helper()
		c, err := api.ContainerCreate(t.Context(), &container.Config{
			Image: image, Cmd: []string{"/bin/sh", "-c", "true"},
			Labels: map[string]string{docker.LabelAgent: agent, docker.LabelOwner: maker},
		}, nil, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = api.ContainerRemove(context.Background(), c.ID, container.RemoveOptions{Force: true})
		})
		if start {
			if err := api.ContainerStart(t.Context(), c.ID, container.StartOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		return c.ID
	}
	want := map[string]bool{create("a process that was killed", false): true, create("a process that was killed", true): false, create(owner.Self(), false): false}
	e := newExecutor(t)
	defer e.Close()
	list, err := e.List(t.Context(), agent)
	if err != nil || len(list) != len(want) {
		t.Fatalf("%d of %d containers, error %v", len(list), len(want), err)
	}
	for _, w := range list {
		if w.Stranded != want[w.ID] {
			t.Errorf("%+v: stranded should be %v", w, want[w.ID])
		}
	}
}
