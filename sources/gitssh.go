package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
)

const (
	maxComplaint = 512 // bytes kept of what a server says beside the protocol
	dialTimeout  = 30 * time.Second
)

// sshRemote speaks to git-upload-pack through SSH. One operation is one
// connection; no ssh program is run.
type sshRemote struct {
	loc   Location
	auth  GitAuth
	meter *meter
	line  *sshLine    // of the present operation
	begun *sshSession // has the list of refs to come
}

func newSSHRemote(opt GitOptions, loc Location, m *meter) *sshRemote {
	return &sshRemote{loc: loc, auth: opt.Auth, meter: m}
}

func (r *sshRemote) close() {}

func (r *sshRemote) hint() string { return "check the user in its address and " + r.auth.sshMeans() }

func (r *sshRemote) scrub(text string) string { return r.loc.scrub(text) }

func (r *sshRemote) explain(error) error { return nil }

func (r *sshRemote) hangUp() {
	r.begun = nil
	if r.line != nil {
		r.line.close()
		r.line = nil
	}
}

func (r *sshRemote) advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error) {
	s, err := r.begun, error(nil)
	if r.begun = nil; s == nil {
		s, err = r.begin(ctx, "")
	}
	if err != nil {
		return nil, nil, err
	}
	adv, err := s.AdvertisedReferencesContext(ctx)
	return s, adv, err
}

// begin starts git-upload-pack, over the connection that is there or a new one.
// Protocol is the one that the server is asked to speak.
func (r *sshRemote) begin(ctx context.Context, protocol string) (*sshSession, error) {
	if r.line == nil {
		line, err := r.dial(ctx)
		if err != nil {
			return nil, err
		}
		r.line = line
	}
	return r.line.start(r.meter, "git-upload-pack "+shellQuote(r.loc.remotePath()), protocol)
}

// sshLine is one connection, on which nothing but our own channels is opened.
type sshLine struct {
	conn ssh.Conn
	ctx  context.Context // ends with the line; its cause tells of a silence
	cut  context.CancelCauseFunc
	all  sync.WaitGroup
}

// dial connects and logs in.
func (r *sshRemote) dial(ctx context.Context) (*sshLine, error) {
	config, done, err := r.auth.sshConfig(ctx, r.loc, time.Now().Add(r.meter.stall))
	if err != nil {
		return nil, err
	}
	defer done()
	dialer := net.Dialer{Timeout: dialTimeout}
	raw, err := dialer.DialContext(ctx, "tcp", r.loc.addr())
	if err != nil {
		return nil, fmt.Errorf("%s cannot be reached: %w", r.loc.addr(), err)
	}
	line := &sshLine{}
	line.ctx, line.cut = context.WithCancelCause(ctx)
	line.all.Go(func() { // closing the connection ends whatever waits for it
		<-line.ctx.Done()
		raw.Close()
	})
	silence := time.AfterFunc(r.meter.stall, func() { line.cut(errStalled) })
	conn, channels, requests, err := ssh.NewClientConn(raw, r.loc.addr(), config)
	if !silence.Stop() || err != nil {
		err = r.meter.because(line.ctx, explainLogin(err))
		line.cut(nil)
		line.all.Wait()
		return nil, err
	}
	line.conn = conn
	line.all.Go(func() { ssh.DiscardRequests(requests) })
	line.all.Go(func() {
		for c := range channels {
			c.Reject(ssh.Prohibited, "none but the client opens channels")
		}
	})
	return line, nil
}

// explainLogin makes a sentence of what a login failed with.
func explainLogin(err error) error {
	switch {
	case err == nil:
		return errStalled
	case strings.Contains(err.Error(), "unable to authenticate"):
		return transport.ErrAuthorizationFailed
	case errors.Is(err, io.EOF), strings.Contains(err.Error(), "connection reset"):
		return say(nil, "the server closed the connection before the login; check that SSH listens on that port and takes connections from here")
	}
	return err
}

func (l *sshLine) close() {
	l.cut(nil)
	l.all.Wait()
}

// start runs a command on the server.
func (l *sshLine) start(m *meter, command, protocol string) (*sshSession, error) {
	channel, requests, err := l.conn.OpenChannel("session", nil)
	if err != nil {
		return nil, fmt.Errorf("the server opens no channel: %w", err)
	}
	s := &sshSession{line: l, command: command, channel: channel, heard: make(chan struct{})}
	s.out = m.watched(l.ctx, channel, listLimit(), l.cut)
	s.list = s.out
	l.all.Go(func() { ssh.DiscardRequests(requests) })
	l.all.Go(func() {
		defer close(s.heard)
		io.Copy(&s.said, channel.Stderr())
	})
	if protocol != "" { // a server that does not take it speaks as it always did
		_, err = channel.SendRequest("env", false, ssh.Marshal(struct{ Name, Value string }{"GIT_PROTOCOL", protocol}))
	}
	ok := false
	if err == nil {
		ok, err = channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{command}))
	}
	if err == nil && !ok {
		err = say(nil, "the server does not run git-upload-pack for this user; check the user in the address")
	}
	if err != nil {
		s.Close()
		return nil, m.because(l.ctx, err)
	}
	return s, nil
}

