package sources

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

const maxRedirects = 5

var errRedirect = errors.New("the server redirects to a place that is refused")

// redirectRule refuses redirects that lead anywhere but to http(s), or deeper
// into the network than the address that was configured: a public server must
// not make the agent ask its cloud's metadata service or its own loopback.
func redirectRule(origin *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return fmt.Errorf("%w: there are more than %d in a row", errRedirect, maxRedirects)
		case req.URL.Scheme != "http" && req.URL.Scheme != "https":
			return fmt.Errorf("%w: its scheme is neither http nor https", errRedirect)
		case req.URL.Hostname() == origin.Hostname():
			return nil
		}
		from, to := reach(req.Context(), origin.Hostname()), reach(req.Context(), req.URL.Hostname())
		if to > from {
			return fmt.Errorf("%w: it leads to %s; if that is meant, configure the address it leads to", errRedirect, placeNames[to])
		}
		return nil
	}
}

// The places a host can be at, from the outside in.
const (
	public = iota
	private
	ownMachine
)

var placeNames = [...]string{public: "a public address", private: "a private network", ownMachine: "this machine or its link"}

// reach says how deep inside a host lies: the deepest of its addresses counts.
func reach(ctx context.Context, host string) int {
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if addr, perr := netip.ParseAddr(host); perr == nil {
		addrs, err = []netip.Addr{addr}, nil
	}
	if err != nil {
		return public // it cannot be reached either, unless a proxy resolves it
	}
	deepest := public
	for _, a := range addrs {
		switch a = a.Unmap(); {
		case a.IsLoopback(), a.IsLinkLocalUnicast(), a.IsUnspecified(), a.IsMulticast():
			deepest = ownMachine
		case a.IsPrivate():
			deepest = max(deepest, private)
		}
	}
	return deepest
}
