package sources

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const maxHeaderBytes = 1 << 20

// tlsWire makes the transport of https, anew when one of its files has changed.
type tlsWire struct {
	auth   GitAuth
	digest [sha256.Size]byte // of the files that made was made of
	made   *http.Transport
	until  time.Time // of the client certificate
}

// take gives the transport as the files are now.
func (w *tlsWire) take() (*http.Transport, error) {
	files := make([][]byte, 3)
	digest := sha256.New()
	for i, f := range []struct{ what, name string }{
		{"the authorities' certificates in", w.auth.CAFile},
		{"the client certificate", w.auth.CertFile},
		{"the key of the client certificate", w.auth.KeyFile},
	} {
		if f.name == "" {
			continue
		}
		text, err := readSecret(f.what, f.name)
		if err != nil {
			return nil, err
		}
		files[i] = text
		sum := sha256.Sum256(text)
		digest.Write(sum[:])
	}
	sum := [sha256.Size]byte(digest.Sum(nil))
	if w.made == nil || sum != w.digest {
		config, until, err := w.auth.tlsConfig(files[0], files[1], files[2])
		if err != nil {
			return nil, err
		}
		w.close()
		w.made, w.digest, w.until = w.auth.newWire(config), sum, until
	}
	if !w.until.IsZero() && time.Now().After(w.until) {
		return nil, say(nil, "the client certificate %s has expired on %s; renew it", w.auth.CertFile, w.until.UTC().Format(time.DateTime))
	}
	return w.made, nil
}

func (w *tlsWire) close() {
	if w.made != nil {
		w.made.CloseIdleConnections()
	}
}

func (a GitAuth) tlsConfig(ca, cert, key []byte) (*tls.Config, time.Time, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if a.CAFile != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, time.Time{}, say(nil, "%s holds no certificate in PEM; put that of the authority into it", a.CAFile)
		}
	}
	if a.CertFile == "" {
		return config, time.Time{}, nil
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		// What crypto/tls says is of formats, never of content.
		return nil, time.Time{}, say(nil, "%s and %s are no certificate and key that belong together: %v; name PEM files", a.CertFile, a.KeyFile, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, pair.Leaf.NotAfter, nil
}

// newWire makes a transport. Without a proxy of its own it heeds those of the
// environment.
func (a GitAuth) newWire(config *tls.Config) *http.Transport {
	proxy := http.ProxyFromEnvironment
	if u, err := a.proxy(); err == nil && u != nil {
		proxy = http.ProxyURL(u)
	}
	return &http.Transport{
		Proxy:                  proxy,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:        config,
		TLSHandshakeTimeout:    30 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		MaxIdleConns:           2,
		IdleConnTimeout:        90 * time.Second,
		ForceAttemptHTTP2:      true,
	}
}

// proxy gives the proxy's URL, or nil.
func (a GitAuth) proxy() (*url.URL, error) {
	if a.Proxy == "" {
		return nil, nil
	}
	u, err := url.Parse(a.Proxy)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5" {
		return nil, say(nil, "the proxy is no address of one; write it like http://HOST:PORT, https://HOST:PORT or socks5://HOST:PORT")
	}
	return u, nil
}

// proxyAnswer says what a proxy refuses.
func proxyAnswer(_ context.Context, proxy *url.URL, _ *http.Request, res *http.Response) error {
	switch res.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusProxyAuthRequired:
		return say(nil, "the proxy %s wants other credentials; put USER:PASSWORD@ before its host", proxy.Host)
	}
	return say(nil, "the proxy %s answers %s; check that it may reach the server, or leave it out with NO_PROXY", proxy.Host, res.Status)
}

// explainTLS makes a sentence of what is wrong with a certificate, on either
// side, or with a proxy. It gives nil for everything else.
func (a GitAuth) explainTLS(err error) error {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		if a.CAFile != "" {
			return say(nil, "the server's certificate (%s) is signed by nobody in %s; add its authority, if that is the server", issuer(unknown.Cert), a.CAFile)
		}
		return say(nil, "the server's certificate (%s) is signed by nobody whom this machine trusts; name its authority with ca_file, if that is the server", issuer(unknown.Cert))
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return say(nil, "the server's certificate is valid from %s to %s, which is not now; renew it on the server, or correct this machine's clock",
				invalid.Cert.NotBefore.UTC().Format(time.DateTime), invalid.Cert.NotAfter.UTC().Format(time.DateTime))
		}
		return say(nil, "the server's certificate is not accepted: %v; correct it on the server", invalid)
	}
	if host, ok := errors.AsType[x509.HostnameError](err); ok {
		return say(nil, "the server's certificate is for another host: %v; correct the URL, or the certificate on the server", host)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return say(nil, "the server does not speak TLS on that port; check the URL")
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return say(nil, "the proxy cannot be reached: %v; check its address in auth, or in HTTPS_PROXY", op.Err)
	}
	switch _, text, alert := strings.Cut(err.Error(), "remote error: tls: "); {
	case alert && a.CertFile != "":
		return say(nil, "the server refuses the client certificate %s (%s); check that its authority is one the server trusts", a.CertFile, text)
	case alert:
		return say(nil, "the server wants a client certificate (%s); name one with cert_file and key_file", text)
	}
	return nil
}

func issuer(c *x509.Certificate) string {
	if c == nil || len(bytes.TrimSpace(c.RawIssuer)) == 0 {
		return "of no issuer"
	}
	return "issued by " + c.Issuer.String()
}
