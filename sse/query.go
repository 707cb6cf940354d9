package sse

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// query is what a client of /events asks for.
type query struct {
	since uint64
	live  bool // from now on; since does not count
	named bool
	Filter
}

// badQuery is a parameter that cannot be understood.
type badQuery struct{ field, value, want string }

func (e *badQuery) Error() string {
	return fmt.Sprintf("The parameter %s must be %s, but is %q", e.field, e.want, e.value)
}

// parseQuery reads the parameters and the Last-Event-ID header. The header
// wins: a browser that reconnects sends it with the URL that it first used. A
// header that is no id of ours is ignored, since it may stem from another
// server (the standard lets a client send any string).
func parseQuery(r *http.Request) (query, error) {
	values := r.URL.Query()
	q := query{live: true, Filter: Filter{Run: values.Get("run"), Job: values.Get("job")}}
	if values.Has("since") {
		id, err := strconv.ParseUint(values.Get("since"), 10, 64)
		if err != nil {
			return q, &badQuery{"since", values.Get("since"), "the number of an event, or 0 for the beginning"}
		}
		q.since, q.live = id, false
	}
	if id, err := strconv.ParseUint(r.Header.Get("Last-Event-ID"), 10, 64); err == nil {
		q.since, q.live = id, false
	}
	if values.Has("named") {
		named, err := strconv.ParseBool(values.Get("named"))
		if err != nil {
			return q, &badQuery{"named", values.Get("named"), "true or false"}
		}
		q.named = named
	}
	for _, list := range values["types"] {
		for typ := range strings.SplitSeq(list, ",") {
			if typ = strings.TrimSpace(typ); typ == "" {
				continue
			}
			if q.Types == nil {
				q.Types = map[string]bool{}
			}
			q.Types[typ] = true
		}
	}
	return q, nil
}
