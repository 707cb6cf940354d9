package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/sse"
)

// tokenFile is where the access token lies that is made when none is given.
const tokenFile = "token"

// maxStatePath is what a socket's address may have at most, with some room.
const maxStatePath = 100

// serve runs the daemon until ctx ends: first the listeners, so that a port
// that is taken is known before anything runs; then the loop; at the end the
// loop drains while the API still answers.
func (a *parts) serve(ctx context.Context, o applyOptions) error {
	defer a.saveMemory(ctx)()
	server, err := a.server(o.Log)
	if err != nil {
		return err
	}
	forges, err := a.openForges(ctx)
	if err != nil {
		return err
	}
	server.MountHooks(forges)
	listeners, err := a.listen(ctx)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for _, l := range listeners {
		go func() {
			if err := server.Serve(l); err != nil {
				stop(err)
			}
		}()
	}
	endServices, err := a.beginServices(ctx)
	if err != nil {
		return err
	}
	defer forges.begin(ctx)()
	a.greet(listeners)
	a.pipelines.Recover()
	err = a.agent.Run(ctx)
	err = errors.Join(err, endServices())
	if cause := context.Cause(ctx); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	a.publish(sse.Event{Type: sse.TypeDaemonStop, Message: "abide daemon shutting down"})
	end, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(end))
}

// greet publishes daemon_start, with the fields of pin's.
func (a *parts) greet(listeners []net.Listener) {
	base := ""
	for _, l := range listeners {
		if l.Addr().Network() == "tcp" {
			base = "http://" + l.Addr().String()
		}
	}
	a.publish(sse.Event{
		Type: sse.TypeDaemonStart, Level: sse.Success, Message: "abide daemon started, listening on " + addresses(listeners),
		Fields: map[string]any{"sse_endpoint": base + "/events", "health_endpoint": base + "/health", "version": versionText(), "pid": os.Getpid()},
	})
}

func addresses(listeners []net.Listener) string {
	var out []string
	for _, l := range listeners {
		if l.Addr().Network() == "tcp" {
			out = append(out, "http://"+l.Addr().String())
		} else {
			out = append(out, "unix://"+l.Addr().String())
		}
	}
	return strings.Join(out, ", ")
}

// listen opens the TCP listener, the sockets of the settings, and the one in
// the state directory that `plan`, `retry` and their like ask.
func (a *parts) listen(ctx context.Context) (out []net.Listener, err error) {
	defer func() {
		if err != nil {
			for _, l := range out {
				_ = l.Close()
			}
		}
	}()
	l, err := api.ListenTCP(ctx, a.settings.Listen.Host, a.settings.Listen.Port)
	if err != nil {
		return out, err
	}
	out = append(out, l)
	sockets := a.settings.Sockets
	if own := filepath.Join(a.dir, socketFile); len(own) <= maxStatePath {
		sockets = append(sockets[:len(sockets):len(sockets)], own)
	}
	for _, path := range sockets {
		if l, err = api.ListenUnix(path); err != nil {
			return out, err
		}
		out = append(out, l)
	}
	return out, nil
}

// endpoint is where this process can be asked while it holds the state: the
// socket in the state directory, or the TCP port where that path is too long
// for a socket. A command that exits by itself can't be asked.
func (a *parts) endpoint(daemon bool) string {
	if !daemon {
		return ""
	}
	if own := filepath.Join(a.dir, socketFile); len(own) <= maxStatePath {
		return "unix://" + own
	}
	return "http://" + net.JoinHostPort(a.settings.Listen.Host, strconv.Itoa(a.settings.Listen.Port))
}

func (a *parts) server(w io.Writer) (*api.Server, error) {
	tokens, err := a.tokens()
	if err != nil {
		return nil, err
	}
	s := a.settings
	level, err := zerolog.ParseLevel(s.LogLevel)
	if err != nil {
		level = zerolog.InfoLevel
	}
	server, err := api.New(api.Options{
		Agent: served{a}, Events: a.log, Clients: a.log.Clients, CloseStreams: a.log.CloseStreams, Version: versionText(),
		Tokens: tokens, AdminUIDs: s.AdminUIDs, AllowOrigins: s.AllowOrigins, AllowHosts: s.AllowHosts, Insecure: s.Insecure,
		Log: zerolog.New(w).Level(level).With().Timestamp().Logger(),
	})
	if err != nil {
		return nil, err
	}
	a.mountFleet(server)
	if a.services != nil {
		server.MountDevices(a.services.kind)
	}
	return server, nil
}

// tokens reads the tokens of the settings. Beyond loopback nobody is known by
// his uid: where no token is configured one is made, and only its place told.
func (a *parts) tokens() (out []api.Token, err error) {
	for _, t := range a.settings.Tokens {
		var token api.Token
		if t.SHA256 != "" {
			token, err = api.HashedToken(t.Name, api.Role(t.Role), t.SHA256)
		} else {
			var value string
			if value, err = api.ReadToken(t.File); err == nil {
				token, err = api.NewToken(t.Name, api.Role(t.Role), value)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("token %s: %w", t.Name, err)
		}
		out = append(out, token)
	}
	if len(out) > 0 || a.settings.Insecure || loopback(a.settings.Listen.Host) {
		return out, nil
	}
	path := filepath.Join(a.dir, tokenFile)
	value, created, err := api.EnsureToken(path)
	if err != nil {
		return nil, err
	}
	verb := "is in"
	if created {
		verb = "was made and is in"
	}
	a.warn(fmt.Sprintf("callers from beyond this machine need a token: it %s %s (Authorization: Bearer …)", verb, path))
	token, err := api.NewToken("made at start", api.RoleAdmin, value)
	return []api.Token{token}, err
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}
