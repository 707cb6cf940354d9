package forge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// Errors of [Receiver.Deliver]. Neither says why: that is nobody's business who
// can't prove to be the sender.
var (
	ErrUnknown  = errors.New("there is no such webhook")
	ErrUnproven = errors.New("the delivery is not proven to come from the sender")
)

// Hook is the webhook of one source.
type Hook struct {
	Source     string
	SecretFile string // one secret, or the new and the old one, each on its line
	// Branch or Tag is what the source follows, so that what happens to other
	// refs is no reason to look. Both empty: everything is.
	Branch, Tag string
}

// ReceiverOptions are what a Receiver is made of. Look and Seen are required.
type ReceiverOptions struct {
	Hooks []Hook
	Look  func(source string) // has a source looked at soon; must not block
	Seen  Seen
	Every time.Duration // at most one look at a source in this time
	Note  func(string)  // what its operator should know
}

// Receiver judges deliveries. All methods are safe for concurrent use.
type Receiver struct {
	o     ReceiverOptions
	hooks map[string]*hook
}

// hook is one webhook at work.
type hook struct {
	Hook
	memory memory
	wake   chan struct{} // capacity 1: look

	mu    sync.Mutex
	noted map[string]time.Time // what the operator was told, and when
}

// noteEvery is how often the same thing is told about one webhook: whoever can
// reach the agent may cause it.
const noteEvery = time.Minute

// NewReceiver makes a receiver and reads what it remembers.
func NewReceiver(ctx context.Context, o ReceiverOptions) *Receiver {
	r := &Receiver{o: o, hooks: map[string]*hook{}}
	for _, given := range o.Hooks {
		h := &hook{Hook: given, wake: make(chan struct{}, 1), noted: map[string]time.Time{}}
		known, err := o.Seen.Load(ctx, h.Source)
		if err != nil {
			r.note(h, "what is remembered of earlier deliveries can't be read, so that a repeated one may cause one more look", err)
		}
		h.memory.decode(known)
		if _, err := hookSecrets(h.SecretFile); err != nil {
			r.note(h, "every delivery is refused until that is mended", err)
		}
		r.hooks[h.Source] = h
	}
	return r
}

// Deliver judges one delivery by its headers and its body, and says in a word
// for the sender what comes of it. Nothing of the body is read for somebody who
// shows no proof, or a wrong token. An error is [ErrUnknown], [ErrUnproven], or
// the body's own. The body must be bounded by the caller, in bytes and time.
func (r *Receiver) Deliver(source string, header http.Header, body io.Reader) (string, error) {
	h := r.hooks[source]
	if h == nil {
		return "", ErrUnknown
	}
	p := proofOf(header)
	if p.none() {
		return "", r.unproven(h)
	}
	secrets, err := hookSecrets(h.SecretFile)
	if err != nil {
		r.note(h, "a delivery was refused", err)
		return "", ErrUnproven
	}
	byToken := p.tokenRight(secrets)
	if !byToken && len(p.signatures) == 0 {
		return "", r.unproven(h)
	}
	d, err := digest(body, secrets)
	if err != nil {
		return "", err
	}
	signed := p.signatureRight(d.macs)
	if !byToken && !signed {
		return "", r.unproven(h)
	}
	return h.take(header, d, signed), nil
}

func (r *Receiver) unproven(h *hook) error {
	r.note(h, "a delivery was refused", errors.New("its signature or token is missing, or not that of the secret; give the forge the secret that the file holds"))
	return ErrUnproven
}

// take acts upon a delivery that was proven.
func (h *hook) take(header http.Header, d digested, signed bool) string {
	switch meaningOf(header) {
	case pings:
		return "pong"
	case idles:
		return "no ref moves by this"
	}
	if !concerns(h.Branch, h.Tag, movedRef(d.head)) {
		return "the source follows another ref"
	}
	// The name of a delivery is not signed, so that a signed body counts, too.
	// Who shows the secret itself could send any body.
	var keys []key
	if id := first(header, deliveryHeaders); id != "" {
		keys = append(keys, keyOf("delivery", []byte(id)))
	}
	if signed {
		keys = append(keys, keyOf("body", d.sum))
	}
	if !h.memory.fresh(keys...) {
		return "this delivery was here before"
	}
	select {
	case h.wake <- struct{}{}:
	default: // a look is due already
	}
	return "the source is looked at"
}

// Run causes the looks until ctx ends: one at once, and as many as come within
// the time after it together one at its end.
func (r *Receiver) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, h := range r.hooks {
		wg.Go(func() { r.follow(ctx, h) })
	}
	wg.Wait()
}

func (r *Receiver) follow(ctx context.Context, h *hook) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case <-ctx.Done():
			return
		case <-h.wake:
		}
		r.o.Look(h.Source)
		// What a crash takes from the memory before this may cause one look more.
		if err := r.o.Seen.Save(ctx, h.Source, h.memory.encode()); err != nil && ctx.Err() == nil {
			r.note(h, "what is remembered of deliveries can't be written, so that a repeated one may cause one more look after a restart", err)
		}
		timer.Reset(r.o.Every)
	}
}

func (r *Receiver) note(h *hook, what string, err error) {
	h.mu.Lock()
	now := time.Now()
	told := now.Sub(h.noted[what]) < noteEvery
	if !told {
		h.noted[what] = now
	}
	h.mu.Unlock()
	if !told && r.o.Note != nil {
		r.o.Note(fmt.Sprintf("webhook of source %s: %s: %v", h.Source, what, err))
	}
}
