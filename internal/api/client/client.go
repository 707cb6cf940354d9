package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const (
	dialTime   = 5 * time.Second
	maxAnswer  = 64 << 20         // bytes of one JSON answer
	quietTime  = 60 * time.Second // a stream has a heartbeat every 15 s
	firstWait  = 250 * time.Millisecond
	longWait   = 15 * time.Second
	tokenEnv   = "ABIDE_TOKEN"
	unixServer = "http://localhost" // what Host says on a Unix socket
)

// Client talks to one agent. It is safe for concurrent use.
type Client struct {
	server string // as messages name it, without secrets
	base   *url.URL
	auth   string // the value of Authorization, or ""
	http   *http.Client
	sleep  func(context.Context, time.Duration) error
	quiet  time.Duration
}

// Option changes what New makes.
type Option func(*Client)

// Token is sent with every request instead of the variable ABIDE_TOKEN.
func Token(value string) Option {
	return func(c *Client) {
		if value != "" {
			c.auth = "Bearer " + value
		}
	}
}

// New makes a client of the agent at server: http://HOST:PORT, https://…, a
// bare HOST:PORT, or a Unix socket as unix:///PATH, http+unix://%2FPATH or
// /PATH. It does not connect yet. User and password in the address are sent as
// Basic credentials, for a proxy in front; a token takes their place.
func New(server string, opts ...Option) (*Client, error) {
	base, socket, err := parseServer(server)
	if err != nil {
		return nil, err
	}
	c := &Client{base: base, sleep: sleep, quiet: quietTime}
	if u := base.User; u != nil {
		password, _ := u.Password()
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(u.Username(), password)
		c.auth = r.Header.Get("Authorization")
		base.User = nil
	}
	Token(os.Getenv(tokenEnv))(c)
	for _, o := range opts {
		o(c)
	}
	dialer := &net.Dialer{Timeout: dialTime}
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSHandshakeTimeout: dialTime,
		IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 1 << 20,
	}
	c.server = base.String()
	if socket != "" {
		c.server = "unix://" + socket
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	c.http = &http.Client{Transport: t}
	return c, nil
}

// Server gives the agent's address, without secrets.
func (c *Client) Server() string { return c.server }

// Close drops connections that are idle.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// parseServer reads an address; socket is set for a Unix socket. What it can't
// read it doesn't repeat, since it may hold a password.
func parseServer(server string) (base *url.URL, socket string, err error) {
	const forms = "write http://HOST:PORT, https://HOST or unix:///PATH"
	if strings.HasPrefix(server, "/") {
		server = "unix://" + server
	}
	if path, ok := strings.CutPrefix(server, "unix://"); ok {
		socket = path
	} else if path, ok := strings.CutPrefix(server, "http+unix://"); ok {
		if socket, err = url.PathUnescape(strings.TrimSuffix(path, "/")); err != nil {
			return nil, "", errors.New("the address of the daemon is not valid; write http+unix://%2FPATH with every slash as %2F")
		}
	} else {
		if !strings.Contains(server, "://") {
			server = "http://" + server
		}
		u, err := url.Parse(server)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, "", errors.New("the address of the daemon is not valid; " + forms)
		}
		u.RawQuery, u.Fragment = "", ""
		u.Path = strings.TrimSuffix(u.Path, "/")
		u.RawPath = ""
		return u, "", nil
	}
	if !strings.HasPrefix(socket, "/") {
		return nil, "", errors.New("the socket of the daemon needs an absolute path; " + forms)
	}
	u, err := url.Parse(unixServer)
	return u, socket, err
}

// request makes a request. Elements of the path are escaped one by one, so that
// a name may hold a slash.
func (c *Client) request(ctx context.Context, method string, path []string, query url.Values, body []byte, mime string) (*http.Request, error) {
	escaped := make([]string, len(path))
	for i, p := range path {
		escaped[i] = url.PathEscape(p)
	}
	u := *c.base
	target := u.String() + "/" + strings.Join(escaped, "/")
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var rd io.Reader
	if body != nil {
		rd = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, rd)
	if err != nil {
		return nil, err
	}
	if mime != "" {
		r.Header.Set("Content-Type", mime)
	}
	if c.auth != "" {
		r.Header.Set("Authorization", c.auth)
	}
	return r, nil
}

// send gives the answer when it is a success, else an error that says why not.
func (c *Client) send(r *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(r.Context(), err)
	}
	if resp.StatusCode/100 != 2 {
		defer resp.Body.Close()
		return nil, c.readError(resp)
	}
	return resp, nil
}

// call sends a request and decodes the JSON of its answer into out.
func (c *Client) call(ctx context.Context, method string, path []string, query url.Values, body []byte, mime string, out any) error {
	r, err := c.request(ctx, method, path, query, body, mime)
	if err != nil {
		return err
	}
	resp, err := c.send(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return c.unreachable(ctx, err)
	}
	if len(b) > maxAnswer {
		return fmt.Errorf("the answer of %s is larger than %d bytes; ask for less of it", c.server, maxAnswer)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s did not answer as an abide daemon does (%v); check the address given with --server", c.server, err)
	}
	return nil
}

// sleep waits for d, or less when ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backoff gives the wait before the n-th attempt in a row, from 0, with jitter
// so that many clients do not come back at once.
func backoff(n int) time.Duration {
	d := longWait
	if n < 6 {
		d = firstWait << n
	}
	d = min(d, longWait)
	return d/2 + rand.N(d/2)
}
