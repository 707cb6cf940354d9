package sources

import (
	"context"
	"io"
	"net/http"
)

const maxErrorBody = 4 << 10 // of an answer that only says what is wrong

// boundedWire is the RoundTripper that a clone is fetched through. It bounds
// what an answer may hold and how long the server may be silent.
type boundedWire struct {
	*meter
	next http.RoundTripper
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
