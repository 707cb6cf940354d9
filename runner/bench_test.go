package runner

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

const typical = `workflow:
  - build
  - test
  - deploy
schedule: "30 3 * * *"
build: {image: golang:1.26, copyFiles: true, copyIgnore: [node_modules, "*.log", .git], script: [go build ./...]}
test:
  image: golang:1.26
  parallel: true
  retry: {attempts: 3, delay: 2, backoff: 1.5}
  script:
    - go vet ./...
    - go test ./...
deploy:
  image: alpine:latest
  condition: $BRANCH == "main" && !$DRY_RUN
  env: [TARGET=production]
  port: "127.0.0.1:8080:80"
  script: ./deploy.sh
`

// BenchmarkParse1000 is what a reconcile of 1,000 pipelines parses; its share
// of the 300 ms that this may take should be small.
func BenchmarkParse1000(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		for range 1000 {
			if !IsPipeline([]byte(typical)) {
				b.Fatal("not ours")
			}
			if p, list := Parse("n", "f", []byte(typical)); p == nil {
				b.Fatal(list)
			}
		}
	}
}

func BenchmarkConditionEval(b *testing.B) {
	c, err := ParseCondition(`$BRANCH == "main" && ($DEPLOY || !$DRY_RUN)`)
	if err != nil {
		b.Fatal(err)
	}
	lookup := environment("BRANCH=main DRY_RUN=1")
	for b.Loop() {
		c.Eval(lookup)
	}
}

func BenchmarkScheduleNext(b *testing.B) {
	s, err := ParseSchedule("30 2 * * 1-5", "Europe/Berlin")
	if err != nil {
		b.Fatal(err)
	}
	t := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for b.Loop() {
		t = s.Next(t)
	}
}

// constant is a tree that names content at no cost and lists from memory.
type constant struct {
	fs.FS
	dirs map[string][]fs.DirEntry
}

func (c constant) Hash(name string) (string, error) {
	return "40 hex digits of an object of " + name, nil
}

func (c constant) ReadDir(name string) ([]fs.DirEntry, error) {
	return c.dirs[name], nil
}

func bigTree(b *testing.B, files int) constant {
	tree := fstest.MapFS{}
	for i := range files {
		tree[fmt.Sprintf("src/package%02d/file_%04d.go", i%100, i)] = &fstest.MapFile{}
	}
	c := constant{tree, map[string][]fs.DirEntry{}}
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			c.dirs[path], err = tree.ReadDir(path)
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// BenchmarkInputDigest10000 has a tree of 10,000 files: the bar is 100 ms.
func BenchmarkInputDigest10000(b *testing.B) {
	tree := bigTree(b, 10_000)
	for _, tc := range []struct{ name, fields string }{
		{"all", "copyFiles: true"},
		{"ignore", "copyFiles: true, copyIgnore: [node_modules, '*.log', '.git', coverage, dist, '.env*']"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			p := parsed(b, strings.ReplaceAll("workflow: j\nj: {image: a, F}", "F", tc.fields))
			for b.Loop() {
				if _, err := p.InputDigest(tree); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("remembered", func(b *testing.B) {
		var digests Digests
		p := parsed(b, "workflow: j\nj: {image: a, copyFiles: true, copyIgnore: node_modules}")
		for b.Loop() {
			if _, err := digests.Of(p, tree); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("paths", func(b *testing.B) {
		p := parsed(b, "workflow: j\ntrigger: {paths: ['**/*.go', '!**/*_test.go']}\nj: {image: a}")
		for b.Loop() {
			if _, err := p.InputDigest(tree); err != nil {
				b.Fatal(err)
			}
		}
	})
}
