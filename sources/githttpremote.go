package sources

import (
	"context"
	"net"
	"net/http"
	"os"
	"strconv"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
)

// httpRemote speaks to a server by http(s).
type httpRemote struct {
	loc    Location
	auth   GitAuth
	meter  *meter
	given  http.RoundTripper // by the options
	wire   tlsWire
	old    int    // polls for which v2 is not tried again
	secret string // as it was last read, to be kept out of errors
}

func newHTTPRemote(opt GitOptions, loc Location, m *meter) *httpRemote {
	return &httpRemote{loc: loc, auth: opt.Auth, given: opt.Transport, meter: m, wire: tlsWire{auth: opt.Auth}}
}

func (r *httpRemote) hangUp() {}

func (r *httpRemote) close() {
	if t, ok := r.given.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
	r.wire.close()
}

func (r *httpRemote) hint() string {
	a := r.auth
	switch {
	case a.TokenFile+a.TokenEnv+a.PasswordFile+a.PasswordEnv != "":
		return "renew " + a.secretPlace() + ", and check what it may read"
	case r.loc.user != nil:
		return "check the user and token in its URL"
	case a.CertFile != "":
		return "check what the owner of the client certificate " + a.CertFile + " may read, or name a token with token_file"
	}
	return "name a file that holds a token with token_file, or put USER:TOKEN@ before the host of its URL"
}

// scrub takes all that is secret out of a text.
func (r *httpRemote) scrub(text string) string {
	text = redact(r.loc.scrub(text), r.secret)
	if u, err := r.auth.proxy(); err == nil && u != nil {
		text = Location{user: u.User}.scrub(text)
	}
	return text
}

func (r *httpRemote) explain(err error) error { return r.auth.explainTLS(err) }

// begin reads the credentials anew, and gives what an operation is done with.
func (r *httpRemote) begin() (*http.Client, githttp.AuthMethod, error) {
	var next http.RoundTripper = r.given
	if next == nil {
		wire, err := r.wire.take()
		if err != nil {
			return nil, nil, err
		}
		next = wire
	}
	auth, err := r.credentials()
	return &http.Client{Transport: &boundedWire{r.meter, next}, CheckRedirect: redirectRule(r.loc.url)}, auth, err
}

// credentials gives what goes with each request, or nil.
func (r *httpRemote) credentials() (githttp.AuthMethod, error) {
	if user, password, ok := r.loc.credentials(); ok {
		return &githttp.BasicAuth{Username: user, Password: password}, nil
	}
	secret, err := r.auth.readSecret()
	if err != nil || secret == "" {
		return nil, err
	}
	r.secret = secret
	if r.auth.Username == "" {
		return &githttp.TokenAuth{Token: secret}, nil
	}
	return &githttp.BasicAuth{Username: r.auth.Username, Password: secret}, nil
}

// readSecret reads the token or password, if there is one.
func (a GitAuth) readSecret() (string, error) {
	what := "the token"
	if a.PasswordFile+a.PasswordEnv != "" {
		what = "the password"
	}
	if file := a.TokenFile + a.PasswordFile; file != "" {
		return readLine(what, file)
	}
	name := a.TokenEnv + a.PasswordEnv
	if name == "" {
		return "", nil
	}
	value, ok := os.LookupEnv(name)
	if !ok {
		return "", say(nil, "%s is to be in the variable %s, which is not set; set it for the agent, or name a file", what, name)
	}
	return oneLine(what+" in the variable "+name, value)
}

// secretPlace says where the token or password is.
func (a GitAuth) secretPlace() string {
	switch {
	case a.TokenFile != "":
		return "the token in " + a.TokenFile
	case a.TokenEnv != "":
		return "the token in the variable " + a.TokenEnv
	case a.PasswordFile != "":
		return "the password in " + a.PasswordFile
	}
	return "the password in the variable " + a.PasswordEnv
}

func (r *httpRemote) advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error) {
	client, auth, err := r.begin()
	if err != nil {
		return nil, nil, err
	}
	u := r.loc.url
	port, _ := strconv.Atoi(u.Port())
	host := u.Hostname()
	if ip := net.ParseIP(host); ip != nil && ip.To4() == nil {
		host = "[" + host + "]"
	}
	session, err := githttp.NewClientWithOptions(client, nil).NewUploadPackSession(&transport.Endpoint{
		Protocol: u.Scheme, Host: host, Port: port, Path: u.EscapedPath(),
	}, auth)
	if err != nil {
		return nil, nil, err
	}
	adv, err := session.AdvertisedReferencesContext(ctx)
	return session, adv, err
}
