package api

import (
	"context"
	"fmt"
	"net/http"
	"os"
)

// caller is who a request is from: a token's name or a uid, with its role.
type caller struct {
	name string
	role Role
}

type callerKey struct{}

// callerOf gives who the guard let in.
func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// admit decides whether a request may use a route. It looks at headers and the
// connection only: nothing of a body is read for somebody who may not send it.
func (s *Server) admit(w http.ResponseWriter, r *http.Request, rt *route) (caller, *fault) {
	if f := s.checkOrigin(w, r, rt); f != nil {
		return caller{}, f
	}
	value, given := bearer(r.Header["Authorization"])
	if given && rt.role != RoleHook {
		t, ok := findToken(s.o.Tokens, value)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer realm="abide", error="invalid_token"`)
			return caller{}, newFault(http.StatusUnauthorized, CodeUnauthorized,
				"the token is not one of this agent's; leave it away or take one that its settings name")
		}
		c := caller{name: "token " + t.Name, role: t.Role}
		return c, c.may(rt)
	}
	c, who := s.localCaller(r)
	if !s.knownHost(r) && rt.role != RoleHook {
		if fromBrowser(r.Header) || rt.role != RoleNone {
			return caller{}, newFault(http.StatusForbidden, CodeForbidden,
				"the host name %s is not known to belong to this agent; use its address, show a token, or start it with --allow-host", shown(r.Host))
		}
		c = caller{role: RoleNone} // a monitor may ask, but as nobody
	}
	if c.role.allows(rt.role) {
		return c, nil
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="abide"`)
	return caller{}, newFault(http.StatusUnauthorized, CodeUnauthorized, "%s", who)
}

// may says whether a caller with a token has role enough.
func (c caller) may(rt *route) *fault {
	if c.role.allows(rt.role) {
		return nil
	}
	return newFault(http.StatusForbidden, CodeForbidden,
		"%s has the role %s, this asks for %s; use another token", c.name, c.role, rt.role)
}

// localCaller judges a request without a token by the uid behind its
// connection. who says why that is not enough, for when it isn't.
func (s *Server) localCaller(r *http.Request) (c caller, who string) {
	p := peerOf(r.Context())
	switch {
	case p.known && s.uids[p.uid]:
		return caller{name: fmt.Sprintf("uid %d", p.uid), role: RoleAdmin}, ""
	case s.o.Insecure:
		return caller{name: "anyone (--insecure)", role: RoleAdmin}, ""
	case p.known:
		who = fmt.Sprintf("uid %d may not use this agent without a token; send `Authorization: Bearer TOKEN` (ABIDE_TOKEN for the abide command), or start the agent with --admin-uid %d", p.uid, p.uid)
	case p.loopback || p.unix:
		who = "the kernel doesn't tell which user is calling, so a token is needed; send `Authorization: Bearer TOKEN` (ABIDE_TOKEN for the abide command)"
	default:
		who = "callers from other machines need a token; send `Authorization: Bearer TOKEN` (ABIDE_TOKEN for the abide command)"
	}
	return caller{role: RoleNone}, who
}

// adminUIDs are root, the agent's own user, and those of the settings.
func adminUIDs(more []int) map[int]bool {
	m := map[int]bool{0: true, os.Geteuid(): true}
	for _, uid := range more {
		m[uid] = true
	}
	return m
}
