package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// proxy stands between an agent and its engine and notes when a container is
// asked for, which the engine itself tells only once it has made it.
type proxy struct {
	listener net.Listener
	engine   string // the engine's socket
	created  chan time.Time
	work     sync.WaitGroup
}

// newProxy listens on a socket of its own before the engine's.
func (r *rig) newProxy() (*proxy, error) {
	engine, ok := strings.CutPrefix(r.engine.DaemonHost(), "unix://")
	if !ok {
		return nil, errors.New("the moment of a create call can be seen only before an engine on a Unix socket")
	}
	l, err := net.Listen("unix", filepath.Join(r.dir, r.name("engine")+".sock"))
	if err != nil {
		return nil, err
	}
	p := &proxy{listener: l, engine: engine, created: make(chan time.Time, 1024)}
	p.work.Go(p.accept)
	return p, nil
}

// host is what DOCKER_HOST must be for an agent to come this way.
func (p *proxy) host() string { return "unix://" + p.listener.Addr().String() }

func (p *proxy) close() error {
	err := p.listener.Close()
	p.work.Wait()
	return err
}

// next gives the moment of the next create call.
func (p *proxy) next(ctx context.Context) (time.Time, error) {
	select {
	case t := <-p.created:
		return t, nil
	case <-ctx.Done():
		return time.Time{}, context.Cause(ctx)
	case <-time.After(30 * time.Second):
		return time.Time{}, errors.New("no container was asked for within 30 s")
	}
}

func (p *proxy) accept() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.splice(c) })
	}
}

// splice carries bytes both ways until both sides are done.
func (p *proxy) splice(c net.Conn) {
	defer c.Close()
	e, err := net.Dial("unix", p.engine)
	if err != nil {
		return
	}
	defer e.Close()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(c, e)
		_ = c.(*net.UnixConn).CloseWrite()
	})
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		if line, _, _ := bytes.Cut(buf[:n], []byte("\r\n")); bytes.HasPrefix(line, []byte("POST ")) && bytes.Contains(line, []byte("/containers/create")) {
			p.created <- time.Now()
		}
		if _, werr := e.Write(buf[:n]); err != nil || werr != nil {
			break
		}
	}
	_ = e.(*net.UnixConn).CloseWrite()
	back.Wait()
}
