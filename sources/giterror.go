package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// explain makes a sentence of what went wrong between here and the server.
func (m *mirror) explain(ctx context.Context, err error) error {
	if fault := m.meter.fault.Load(); fault != nil {
		err = *fault
	}
	say := func(kind error, format string, args ...any) error {
		return &sentence{m.remote.scrub(fmt.Sprintf(format, args...)), kind}
	}
	disk, isDisk := errors.AsType[*fs.PathError](err)
	status, isStatus := errors.AsType[*githttp.Err](cause(err))
	whole, isWhole := errors.AsType[*sentence](err)
	switch {
	case ctx.Err() != nil:
		return say(ctx.Err(), "the fetch was broken off: %v", ctx.Err())
	case errors.Is(err, errStalled):
		return say(errStalled, "the server sent nothing for %v; check that it is reachable and not overloaded", m.opt.Timeout)
	case errors.Is(err, errTooLarge) && err == errTooLarge:
		return say(errTooLarge, "the repository is larger than the %d MiB that are allowed; raise the limit, or use a smaller repository", m.opt.MaxBytes>>20)
	case errors.Is(err, errTooLarge), errors.Is(err, errRedirect):
		return say(nil, "%v", cause(err))
	case isWhole:
		return say(whole.kind, "%s", whole.text)
	case errors.Is(err, transport.ErrAuthenticationRequired), errors.Is(err, transport.ErrAuthorizationFailed):
		return say(transport.ErrAuthenticationRequired, "the server refuses access; %s", m.remote.hint())
	case errors.Is(err, transport.ErrRepositoryNotFound):
		return say(transport.ErrRepositoryNotFound, "the server has no such repository, or does not show it without credentials; check the URL")
	case errors.Is(err, transport.ErrEmptyRemoteRepository):
		return say(ErrEmpty, "the repository has no commit yet; push one")
	case strings.Contains(err.Error(), "not our ref"):
		return noCommit(m.opt.Ref.Commit)
	case isDisk:
		return m.diskError(disk)
	case isMissing(err):
		return say(plumbing.ErrObjectNotFound, "the server sent an incomplete pack")
	}
	if known, ok := m.remote.explain(cause(err)).(*sentence); ok {
		return say(known.kind, "%s", known.text)
	}
	if isStatus {
		return say(nil, "the server answers %s; check the URL, or try again later", status.Response.Status)
	}
	return say(nil, "the repository cannot be fetched: %v; check the URL and the network", cause(err))
}

// cause digs for the error that says what happened, below those that repeat the
// URL.
func cause(err error) error {
	for {
		if ue, ok := errors.AsType[*plumbing.UnexpectedError](err); ok {
			err = ue.Err
		} else if pe, ok := errors.AsType[*plumbing.PermanentError](err); ok {
			err = pe.Err
		} else if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		} else {
			return err
		}
	}
}
