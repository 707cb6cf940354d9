package fleetapi

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/abide-agent/abide/units"
)

// Registry keeps the units that callers create. [units.Registry] is one.
type Registry interface {
	Get(name string) (*units.Stored, bool)
	After(after string, limit int) []*units.Stored
	Change(ctx context.Context, name string, decide func(present *units.Stored) (*units.Wish, error)) (*units.Stored, error)
	Delete(ctx context.Context, name string) error
	Metadata(units.Machine) map[string]string
	PatchMetadata(ctx context.Context, ops []units.MetadataOp) error
}

// Board shows what is known of every unit, from memory. [units.Board] is one.
type Board interface {
	Live(name string) units.Live
	Placed(after string, limit int) []units.Live
	Declared(name string) (units.Declared, bool)
	DeclaredAfter(after string, limit int) []units.Declared
	Down() error
	Await(ctx context.Context, name string, until func(units.Live) bool) bool
}

// Options are what a Handler is made of. Registry and Board are required.
type Options struct {
	Registry Registry
	Board    Board
	Machine  units.Machine
	Version  string // of the agent, for the header Server
	// Patience is how long a PUT that asks for less than there is waits for it to
	// be seen: clients read the unit right after. One second when zero.
	Patience time.Duration
}

// Handler serves the API under /fleet/v1 and /v1-alpha.
type Handler struct {
	Options
	server string
}

// New makes a Handler.
func New(o Options) *Handler {
	if o.Patience == 0 {
		o.Patience = time.Second
	}
	return &Handler{Options: o, server: "abide/" + o.Version}
}

// The prefixes of the API: today's, and the one before fleet 0.9.
const (
	prefix    = "/fleet/v1"
	oldPrefix = "/v1-alpha"
)

// Route is one line for the table of whoever mounts the Handler: a pattern of
// http.ServeMux and the role that it asks for.
type Route struct{ Pattern, Role string }

// Routes is that table. Reading asks for read. Creating, changing and deleting
// units asks for trigger, like starting a pipeline does; the metadata that
// placement goes by asks for admin. Whatever else is refused by the Handler
// itself, in fleet's words, so it is let through to whoever may read.
func Routes() []Route {
	var out []Route
	for _, p := range []string{"/fleet/", oldPrefix, oldPrefix + "/"} {
		out = append(out, Route{p, "read"}, Route{"GET " + p, "read"}, Route{"OPTIONS " + p, "read"},
			Route{"PUT " + p, "trigger"}, Route{"DELETE " + p, "trigger"}, Route{"PATCH " + p, "admin"})
	}
	return out
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", h.server)
	if clean := cleanPath(r.URL.Path); clean != r.URL.Path {
		to := url.URL{Path: clean, RawQuery: r.URL.RawQuery}
		http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
		return
	}
	rest, ok := strings.CutPrefix(r.URL.Path, prefix)
	if !ok {
		rest, ok = strings.CutPrefix(r.URL.Path, oldPrefix)
	}
	switch {
	case r.URL.Path == "/" || ok && rest == "":
		fail(w, http.StatusMethodNotAllowed, "there is nothing at %s itself; GET %s/discovery tells what there is", r.URL.Path, prefix)
	case !ok:
		nothing(w, r)
	default:
		h.route(w, r, rest)
	}
}

// cleanPath is path.Clean, but for the slash at the end.
func cleanPath(p string) string {
	clean := path.Clean("/" + p)
	if strings.HasSuffix(p, "/") && clean != "/" {
		clean += "/"
	}
	return clean
}

// route picks what serves a path below the prefix.
func (h *Handler) route(w http.ResponseWriter, r *http.Request, rest string) {
	collection, item, isItem := strings.Cut(strings.TrimPrefix(rest, "/"), "/")
	if rest[0] != '/' || isItem && (item == "" || strings.Contains(item, "/")) {
		nothing(w, r)
		return
	}
	serve := map[string]func(http.ResponseWriter, *http.Request, string){
		"discovery": h.discovery, "units": h.units, "state": h.states, "machines": h.machines,
		"units/": h.unit, "state/": h.state,
	}
	if isItem {
		collection += "/"
	}
	if f := serve[collection]; f != nil {
		f(w, r, item)
		return
	}
	nothing(w, r)
}

func nothing(w http.ResponseWriter, r *http.Request) {
	shown := strings.ToValidUTF8(r.URL.Path, "?")
	if len(shown) > 200 {
		shown = shown[:200] + "…"
	}
	fail(w, http.StatusNotFound, "there is nothing at %s; GET %s/discovery tells what there is", shown, prefix)
}
