package docker_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/abide-agent/abide/internal/testimage"
	"github.com/abide-agent/abide/runner/docker"
	"github.com/abide-agent/abide/runner/executortest"
)

// registry serves one image, without a shell in it, to those who know the
// password: enough of the distribution API (v2) for an engine to pull it.
type registry struct {
	blobs    map[string][]byte
	manifest []byte
	pulls    atomic.Int32 // of the manifest
}

func newRegistry(t *testing.T) (*registry, string) {
	t.Helper()
	var plain, packed bytes.Buffer
	tw := tar.NewWriter(&plain)
	text := []byte("from " + t.Name())
	if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "readme", Mode: 0o644, Size: int64(len(text))}); err != nil {
		t.Fatal(err)
	}
	_, _ = tw.Write(text)
	tw.Close()
	zw := gzip.NewWriter(&packed)
	_, _ = zw.Write(plain.Bytes())
	zw.Close()
	r := &registry{blobs: map[string][]byte{}}
	layer := r.blob(packed.Bytes())
	config := r.blob(fmt.Appendf(nil, `{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["sha256:%x"]}}`, sha256.Sum256(plain.Bytes())))
	r.manifest = fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",
		"config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":%d,"digest":%q},
		"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","size":%d,"digest":%q}]}`, len(r.blobs[config]), config, len(r.blobs[layer]), layer)
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	return r, strings.TrimPrefix(srv.URL, "http://")
}

func (r *registry) blob(b []byte) string {
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	r.blobs[digest] = b
	return digest
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if user, password, _ := req.BasicAuth(); user != "me" || password != "s3cret" {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`, http.StatusUnauthorized)
		return
	}
	_, last, _ := strings.Cut(req.URL.Path, "/v2/only/")
	kind, name, _ := strings.Cut(last, "/")
	switch {
	case req.URL.Path == "/v2/":
	case kind == "manifests" && name != "missing":
		if req.Method == http.MethodGet {
			r.pulls.Add(1)
		}
		w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v2+json")
		w.Header().Set("Docker-Content-Digest", fmt.Sprintf("sha256:%x", sha256.Sum256(r.manifest)))
		_, _ = w.Write(r.manifest)
	case kind == "blobs" && r.blobs[name] != nil:
		_, _ = w.Write(r.blobs[name])
	default:
		http.Error(w, `{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}`, http.StatusNotFound)
	}
}

// login writes a Docker config for a registry and gives its directory.
func login(t *testing.T, registry, password string) string {
	t.Helper()
	dir := t.TempDir()
	auth := base64.StdEncoding.EncodeToString([]byte("me:" + password))
	if err := os.WriteFile(filepath.Join(dir, "config.json"), fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, registry, auth), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestPull(t *testing.T) {
	t.Parallel()
	testimage.Require(t)
	newFlaky(t) // a remote engine can't reach our registry
	r, addr := newRegistry(t)
	name := addr + "/only:v1"
	removeImages(t, name)
	with := func(password string) *docker.Executor {
		e, err := docker.New(docker.Options{ConfigDir: login(t, addr, password)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close() })
		return e
	}
	_, _, err := perform(t, with("wrong"), engineSpec(name, "true"))
	if err == nil || !strings.Contains(err.Error(), "docker login "+addr) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong password gives %v", err)
	}
	e := with("s3cret")
	if _, _, err := perform(t, e, engineSpec(addr+"/only:missing", "true")); err == nil || !strings.Contains(err.Error(), "manifest unknown") && !strings.Contains(err.Error(), "not found") {
		t.Errorf("a missing tag gives %v", err)
	}
	var wg sync.WaitGroup
	var recs [3]*executortest.Recorder
	for i := range recs {
		wg.Go(func() {
			spec := engineSpec(name, "true")
			spec.Labels.Job = fmt.Sprint("job-", i)
			var err error
			_, recs[i], err = perform(t, e, spec)
			if err == nil || !strings.Contains(err.Error(), "has no /bin/sh") {
				t.Errorf("an image without a shell gives %v", err)
			}
		})
	}
	wg.Wait()
	told := 0
	for _, rec := range recs {
		told += len(rec.Narrated("Pulling image"))
	}
	if n := r.pulls.Load(); n != 1 || told != 1 {
		t.Errorf("three jobs pulled %d times, and said so %d times", n, told)
	}
}
