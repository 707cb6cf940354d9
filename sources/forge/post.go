package forge

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

const (
	// postTime bounds one request.
	postTime = 30 * time.Second
	// maxAnswer bounds what is read of an answer, so that its connection can be
	// used again.
	maxAnswer = 64 << 10
	// maxDescription is what GitHub takes of a description, in characters.
	maxDescription = 140
	// maxAsked bounds how long a server may ask for patience.
	maxAsked = time.Hour
)

// newClient makes the client of one reporter, which trusts those who signed the
// certificates in caFile, or else whom the system trusts. It follows no redirect:
// the token is for the server that the settings mean.
func newClient(caFile string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxResponseHeaderBytes = 1, maxAnswer
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("the certificates of authorities can't be read: %w; check auth.ca_file", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the file %s holds no certificate in PEM; check auth.ca_file", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Timeout: postTime, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// refused is an answer other than that the status was taken.
type refused struct {
	status int
	wait   time.Duration // that the server asks for
}

func (e *refused) Error() string {
	hint := "it is tried again"
	switch {
	case e.status == http.StatusUnauthorized:
		hint = "give it a token that is valid, in status.token_file"
	case e.status == http.StatusForbidden && e.wait == 0:
		hint = "give the token the right to write commit statuses"
	case e.status == http.StatusNotFound:
		hint = "check that the token may write commit statuses of this repository, and status.api"
	case e.status == http.StatusUnprocessableEntity:
		hint = "it doesn't know the commit, or has enough statuses of it"
	case e.status >= 300 && e.status < 400:
		hint = "the repository has moved; give the source its new address"
	}
	return fmt.Sprintf("the forge answered %d %s; %s", e.status, http.StatusText(e.status), hint)
}

// post sends one status through GitHub's status API, which Gitea and Forgejo
// speak, too. Its errors hold neither the token nor anything that the server
// wrote.
func (r *Reporter) post(ctx context.Context, s Status) error {
	token, err := statusToken(r.o.TokenFile)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{
		"state": string(s.State), "context": r.o.Context, "description": shorten(s.Description), "target_url": s.Target,
	})
	if err != nil {
		return err
	}
	owner, name, _ := strings.Cut(r.o.Repository, "/")
	address := r.o.API + "/repos/" + url.PathEscape(owner) + "/" + url.PathEscape(name) + "/statuses/" + url.PathEscape(s.Commit)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/vnd.github+json, application/json")
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "abide")
	resp, err := r.client.Do(req)
	if err != nil {
		if cause, ok := errors.AsType[*url.Error](err); ok {
			err = cause.Err
		}
		return fmt.Errorf("the forge can't be reached: %w; it is tried again", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer)) // what it says isn't needed
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &refused{status: resp.StatusCode, wait: asked(resp, time.Now())}
}

// asked gives the time for which a server wants to be left alone: Retry-After
// (RFC 9110, section 10.2.3), or the end of a used-up quota as GitHub tells it.
func asked(resp *http.Response, now time.Time) time.Duration {
	var wait time.Duration
	after := resp.Header.Get("Retry-After")
	if n, err := strconv.ParseInt(after, 10, 32); err == nil {
		wait = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(after); err == nil {
		wait = at.Sub(now)
	} else if resp.Header.Get("X-Ratelimit-Remaining") == "0" {
		if n, err := strconv.ParseInt(resp.Header.Get("X-Ratelimit-Reset"), 10, 64); err == nil {
			wait = time.Unix(n, 0).Sub(now)
		}
	}
	return max(min(wait, maxAsked), 0)
}

// shorten makes a description one line that the forge takes.
func shorten(text string) string {
	runes := []rune(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	if len(runes) > maxDescription {
		runes = append(runes[:maxDescription-1], '…')
	}
	return string(runes)
}
