package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/docker/docker/client"

	"github.com/abide-agent/abide/runner"
)

// engine is one Docker engine.
type engine struct {
	host string // for messages: without userinfo
	api  *client.Client
}

// dial makes the client of an address; nothing is sent yet.
func dial(host string) (*engine, error) {
	if host == "" {
		host = client.DefaultDockerHost
	}
	shown := redact(host)
	switch scheme, _, _ := strings.Cut(host, "://"); scheme {
	case "unix", "tcp", "http", "https":
	case "ssh":
		return nil, fmt.Errorf("the engine address %s can't be used: ssh:// would need an ssh client; forward the engine's socket (ssh -L) and name it as unix:// or tcp://", shown)
	case "npipe":
		return nil, fmt.Errorf("the engine address %s can't be used: named pipes exist on Windows only; use unix:// or tcp://", shown)
	default:
		return nil, fmt.Errorf("the engine address %q has no scheme that is known; use unix:///path/to/docker.sock or tcp://host:port", shown)
	}
	// TLS first: that option replaces the HTTP client that the host is set on.
	api, err := client.NewClientWithOpts(client.WithTLSClientConfigFromEnv(), client.WithHost(host),
		client.WithVersionFromEnv(), client.WithAPIVersionNegotiation(), client.WithUserAgent("abide"))
	if err != nil {
		return nil, fmt.Errorf("the engine address %s can't be used: %s; see DOCKER_HOST and DOCKER_CERT_PATH", shown, scrub(err.Error()))
	}
	return &engine{host: shown, api: api}, nil
}

// unavailable says that the engine can't be reached, and what to do.
func (g *engine) unavailable(err error) error {
	text, hint := ": "+request.ReplaceAllString(message(err), ""), "start the engine, or check DOCKER_HOST and docker.host"
	switch {
	case strings.HasPrefix(text, ": Cannot connect to the Docker daemon at "):
		text = "" // the client's way to say the same again
	case errors.Is(err, fs.ErrPermission):
		text = ": permission denied"
		hint = "make the agent's user a member of the group that owns the socket (often `usermod -aG docker USER`) and start the agent again"
	}
	return fmt.Errorf("%w at %s%s; %s", runner.ErrUnavailable, g.host, text, hint)
}

// request is how net/http introduces an error; the path says nothing to people.
var request = regexp.MustCompile(`\b[A-Z][a-z]+ "https?://[^"]*": `)

// explain puts an error of the client into a sentence. What happened to the
// connection wraps runner.ErrUnavailable; what the engine answered stays
// recognisable to errors.Is.
func (g *engine) explain(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, runner.ErrUnavailable):
		return err
	case lost(err):
		return g.unavailable(err)
	}
	return &answer{text: doing + ": " + message(err), err: err}
}

// answer is what the engine said, as a sentence.
type answer struct {
	text string
	err  error
}

func (a *answer) Error() string { return a.text }
func (a *answer) Unwrap() error { return a.err }

// lost says whether an error is the connection's and not the engine's.
func lost(err error) bool {
	if client.IsErrConnectionFailed(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true
	}
	_, network := errors.AsType[*net.OpError](err)
	return network
}

// message is the text of an error without the client's preamble and secrets.
func message(err error) string {
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return strings.TrimSuffix(scrub(strings.TrimSpace(text)), ".")
}

var userinfo = regexp.MustCompile(`://[^/@\s"']+@`)

// scrub takes user names and passwords out of all URLs in a text.
func scrub(text string) string { return userinfo.ReplaceAllString(text, "://***@") }

// redact takes them out of an address.
func redact(host string) string {
	if u, err := url.Parse(host); err == nil && u.User != nil {
		u.User = nil
		return u.String()
	}
	return scrub(host)
}

// outlive gives a context that ends grace after ctx does: a request that makes
// something must come to its end, or nobody knows what it made.
func outlive(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-out.Done():
		}
	})
	return out, func() { stop(); cancel() }
}
