package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// CommitRequest is a controller-commit of an operator.
type CommitRequest struct {
	TID     uint64
	User    string
	Devices []string // patterns of names, as path.Match has them; none: all
	Groups  []string // patterns of groups
	// Actions is NONE (no service code runs), CHANGE (that of what has changed) or
	// FORCE (that of Instance, or of all).
	Actions  string
	Instance string // Instance.Name, or "" for all
	Push     string // NONE (a dry run), VALIDATE or COMMIT
}

// CommitResult is how a commit ended.
type CommitResult struct {
	Devices []string          // that were or would be changed
	Diff    map[string]string // by device, of a dry run: for people, as in a unified diff
	Reason  string            // why nothing was to do, if nothing was
	Warning string
}

// Committer does what operators commit. It is called from a goroutine of its own
// and may call [Server.Run]. The error is told to the operator.
type Committer interface {
	Commit(ctx context.Context, r CommitRequest) (CommitResult, error)
}

// commit answers controller-commit: with the transaction at once, and its end as
// a notification.
func (n *session) commit(ctx context.Context, op *tree.Node, user string) answer {
	s := n.server
	r, err := readCommit(op)
	if err != nil {
		return failed("%v", err)
	}
	if s.options.Committer == nil {
		return refused("operation-not-supported", "Nothing can be committed here")
	}
	if r.User = user; user == "" {
		r.User = s.options.User
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.commits >= maxCommits {
		return refused("in-use", "%d commits are under way already; try again when one has ended", maxCommits)
	}
	s.commits++
	t := s.book.begin(transaction{
		user: r.User, state: stateActions,
		description: "Controller commit actions:" + r.Actions + " push:" + r.Push,
	})
	r.TID = t.tid
	return answer{
		elements: []*tree.Node{textElement("tid", strconv.FormatUint(t.tid, 10))},
		then: func() {
			n.jobs.Go(func() {
				var result CommitResult
				err := errors.New("the commit failed within the server; see its log")
				defer func() {
					if p := recover(); p != nil {
						s.warn(fmt.Sprintf("a commit of %s on the service API failed: %v\n%s", n, p, debug.Stack()))
					}
					s.committed(n, t, result, err)
				}()
				result, err = s.options.Committer.Commit(ctx, r)
			})
		},
	}
}

// committed tells everybody how a commit ended.
func (s *Server) committed(n *session, t *transaction, result CommitResult, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits--
	t.devices, t.warning, t.reason = result.Devices, clip(result.Warning), clip(result.Reason)
	var b strings.Builder
	for _, device := range slices.Sorted(maps.Keys(result.Diff)) {
		fmt.Fprintf(&b, "%s:\n%s", device, result.Diff[device])
		if !strings.HasSuffix(result.Diff[device], "\n") {
			b.WriteByte('\n')
		}
	}
	t.diff = b.String()
	t.end(err, "controller")
	for _, m := range s.sessions {
		if m.results {
			m.enqueue(notice{t.notice(), m == n})
		}
	}
}

// readCommit reads the request. The errors are in the words of the API.
func readCommit(op *tree.Node) (CommitRequest, error) {
	r := CommitRequest{Actions: "NONE", Push: "NONE"}
	source, force := "ds:running", ""
	for _, c := range op.Children {
		value := strings.TrimSpace(c.Value)
		switch c.Name.Local {
		case "device":
			r.Devices = append(r.Devices, value)
		case "device-group":
			r.Groups = append(r.Groups, value)
		case "source":
			source = value
		case "actions":
			r.Actions = value
		case "push":
			r.Push = value
		case "service-instance":
			force = value
		default:
			return r, fmt.Errorf("<%s> is no part of controller-commit", clip(c.Name.Local))
		}
	}
	if len(r.Devices)+len(r.Groups) > 1000 {
		return r, fmt.Errorf("More than 1000 devices are named")
	}
	if _, local, ok := strings.Cut(source, ":"); ok {
		source = local
	}
	switch {
	case !slices.Contains([]string{"NONE", "VALIDATE", "COMMIT"}, r.Push):
		return r, fmt.Errorf("There is no push %q", clip(r.Push))
	case r.Actions == "DELETE":
		return r, fmt.Errorf("Service instances are deleted in the repository")
	case !slices.Contains([]string{"NONE", "CHANGE", "FORCE"}, r.Actions):
		return r, fmt.Errorf("There is no action %q", clip(r.Actions))
	case source != "candidate" && source != "running":
		return r, fmt.Errorf("Nothing can be committed from the datastore %q", clip(source))
	case r.Actions != "NONE" && source != "candidate":
		return r, fmt.Errorf("Only candidates db supported if actions")
	case r.Actions == "NONE" && r.Push == "NONE":
		return r, fmt.Errorf("No changes to push")
	case force != "" && r.Actions != "FORCE":
		return r, fmt.Errorf("A service-instance is for the action FORCE alone")
	}
	if force != "" {
		name, ok := instanceName(force)
		if !ok {
			return r, fmt.Errorf("%q names no instance; write it as ssh-users[instance='ops']", clip(force))
		}
		r.Instance = name
	}
	return r, nil
}

// instanceName turns `ssh-users[service-name='ops']` into `ssh-users[ops]`.
func instanceName(tag string) (string, bool) {
	service, rest, ok := strings.Cut(tag, "[")
	if !ok || service == "" || !strings.HasSuffix(rest, "]") {
		return "", false
	}
	if _, quoted, ok := strings.Cut(rest, "="); ok {
		value, ok := quotedValue(quoted)
		return service + "[" + value + "]", ok && value != ""
	}
	return tag, rest != "]"
}

// diff answers datastore-diff, which clients ask for behind a dry run: with what
// the last one of that user would have changed.
func (n *session) diff(user string) answer {
	s := n.server
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.book.list) - 1; i >= 0; i-- {
		t := s.book.list[i]
		if t.user == user && t.instance == "" && t.state == stateDone {
			if t.diff == "" {
				break
			}
			return answer{elements: []*tree.Node{textElement("diff", t.diff)}}
		}
	}
	return answer{}
}
