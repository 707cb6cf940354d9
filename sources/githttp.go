package sources

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	maxRedirects   = 5
	maxErrorBody   = 4 << 10  // of an answer that only says what is wrong
	maxAdvertised  = 64 << 20 // of the list of refs: several hundred thousand
	maxHeaderBytes = 1 << 20
)

var (
	errStalled  = errors.New("the server sends nothing any more")
	errTooLarge = errors.New("the repository is larger than allowed")
	errRedirect = errors.New("the server redirects to a place that is refused")
)

// boundedWire is the RoundTripper that a clone is fetched through. It bounds
// what an answer may hold and how long the server may be silent, and remembers
// why it broke off, since go-git does not always keep the cause.
type boundedWire struct {
	next  http.RoundTripper
	stall time.Duration
	left  atomic.Int64          // bytes that may still be received
	fault atomic.Pointer[error] // of the present operation
}

// newWire gives the default transport. Git's own proxies come from the
// environment too.
func newWire() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout:    30 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           2,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// RoundTrip sends a request and watches over its answer.
func (w *boundedWire) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(w.stall, func() { cancel(errStalled) })
	stop := func() {
		timer.Stop()
		cancel(nil)
	}
	res, err := w.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		stop()
		return nil, w.because(ctx, err)
	}
	limit := &w.left
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxErrorBody), res.Body}
		limit = nil
	case req.Method == http.MethodGet:
		limit = new(atomic.Int64)
		limit.Store(maxAdvertised)
	}
	res.Body = &boundedBody{body: res.Body, wire: w, ctx: ctx, timer: timer, stop: stop, left: limit}
	return res, nil
}

// because remembers why an operation ended, if it was our own doing.
func (w *boundedWire) because(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStalled) {
		err = errStalled
	}
	if errors.Is(err, errStalled) || errors.Is(err, errTooLarge) {
		w.fault.CompareAndSwap(nil, &err)
	}
	return err
}

type boundedBody struct {
	body  io.ReadCloser
	wire  *boundedWire
	ctx   context.Context
	timer *time.Timer
	stop  func()
	left  *atomic.Int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	b.timer.Reset(b.wire.stall)
	n, err := b.body.Read(p)
	if b.left != nil && b.left.Add(-int64(n)) < 0 {
		return 0, b.wire.because(b.ctx, errTooLarge)
	}
	if err != nil && err != io.EOF {
		err = b.wire.because(b.ctx, err)
	}
	return n, err
}

func (b *boundedBody) Close() error {
	err := b.body.Close()
	b.stop()
	return err
}

// redirectRule refuses redirects that lead anywhere but to http(s), or deeper
// into the network than the address that was configured: a public server must
// not make the agent ask its cloud's metadata service or its own loopback.
func redirectRule(origin *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return fmt.Errorf("%w: there are more than %d in a row", errRedirect, maxRedirects)
		case req.URL.Scheme != "http" && req.URL.Scheme != "https":
			return fmt.Errorf("%w: its scheme is neither http nor https", errRedirect)
		case req.URL.Hostname() == origin.Hostname():
			return nil
		}
		from, to := reach(req.Context(), origin.Hostname()), reach(req.Context(), req.URL.Hostname())
		if to > from {
			return fmt.Errorf("%w: it leads to %s; if that is meant, configure the address it leads to", errRedirect, placeNames[to])
		}
		return nil
	}
}

// The places a host can be at, from the outside in.
const (
	public = iota
	private
	ownMachine
)

var placeNames = [...]string{public: "a public address", private: "a private network", ownMachine: "this machine or its link"}

// reach says how deep inside a host lies: the deepest of its addresses counts.
func reach(ctx context.Context, host string) int {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if addr, perr := netip.ParseAddr(host); perr == nil {
		addrs, err = []netip.Addr{addr}, nil
	}
	if err != nil {
		return public // it cannot be reached either, unless a proxy resolves it
	}
	deepest := public
	for _, a := range addrs {
		switch a = a.Unmap(); {
		case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsUnspecified(), a.IsMulticast():
			deepest = ownMachine
		case a.IsPrivate():
			deepest = max(deepest, private)
		}
	}
	return deepest
}
