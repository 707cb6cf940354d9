package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/pkg/jsonmessage"

	"github.com/abide-agent/abide/runner"
	"github.com/abide-agent/abide/sse"
)

// progressEvery is how often the progress of a pull is told at most.
const progressEvery = 500 * time.Millisecond

// pull fetches an image and tells its progress.
func (e *Executor) pull(ctx context.Context, eng *engine, ref reference.Named, obs runner.Observer) error {
	name := reference.FamiliarString(ref)
	obs.Narrate(sse.Info, "Pulling image "+name)
	auth, err := e.credentials(ctx, ref)
	if err != nil {
		obs.Narrate(sse.Warning, fmt.Sprintf("Registry credentials can't be read: %s; pulling without", message(err)))
	}
	body, err := eng.api.ImagePull(ctx, ref.String(), image.PullOptions{RegistryAuth: auth})
	if err == nil {
		err = follow(body, &layers{name: name, tell: func(text string) { obs.Narrate(sse.Info, text) }})
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && lost(err) {
		return eng.unavailable(err)
	}
	if err != nil {
		return fmt.Errorf("image %q is not on the engine and could not be pulled: %s; check its name, the network, and `docker login %s`, or load it with `docker load`",
			name, message(err), reference.Domain(ref))
	}
	obs.Narrate(sse.Info, "Image "+name+" was pulled")
	return nil
}

// listener is told each message of an engine's answer stream.
type listener interface {
	message(jsonmessage.JSONMessage)
}

// follow reads an answer stream to its end. An error inside the stream counts:
// the engine has answered 200 long before it knows how a pull or build ends.
func follow(body io.ReadCloser, to listener) error {
	defer body.Close()
	dec := json.NewDecoder(body)
	for {
		var m struct {
			jsonmessage.JSONMessage
			Plain string `json:"error"` // what an engine says that sends no errorDetail
		}
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch {
		case m.Error != nil:
			return m.Error
		case m.Plain != "":
			return errors.New(m.Plain)
		}
		to.message(m.JSONMessage)
	}
}

// layers sums up the progress of an image's layers.
type layers struct {
	name   string
	tell   func(string)
	layer  map[string]*progress
	last   time.Time
	latest string
}

type progress struct {
	got, size int64
	done      bool
}

func (l *layers) message(m jsonmessage.JSONMessage) {
	if m.ID == "" || m.Status == "" {
		return
	}
	if l.layer == nil {
		l.layer, l.last = map[string]*progress{}, time.Now()
	}
	p := l.layer[m.ID]
	if p == nil {
		if len(l.layer) > 1000 {
			return // no image has that many
		}
		p = &progress{}
		l.layer[m.ID] = p
	}
	switch m.Status {
	case "Downloading":
		if m.Progress != nil {
			p.got, p.size = m.Progress.Current, max(m.Progress.Total, p.size)
		}
	case "Download complete":
		p.got = p.size
	case "Pull complete", "Already exists":
		p.got, p.done = p.size, true
	}
	if now := time.Now(); now.Sub(l.last) >= progressEvery {
		l.last = now
		l.report()
	}
}

func (l *layers) report() {
	var done int
	var got, size int64
	for _, p := range l.layer {
		got, size = got+p.got, size+p.size
		if p.done {
			done++
		}
	}
	text := fmt.Sprintf("Pulling %s: %d of %d layers, %.1f of %.1f MB", l.name, done, len(l.layer), float64(got)/1e6, float64(size)/1e6)
	if text != l.latest {
		l.latest = text
		l.tell(text)
	}
}