// sshSession is one run of git-upload-pack. It implements
// transport.UploadPackSession; what breaks it off is the end of its line.
type sshSession struct {
	line    *sshLine
	command string
	used    bool
	channel ssh.Channel
	out     *meteredReader
	list    io.Reader // of refs: out, perhaps with what was read of it already
	said    complaint
	heard   chan struct{} // closed when all of said is there
	adv     *packp.AdvRefs
}

var _ transport.UploadPackSession = (*sshSession)(nil)

// AdvertisedReferences implements transport.Session.
func (s *sshSession) AdvertisedReferences() (*packp.AdvRefs, error) {
	return s.AdvertisedReferencesContext(s.line.ctx)
}

// AdvertisedReferencesContext implements transport.Session.
func (s *sshSession) AdvertisedReferencesContext(context.Context) (*packp.AdvRefs, error) {
	if s.adv != nil {
		return s.adv, nil
	}
	adv := packp.NewAdvRefs()
	err := adv.Decode(s.list)
	switch {
	case errors.Is(err, packp.ErrEmptyAdvRefs), err == nil && adv.IsEmpty():
		return nil, transport.ErrEmptyRemoteRepository
	case err != nil:
		return nil, s.complain(err)
	}
	transport.FilterUnsupportedCapabilities(adv.Capabilities)
	s.adv = adv
	return adv, nil
}

// complain prefers what the server says to what it means for the protocol.
func (s *sshSession) complain(err error) error {
	if context.Cause(s.line.ctx) != nil || errors.Is(err, errTooLarge) {
		return err
	}
	said := ""
	if line, ok := errors.AsType[*pktline.ErrorLine](err); ok {
		said = line.Text
	} else if errors.Is(err, packp.ErrEmptyInput) {
		<-s.heard // both ends of a channel come together
		said = s.said.String()
	}
	said = strings.Join(strings.Fields(said), " ")
	lower := strings.ToLower(said)
	for _, missing := range []string{"not appear to be a git repository", "repository not found", "does not exist", "no such", "could not be found"} {
		if strings.Contains(lower, missing) {
			return transport.ErrRepositoryNotFound
		}
	}
	if said != "" {
		return say(nil, "the server says %q; check the address and what the user may read there", said)
	}
	return err
}

// UploadPack implements transport.UploadPackSession. Of one run only one pack can
// be had; for another the command is run again.
func (s *sshSession) UploadPack(ctx context.Context, req *packp.UploadPackRequest) (*packp.UploadPackResponse, error) {
	if s.used {
		again, err := s.line.start(s.out.meter, s.command, "")
		if err != nil {
			return nil, err
		}
		if _, err := again.AdvertisedReferencesContext(ctx); err != nil {
			return nil, err
		}
		return again.UploadPack(ctx, req)
	}
	s.used = true
	var text bytes.Buffer
	if err := req.UploadRequest.Encode(&text); err != nil {
		return nil, err
	}
	if err := req.UploadHaves.Encode(&text, false); err != nil {
		return nil, err
	}
	if err := pktline.NewEncoder(&text).EncodeString("done\n"); err != nil {
		return nil, err
	}
	s.out.left = &s.out.meter.left
	if _, err := s.channel.Write(text.Bytes()); err != nil {
		return nil, s.complain(s.out.meter.because(s.line.ctx, err))
	}
	if err := s.channel.CloseWrite(); err != nil {
		return nil, s.out.meter.because(s.line.ctx, err)
	}
	res := packp.NewUploadPackResponse(req)
	if err := res.Decode(struct {
		io.Reader
		io.Closer
	}{s.out, s}); err != nil {
		return nil, s.complain(err)
	}
	return res, nil
}

// Close implements transport.Session.
func (s *sshSession) Close() error {
	s.out.timer.Stop()
	return s.channel.Close()
}

// complaint keeps the beginning of what is written to it.
type complaint struct {
	text []byte
}

func (c *complaint) Write(p []byte) (int, error) {
	c.text = append(c.text, p[:min(len(p), maxComplaint-len(c.text))]...)
	return len(p), nil
}

func (c *complaint) String() string { return string(c.text) }

// shellQuote quotes as Git itself does for the shell on the other side, which
// may be one of the C family.
func shellQuote(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}
