package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// caller is a client of the API that does as little as a client can, over one
// connection that it keeps: it shares the machine with the agent, and what is
// measured is the agent.
type caller struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	body []byte // of the last answer, used again for the next one
}

func (d *daemon) caller(ctx context.Context) (*caller, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", strings.TrimPrefix(d.base, "http://"))
	if err != nil {
		return nil, err
	}
	return &caller{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (c *caller) close() error { return c.conn.Close() }

// do sends a request and reads its answer.
func (c *caller) do(method, path, body string) (status int, err error) {
	c.out = append(c.out[:0], method+" "+path+" HTTP/1.1\r\nHost: localhost\r\n"...)
	if body != "" {
		c.out = append(c.out, "Content-Type: application/json\r\nContent-Length: "...)
		c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
		c.out = append(c.out, "\r\n"...)
	}
	c.out = append(append(c.out, "\r\n"...), body...)
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	c.body = c.body[:0]
	if n := int(resp.ContentLength); n > cap(c.body) {
		c.body = make([]byte, 0, n)
	}
	for {
		if len(c.body) == cap(c.body) {
			c.body = append(c.body, 0)[:len(c.body)]
		}
		n, err := resp.Body.Read(c.body[len(c.body):cap(c.body)])
		c.body = c.body[:len(c.body)+n]
		if errors.Is(err, io.EOF) {
			return resp.StatusCode, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// expect is do that fails on any other status.
func (c *caller) expect(status int, method, path, body string) error {
	got, err := c.do(method, path, body)
	if err == nil && got != status {
		err = fmt.Errorf("%s %s: %d: %s", method, path, got, c.body)
	}
	return err
}

// eachCaller sends n requests by several callers, each with its connection.
func (d *daemon) eachCaller(ctx context.Context, callers, n int, do func(c *caller, i int) error) error {
	all := make([]*caller, min(callers, n))
	for g := range all {
		var err error
		if all[g], err = d.caller(ctx); err != nil {
			return err
		}
		defer all[g].close()
	}
	return side(len(all), len(all), func(g int) error {
		for i := g; i < n; i += len(all) {
			if err := do(all[g], i); err != nil {
				return err
			}
		}
		return nil
	})
}
