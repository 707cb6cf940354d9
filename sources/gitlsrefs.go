package sources

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

const (
	protocolV2 = "version=2"
	maxPeek    = 1 << 20 // bytes of an answer about one ref: those whose names begin with its name come with it
	oldPolls   = 100     // that go by the list of all refs after a server has not understood protocol v2
)

// errNotV2 means that a server does not speak protocol v2.
var errNotV2 = errors.New("the server does not speak version 2 of the protocol")

// lsRefs is the request of protocol v2 for one ref, see gitprotocol-v2(5).
func lsRefs(name plumbing.ReferenceName) []byte {
	var b bytes.Buffer
	e := pktline.NewEncoder(&b)
	_ = e.EncodeString("command=ls-refs\n") // a buffer takes everything
	b.WriteString("0001")
	_ = e.EncodeString("ref-prefix " + string(name) + "\n")
	_ = e.Flush()
	return b.Bytes()
}

// readRef finds a ref in the answer to lsRefs. Names come in order, so that the
// one that is asked for is the first of those that begin like it.
func readRef(r io.Reader, name plumbing.ReferenceName) (plumbing.Hash, bool, error) {
	s := pktline.NewScanner(r)
	for s.Scan() {
		line := s.Bytes()
		if len(line) == 0 {
			return plumbing.ZeroHash, false, nil
		}
		digits, rest, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		shown, _, _ := strings.Cut(rest, " ") // attributes may follow
		if !ok || digits != "unborn" && !plumbing.IsHash(digits) {
			return plumbing.ZeroHash, false, errNotV2
		}
		if shown == string(name) && digits != "unborn" {
			return plumbing.NewHash(digits), true, nil
		}
	}
	if err := s.Err(); err != nil {
		return plumbing.ZeroHash, false, err
	}
	return plumbing.ZeroHash, false, io.ErrUnexpectedEOF
}

// peek implements remote with a single request.
func (r *httpRemote) peek(ctx context.Context, name plumbing.ReferenceName) (plumbing.Hash, bool, error) {
	if r.old > 0 {
		r.old--
		return plumbing.ZeroHash, false, nil
	}
	client, auth, err := r.begin()
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	// Where the repository has moved to is found out with the list of refs.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.loc.url.String()+"/git-upload-pack", bytes.NewReader(lsRefs(name)))
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	req.Header.Set("User-Agent", capability.DefaultAgent())
	req.Header.Set("Content-Type", "application/x-git-upload-pack-request")
	req.Header.Set("Accept", "application/x-git-upload-pack-result")
	req.Header.Set("Git-Protocol", protocolV2)
	// Nobody sends this header: it says that the question can be put again, where
	// the server has given up an idle connection meanwhile.
	req.Header["Idempotency-Key"] = []string{}
	if auth != nil {
		auth.SetAuth(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden:
		return plumbing.ZeroHash, false, githttp.NewErr(res)
	case res.StatusCode != http.StatusOK, res.Header.Get("Content-Type") != "application/x-git-upload-pack-result":
		r.old = oldPolls
		return plumbing.ZeroHash, false, nil
	}
	h, found, err := readRef(res.Body, name)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, errStalled) {
			return plumbing.ZeroHash, false, err
		}
		r.old = oldPolls
		return plumbing.ZeroHash, false, nil
	}
	// The rest is read, so that the connection can be used again; not if it is much.
	_, _ = io.CopyN(io.Discard, res.Body, 16<<10)
	return h, found, nil
}

// peek implements remote. A server that answers in the old way has begun to list
// all its refs; the list is kept for advertised.
func (r *sshRemote) peek(ctx context.Context, name plumbing.ReferenceName) (plumbing.Hash, bool, error) {
	s, err := r.begin(ctx, protocolV2)
	if err != nil {
		return plumbing.ZeroHash, false, err
	}
	scan := pktline.NewScanner(s.out)
	if !scan.Scan() {
		err := scan.Err()
		if err == nil {
			err = packp.ErrEmptyInput
		}
		return plumbing.ZeroHash, false, s.complain(err)
	}
	first := bytes.Clone(scan.Bytes())
	if strings.TrimSpace(string(first)) != "version 2" {
		var again bytes.Buffer
		if err := pktline.NewEncoder(&again).Encode(first); err != nil {
			return plumbing.ZeroHash, false, err
		}
		s.list = io.MultiReader(&again, s.out)
		r.begun = s
		return plumbing.ZeroHash, false, nil
	}
	defer s.Close()
	for scan.Scan() && len(scan.Bytes()) > 0 { // what the server can do, up to the flush
	}
	if err := scan.Err(); err != nil {
		return plumbing.ZeroHash, false, s.complain(err)
	}
	if _, err := s.channel.Write(lsRefs(name)); err != nil {
		return plumbing.ZeroHash, false, s.complain(err)
	}
	h, found, err := readRef(s.out, name)
	if err != nil {
		return plumbing.ZeroHash, false, s.complain(err)
	}
	_, _ = s.channel.Write(pktline.FlushPkt) // the goodbye; nobody waits for it
	return h, found, nil
}
