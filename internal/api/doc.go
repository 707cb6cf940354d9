// Package api knows the HTTP face of the agent: its routes, who may call each
// of them, what a browser may do, the bounds on what a caller sends, and the
// one JSON shape of every error. It is handed what it serves: the [Agent], the
// event stream, and whatever is mounted beside its own routes. It never knows
// how a change is applied, and never trusts a header to say who is calling.
//
// A caller is known by a bearer token, or by the uid behind a local connection
// as the kernel tells it (see [Server] and peer.go). A browser acts on behalf
// of whatever page it shows, so its requests pass the rules of browser.go
// first.
package api
