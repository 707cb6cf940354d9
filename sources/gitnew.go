package sources

import (
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// GitOptions says which commits of which repository are wanted.
type GitOptions struct {
	Name     string        // default: the last element of URL
	URL      string        // a path, file://, http(s):// or ssh, see ParseLocation
	Auth     GitAuth       // towards a remote repository, beside what its URL holds
	Ref      Ref           // default: the branch of HEAD
	Path     string        // what lies above it is not seen; default: everything
	Interval time.Duration // between polls, ±10 %; default 30 s
	Dir      string        // where the clone of a remote repository is kept (made with mode 0700); default: a temporary directory
	MaxBytes int64         // of a clone; default 2 GiB
	MaxBlob  int64         // of one object, when it is fetched; default 512 MiB
	Timeout  time.Duration // without a byte from the server; default 60 s

	// Transport carries the requests to a remote repository; default: one made of
	// Auth.
	Transport http.RoundTripper
	Rand      func() float64                       // for jitter, in [0,1); default math/rand
	After     func(time.Duration) <-chan time.Time // default time.After
	Note      func(text string)                    // told what is worth a log line; default: nobody
}

// NewGit checks the options. It touches neither the repository nor the network:
// what is wrong there is the error of a Snapshot, and may mend.
func NewGit(opt GitOptions) (*Git, error) {
	loc, err := ParseLocation(opt.URL)
	if err != nil {
		return nil, err
	}
	if err := opt.Auth.check(loc); err != nil {
		return nil, fmt.Errorf("%s: %w", loc, err)
	}
	if opt.Ref, err = opt.Ref.normalize(); err != nil {
		return nil, fmt.Errorf("%s: %w", loc, err)
	}
	if opt.Path, err = cleanScope(opt.Path); err != nil {
		return nil, fmt.Errorf("%s: %w", loc, err)
	}
	if p, local := loc.Local(); local {
		if loc.path, err = filepath.Abs(p); err != nil {
			return nil, fmt.Errorf("%s: %w", loc, err)
		}
	}
	if opt.Name == "" {
		opt.Name = loc.Base()
	}
	if opt.Note == nil {
		opt.Note = func(string) {}
	}
	g := &Git{opt: opt, loc: loc, turn: make(chan struct{}, 1)}
	if _, local := loc.Local(); !local {
		if g.clone, err = newMirror(opt, loc); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// cleanScope brings a source's path into the form of an fs path.
func cleanScope(p string) (string, error) {
	clean := path.Clean(strings.TrimLeft(filepath.ToSlash(p), "/"))
	if p == "" || clean == "." {
		return ".", nil
	}
	if !fs.ValidPath(clean) || strings.ContainsRune(clean, 0) {
		return "", fmt.Errorf("the path %q leaves the repository; give one below its root", p)
	}
	return clean, nil
}
