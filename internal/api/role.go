package api

import (
	"fmt"
	"net/http"
)

// Role is what a caller may do, and what a route asks for.
type Role string

// The roles. Each of read, trigger and admin includes those before it. RoleHook
// is for routes whose handler proves the sender by itself (an HMAC over the
// body): no identity is asked for, nor does one help.
const (
	RoleNone    Role = "none"
	RoleRead    Role = "read"
	RoleTrigger Role = "trigger"
	RoleAdmin   Role = "admin"
	RoleHook    Role = "hook"
)

// ParseRole reads the role of a token: read, trigger or admin.
func ParseRole(s string) (Role, error) {
	switch r := Role(s); r {
	case RoleRead, RoleTrigger, RoleAdmin:
		return r, nil
	}
	return "", fmt.Errorf("%q is not a role of a token; write read, trigger or admin", s)
}

// rank orders the roles that include each other.
func (r Role) rank() int {
	switch r {
	case RoleRead:
		return 1
	case RoleTrigger:
		return 2
	case RoleAdmin:
		return 3
	}
	return 0
}

// allows says whether a caller with role r may use a route that asks for want.
func (r Role) allows(want Role) bool {
	switch want {
	case RoleNone, RoleHook:
		return true
	case RoleRead, RoleTrigger, RoleAdmin:
		return r.rank() >= want.rank()
	}
	return false // an unknown role lets nobody in
}

// route is one line of the table: what may be asked, and who may ask it.
type route struct {
	method string // empty: any, for a mounted handler that looks for itself
	path   string // of http.ServeMux, but a word may follow {name...}
	role   Role
	about  string // for `GET /`; empty: not listed there
	stream bool   // answers as long as it likes
	serve  func(*Server, http.ResponseWriter, *http.Request)
	fail   FailFunc // tells the errors of the server itself; nil: in its own shape
}

// routes is the route × role table. What is mounted later joins it with a role
// of its own; a route without a role can't exist.
//
// Cancelling and retrying ask for trigger: whoever may start runs may also end
// and repeat them. Holding a source stops everybody's, so it asks for admin.
var routes = []route{
	{"GET", "/{$}", RoleNone, "", false, (*Server).root, nil},
	{"GET", "/health", RoleNone, "Health check and status", false, (*Server).health, nil},
	{"GET", "/events", RoleRead, "Server-Sent Events stream", true, (*Server).events, nil},
	{"POST", "/trigger", RoleTrigger, "Trigger pipeline execution", false, (*Server).trigger, nil},

	{"GET", "/v1/version", RoleRead, "", false, (*Server).version, nil},
	{"GET", "/v1/runs", RoleRead, "Runs, newest first", false, (*Server).runs, nil},
	{"GET", "/v1/runs/{id}", RoleRead, "", false, (*Server).run, nil},
	{"DELETE", "/v1/runs/{id}", RoleTrigger, "", false, (*Server).cancel, nil},
	{"GET", "/v1/runs/{id}/logs", RoleRead, "", true, (*Server).logs, nil},
	{"GET", "/v1/sources", RoleRead, "Sources and their revisions", false, (*Server).sources, nil},
	{"POST", "/v1/sources/{name}/suspend", RoleAdmin, "", false, (*Server).suspend, nil},
	{"POST", "/v1/sources/{name}/resume", RoleAdmin, "", false, (*Server).resume, nil},
	{"POST", "/v1/sources/{name}/rollback", RoleAdmin, "", false, (*Server).rollback, nil},
	{"POST", "/v1/suspend", RoleAdmin, "", false, (*Server).suspend, nil},
	{"POST", "/v1/resume", RoleAdmin, "", false, (*Server).resume, nil},
	{"GET", "/v1/plan", RoleRead, "What would be done now", false, (*Server).plan, nil},
	{"GET", "/v1/diff", RoleRead, "What two revisions differ in", false, (*Server).compare, nil},
	{"GET", "/v1/resources", RoleRead, "Resources and their state", false, (*Server).resources, nil},
	{"POST", "/v1/resources/{kind}/{name...}/retry", RoleTrigger, "", false, (*Server).retry, nil},
}
