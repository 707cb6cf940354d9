package forge

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strings"
)

// signatureHeaders hold an HMAC-SHA256 over the body in hexadecimal digits, with
// `sha256=` before them or without:
//
//   - X-Hub-Signature-256 of GitHub, and of Gitea and Forgejo for its sake;
//   - X-Forgejo-Signature, X-Gitea-Signature and X-Gogs-Signature;
//   - X-Hub-Signature of Bitbucket, whose value at GitHub is a SHA-1, which has
//     another length and so never counts;
//   - X-Signature-256 of any sender.
var signatureHeaders = []string{
	"X-Hub-Signature-256", "X-Forgejo-Signature", "X-Gitea-Signature", "X-Gogs-Signature", "X-Hub-Signature", "X-Signature-256",
}

// proof is what a delivery shows to be believed: anybody can send one.
type proof struct {
	signatures [][]byte
	tokens     []string // GitLab and simple senders show the secret itself
}

// proofOf collects what the headers show. A header that is there twice, or whose
// value can't be right, shows nothing.
func proofOf(h http.Header) (p proof) {
	for _, name := range signatureHeaders {
		if v := h[name]; len(v) == 1 {
			sum, err := hex.DecodeString(strings.TrimPrefix(v[0], "sha256="))
			if err == nil && len(sum) == sha256.Size {
				p.signatures = append(p.signatures, sum)
			}
		}
	}
	if v := h["X-Gitlab-Token"]; len(v) == 1 && v[0] != "" {
		p.tokens = append(p.tokens, v[0])
	}
	if v := h["Authorization"]; len(v) == 1 {
		scheme, token, _ := strings.Cut(v[0], " ")
		if token = strings.TrimSpace(token); strings.EqualFold(scheme, "Bearer") && token != "" {
			p.tokens = append(p.tokens, token)
		}
	}
	return p
}

func (p proof) none() bool { return len(p.signatures)+len(p.tokens) == 0 }

// tokenRight says whether a token is one of the secrets. It compares digests,
// each in constant time, and always all of them.
func (p proof) tokenRight(secrets []string) bool {
	right := 0
	for _, token := range p.tokens {
		for _, secret := range secrets {
			given, wanted := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(secret))
			right |= subtle.ConstantTimeCompare(given[:], wanted[:])
		}
	}
	return right == 1
}

// signatureRight says whether a signature is that of one of the secrets, whose
// sums over the body it is given.
func (p proof) signatureRight(sums [][]byte) bool {
	right := 0
	for _, signature := range p.signatures {
		for _, sum := range sums {
			right |= subtle.ConstantTimeCompare(signature, sum)
		}
	}
	return right == 1
}

// readSize is how much of a body is in memory at once, and headSize how much of
// its beginning is kept to find the ref in. Bodies come from anybody, so that
// these two times the connections are what a flood of them can cost.
const (
	readSize = 4 << 10
	headSize = 8 << 10
)

// digested is a body that was read to its end and let go.
type digested struct {
	sum  []byte   // SHA-256
	macs [][]byte // HMAC-SHA256, one for each secret
	head []byte
}

// digest reads a body. The error is the reader's.
func digest(body io.Reader, secrets []string) (d digested, err error) {
	sum := sha256.New()
	to := []io.Writer{sum}
	var macs []hash.Hash
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		macs, to = append(macs, mac), append(to, mac)
	}
	var head head
	if _, err = io.CopyBuffer(io.MultiWriter(append(to, &head)...), onlyReader{body}, make([]byte, readSize)); err != nil {
		return d, err
	}
	d.sum, d.head = sum.Sum(nil), head
	for _, mac := range macs {
		d.macs = append(d.macs, mac.Sum(nil))
	}
	return d, nil
}

// onlyReader hides what else a body can do, so that CopyBuffer takes its buffer.
type onlyReader struct{ io.Reader }

// head keeps the beginning of what is written to it.
type head []byte

func (h *head) Write(b []byte) (int, error) {
	if room := headSize - len(*h); room > 0 {
		*h = append(*h, b[:min(room, len(b))]...)
	}
	return len(b), nil
}
