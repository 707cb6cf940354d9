package sources

import (
	"context"
	"errors"
	"io"
	"math"
	"sync/atomic"
	"time"
)

const maxAdvertised = 64 << 20 // bytes of the list of refs: several hundred thousand

var (
	errStalled  = errors.New("the server sends nothing any more")
	errTooLarge = errors.New("the repository is larger than allowed")
)

// meter bounds what a server may send and how long it may be silent. It
// remembers why an operation broke off, since go-git does not always keep the
// cause.
type meter struct {
	stall time.Duration
	left  atomic.Int64          // bytes of packs that may still be received
	fault atomic.Pointer[error] // of the present operation
}

// allow sets what the server may send in the operation that follows.
func (m *meter) allow(bytes int64) {
	m.left.Store(min(max(bytes, 0), math.MaxInt64/2))
	m.fault.Store(nil)
}

// watched bounds reading from a server. cut breaks off what is read from when it
// is silent for too long; the caller stops the watch with close.
func (m *meter) watched(ctx context.Context, r io.Reader, left *atomic.Int64, cut context.CancelCauseFunc) *meteredReader {
	return &meteredReader{body: r, meter: m, ctx: ctx, left: left, timer: time.AfterFunc(m.stall, func() { cut(errStalled) })}
}

// because remembers why an operation ended, if it was our own doing.
func (m *meter) because(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	if errors.Is(err, errStalled) || errors.Is(err, errTooLarge) {
		m.fault.CompareAndSwap(nil, &err)
	}
	return err
}

// meteredReader reads what a server sends.
type meteredReader struct {
	body  io.Reader
	meter *meter
	ctx   context.Context // its cause tells of a silence
	timer *time.Timer
	left  *atomic.Int64 // nil is without a bound
}

func (r *meteredReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.meter.stall)
	n, err := r.body.Read(p)
	if r.left != nil && r.left.Add(-int64(n)) < 0 {
		return 0, r.meter.because(r.ctx, errTooLarge)
	}
	if err != nil && (err != io.EOF || context.Cause(r.ctx) != nil) {
		err = r.meter.because(r.ctx, err)
	}
	return n, err
}

// listLimit is what a list of refs may take.
func listLimit() *atomic.Int64 {
	limit := new(atomic.Int64)
	limit.Store(maxAdvertised)
	return limit
}
