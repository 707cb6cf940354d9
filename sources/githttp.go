package sources

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

const (
	maxErrorBody   = 4 << 10 // of an answer that only says what is wrong
	maxHeaderBytes = 1 << 20
)

// boundedWire is the RoundTripper that a clone is fetched through. It bounds
// what an answer may hold and how long the server may be silent.
type boundedWire struct {
	*meter
	next http.RoundTripper
}

// httpRemote speaks to a server by http(s).
type httpRemote struct {
	loc   Location
	next  http.RoundTripper
	trans transport.Transport
	auth  transport.AuthMethod
}

func newHTTPRemote(opt GitOptions, loc Location, m *meter) *httpRemote {
	r := &httpRemote{loc: loc, next: opt.Transport}
	if r.next == nil {
		r.next = newWire()
	}
	wire := &boundedWire{m, r.next}
	r.trans = githttp.NewClientWithOptions(&http.Client{Transport: wire, CheckRedirect: redirectRule(loc.url)}, nil)
	if user, password, ok := loc.credentials(); ok {
		r.auth = &githttp.BasicAuth{Username: user, Password: password}
	}
	return r
}

func (r *httpRemote) hangUp() {}

func (r *httpRemote) close() {
	if t, ok := r.next.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
}

func (r *httpRemote) hint() string {
	if r.auth != nil {
		return "check the user and token in its URL"
	}
	return "put USER:TOKEN@ before the host of its URL"
}

func (r *httpRemote) advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error) {
	u := r.loc.url
	port, _ := strconv.Atoi(u.Port())
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	session, err := r.trans.NewUploadPackSession(&transport.Endpoint{
		Protocol: u.Scheme, Host: host, Port: port, Path: u.EscapedPath(),
	}, r.auth)
	if err != nil {
		return nil, nil, err
	}
	adv, err := session.AdvertisedReferencesContext(ctx)
	return session, adv, err
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
	body := w.watched(ctx, nil, &w.left, cancel)
	stop := func() {
		body.timer.Stop()
		cancel(nil)
	}
	res, err := w.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		stop()
		return nil, w.because(ctx, err)
	}
	body.body = res.Body
	switch {
	case res.StatusCode < 200 || res.StatusCode > 299:
		body.body, body.left = io.LimitReader(res.Body, maxErrorBody), nil
	case req.Method == http.MethodGet:
		body.left = listLimit()
	}
	res.Body = &boundedBody{body, res.Body, stop}
	return res, nil
}

type boundedBody struct {
	io.Reader
	body io.Closer
	stop func()
}

func (b *boundedBody) Close() error {
	err := b.body.Close()
	b.stop()
	return err
}
