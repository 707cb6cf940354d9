package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// entry of the multiplexer: all that may be asked under one path. http.ServeMux
// picks the path; methods are told apart here, because its own answers for a
// wrong method are not JSON.
type pathEntry struct {
	s    *Server
	wild string                       // name of the wildcard that spans segments, if there is one
	ways map[string]map[string]*route // word after that wildcard → method → route
}

// add puts a route into the table. It panics on one that contradicts another,
// like http.ServeMux does: the table is part of the program.
func (s *Server) add(rt route) {
	if rt.role == "" || rt.serve == nil {
		panic("api: the route " + rt.path + " has no role or no handler")
	}
	path, wild, tail := splitPath(rt.path)
	e := s.paths[path]
	if e == nil {
		e = &pathEntry{s: s, wild: wild, ways: map[string]map[string]*route{}}
		s.paths[path] = e
		s.mux.Handle(path, e)
	}
	if e.ways[tail] == nil {
		e.ways[tail] = map[string]*route{}
	}
	if e.ways[tail][rt.method] != nil {
		panic("api: two routes for " + rt.method + " " + rt.path)
	}
	e.ways[tail][rt.method] = &rt
	s.table = append(s.table, rt)
}

// splitPath cuts what follows a `{name...}` off, which http.ServeMux can't match.
func splitPath(path string) (mux, wild, tail string) {
	before, after, ok := strings.Cut(path, "...}")
	if !ok {
		return path, "", ""
	}
	return before + "...}", before[strings.LastIndexByte(before, '{')+1:], strings.TrimPrefix(after, "/")
}

// methods gives the routes for the rest of the path, nil when there are none.
func (e *pathEntry) methods(r *http.Request) map[string]*route {
	if e.wild != "" {
		value := r.PathValue(e.wild)
		for tail, m := range e.ways {
			if name, ok := strings.CutSuffix(value, "/"+tail); ok && tail != "" && name != "" {
				r.SetPathValue(e.wild, name)
				return m
			}
		}
	}
	return e.ways[""]
}

func (e *pathEntry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	methods := e.methods(r)
	if methods == nil {
		e.s.notFound(w, r)
		return
	}
	rt := methods[r.Method]
	if rt == nil && r.Method == http.MethodHead {
		if get := methods[http.MethodGet]; get != nil && !get.stream {
			rt = get
		}
	}
	if rt == nil {
		rt = methods[""]
	}
	switch allow := allowed(methods); {
	case r.Method == http.MethodOptions && methods[http.MethodOptions] == nil:
		e.s.preflight(w, r, allow)
	case rt == nil:
		w.Header().Set("Allow", allow)
		e.s.refuse(w, r, newFault(http.StatusMethodNotAllowed, CodeMethod,
			"%s does not take %s; use %s", shown(loggedPath(r)), shown(r.Method), allow))
	default:
		e.s.dispatch(w, r, rt)
	}
}

// dispatch admits the caller and hands the request on.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request, rt *route) {
	if a, ok := w.(*answer); ok {
		a.fail = rt.fail
	}
	c, f := s.admit(w, r, rt)
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	ctx := context.WithValue(r.Context(), callerKey{}, c)
	if rt.stream {
		// The server's bound on an answer is not for streams; these end when
		// the caller goes, and at the latest when the server does.
		http.NewResponseController(w).SetWriteDeadline(time.Time{})
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.streams, cancel)()
	}
	rt.serve(s, w, r.WithContext(ctx))
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request) {
	s.refuse(w, r, newFault(http.StatusNotFound, CodeNotFound,
		"there is nothing at %s; GET / lists what there is", shown(loggedPath(r))))
}

// allowed gives the value of an Allow header.
func allowed(methods map[string]*route) string {
	list := []string{http.MethodOptions}
	for m, rt := range methods {
		switch m {
		case "":
			list = append(list, http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete)
			continue
		case http.MethodGet:
			if !rt.stream {
				list = append(list, http.MethodHead)
			}
		}
		list = append(list, m)
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}

// loggedPath is the path of a request as logs and messages show it: without the
// query, which may hold what is nobody's business, and bounded.
func loggedPath(r *http.Request) string {
	p := r.URL.Path
	if len(p) > 200 {
		p = p[:200] + "…"
	}
	return strings.ToValidUTF8(p, "?")
}
