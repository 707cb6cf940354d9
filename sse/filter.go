package sse

// Filter selects events; its zero value selects all. The frames of one stream
// only, `connection` and `stale`, pass every filter.
type Filter struct {
	Types map[string]bool // nil or empty: any
	Run   string          // "": any
	Job   string          // "": any
}

// Match says whether f is selected.
func (q *Filter) Match(f Frame) bool {
	return f.ID == 0 ||
		(q.Run == "" || q.Run == f.Run) &&
			(q.Job == "" || q.Job == f.Job) &&
			(len(q.Types) == 0 || q.Types[f.Type])
}

// all says that nothing is left out.
func (q *Filter) all() bool { return len(q.Types) == 0 && q.Run == "" && q.Job == "" }

// wantsOutput says whether lines of jobs can pass: if not, a replay leaves the
// runs' logs alone.
func (q *Filter) wantsOutput() bool { return len(q.Types) == 0 || q.Types[TypeLog] }
