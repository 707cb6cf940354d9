package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// A browser on this machine carries its user's uid, whatever page it shows. So
// a request that a foreign page may have caused must not count as the user's:
//
//   - Origin (Fetch, section 3.2) must be our own or allowed, and Sec-Fetch-Site
//     (Fetch Metadata) must not name another site;
//   - a POST of a type that needs no preflight is refused when it has an Origin;
//   - Host must be one that no stranger's DNS can point at us (DNS rebinding).

// simpleTypes are the content types that a page may send across origins without
// a preflight (Fetch, section 2.2.2); none at all is another.
var simpleTypes = map[string]bool{
	"": true, "text/plain": true, "application/x-www-form-urlencoded": true, "multipart/form-data": true,
}

// fromBrowser says whether a request shows that a browser made it. Not all of
// a browser's requests do: over plain HTTP it sends Sec-Fetch-* to loopback only.
func fromBrowser(h http.Header) bool {
	if _, ok := h["Origin"]; ok {
		return true
	}
	for _, k := range []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"} {
		if _, ok := h[k]; ok {
			return true
		}
	}
	return false
}

// checkOrigin refuses what a foreign page caused. For an allowed origin it
// writes the CORS headers, so that its page may read the answer, an error too.
func (s *Server) checkOrigin(w http.ResponseWriter, r *http.Request, rt *route) *fault {
	w.Header().Add("Vary", "Origin")
	given, ok := r.Header["Origin"]
	if !ok {
		return checkSite(r, rt)
	}
	o := parseOrigin(strings.Join(given, ",")) // two of them are none
	allowed := o != "" && s.origins[o]
	if !allowed && !sameOrigin(r, o) {
		return newFault(http.StatusForbidden, CodeForbidden,
			"a page from %s may not use this agent; if it should, start the agent with --allow-origin", shown(given[0]))
	}
	if allowed {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", given[0])
		h.Set("Access-Control-Expose-Headers", "Location, Retry-After")
	}
	if r.Method == http.MethodPost && simpleTypes[mediaType(r.Header.Get("Content-Type"))] {
		return newFault(http.StatusUnsupportedMediaType, CodeMediaType,
			"a page must name a content type that no form can send; send the pipeline with Content-Type: application/yaml, anything else with application/json")
	}
	return nil
}

// checkSite judges a browser's request without an Origin: an image, a frame, a
// followed link. Following a link to a page of ours is harmless, since the page
// that holds the link sees nothing of it.
func checkSite(r *http.Request, rt *route) *fault {
	switch site := r.Header.Get("Sec-Fetch-Site"); site {
	case "", "none", "same-origin":
		return nil
	}
	link := r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	if link && !rt.stream && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		return nil
	}
	return newFault(http.StatusForbidden, CodeForbidden,
		"a page of another site may not use this agent; if it should, start the agent with --allow-origin and its origin")
}

// preflight answers OPTIONS: to a browser whether its page may send what it
// wants to, to anybody else which methods there are.
func (s *Server) preflight(w http.ResponseWriter, r *http.Request, allow string) {
	h := w.Header()
	h.Set("Allow", allow)
	h.Add("Vary", "Origin")
	if given, ok := r.Header["Origin"]; ok {
		o := parseOrigin(strings.Join(given, ","))
		allowed := o != "" && s.origins[o]
		if !allowed && !sameOrigin(r, o) {
			s.refuse(w, r, newFault(http.StatusForbidden, CodeForbidden,
				"a page from %s may not use this agent; if it should, start the agent with --allow-origin", shown(given[0])))
			return
		}
		if allowed {
			h.Set("Access-Control-Allow-Origin", given[0])
			h.Set("Access-Control-Allow-Methods", allow)
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Last-Event-ID")
			h.Set("Access-Control-Max-Age", "600")
			if r.Header.Get("Access-Control-Request-Private-Network") == "true" {
				h.Set("Access-Control-Allow-Private-Network", "true")
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// sameOrigin says whether o, as parseOrigin gives it, is where the request went.
// Behind a proxy that ends TLS or listens on another port the browser's own word
// for it counts, which no page can forge.
func sameOrigin(r *http.Request, o string) bool {
	if o == "" {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	if o == parseOrigin(scheme+"://"+r.Host) {
		return true
	}
	if !proxied(r) || r.Header.Get("Sec-Fetch-Site") != "same-origin" {
		return false
	}
	u, err := url.Parse(o)
	return err == nil && u.Hostname() == hostName(r.Host)
}

// proxied says whether a reverse proxy on this machine forwarded the request
// with the name that its own caller used, as nginx does with `proxy_set_header
// Host $host`. Header fields alone would not show it, since a page can set them
// on requests to its own rebound name. But a browser that connects to our port
// always names the port in Host, unless it is its scheme's default, and no page
// can change that.
func proxied(r *http.Request) bool {
	p := peerOf(r.Context())
	if !p.loopback || p.local.Port() == 80 || p.local.Port() == 443 {
		return false
	}
	if _, port := splitHost(r.Host); port != "" {
		return false
	}
	h := r.Header
	return h.Get("X-Real-Ip") != "" || h.Get("X-Forwarded-For") != "" || h.Get("Forwarded") != ""
}

// knownHost says whether Host names this agent in a way that no stranger's DNS
// can: by address, as localhost, or by a name that the settings allow.
func (s *Server) knownHost(r *http.Request) bool {
	if r.Host == "" || peerOf(r.Context()).unix || proxied(r) {
		return true // no Host: HTTP/1.0, not a browser
	}
	name := hostName(r.Host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || s.hosts[name] {
		return true
	}
	_, err := netip.ParseAddr(name)
	return err == nil
}

// hostName gives the name in a Host header in lower case, without port,
// brackets, or a dot at its end; "" when it is malformed.
func hostName(host string) string {
	name, _ := splitHost(host)
	return name
}

func splitHost(host string) (name, port string) {
	name = host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return "", ""
		}
		name = host[1:end]
		if rest := host[end+1:]; rest != "" {
			if rest[0] != ':' {
				return "", ""
			}
			port = rest[1:]
		}
	} else if before, after, ok := strings.Cut(host, ":"); ok {
		if strings.Contains(after, ":") {
			return "", ""
		}
		name, port = before, after
	}
	return strings.ToLower(strings.TrimRight(name, ".")), port
}

// parseOrigin gives an origin in one spelling, `scheme://host:port` with the
// port always there, or "" for what is none of http or https, "null" included.
func parseOrigin(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return ""
	}
	port := u.Port()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return ""
	case port == "" && u.Scheme == "http":
		port = "80"
	case port == "":
		port = "443"
	}
	name := strings.ToLower(strings.TrimRight(u.Hostname(), "."))
	if name == "" || strings.ContainsAny(name, " ,*@%") {
		return ""
	}
	return u.Scheme + "://" + net.JoinHostPort(name, port)
}

// mediaType gives the type of a Content-Type without its parameters. It must not
// be stricter than a browser: what it can't read is judged by what stands before
// the first semicolon or comma.
func mediaType(s string) string {
	if i := strings.IndexAny(s, ";,"); i >= 0 {
		s = s[:i]
	}
	return strings.ToLower(strings.TrimSpace(s))
}

// shown quotes what a caller sent for a message, bounded.
func shown(s string) string {
	return fmt.Sprintf("%.100q", s)
}
