// Package devicetest holds what a NETCONF device must do for the agent, as tests
// that run over real devices and the simulated one alike. It never knows which
// device it talks to.
package devicetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// Device is one that is empty when a test gets it, and has the models
// openconfig-system and openconfig-interfaces.
type Device interface {
	Target() netconf.Target
}

// Start starts a device that ends with the test: one with a candidate, or one with
// running that is written to and startup.
type Start func(t testing.TB, startup bool) Device

// Run runs the suite.
func Run(t *testing.T, start Start) {
	for name, f := range map[string]func(*testing.T, *rig){
		"locks":              locks,
		"the candidate":      candidate,
		"edits":              edits,
		"refusals":           refusals,
		"other refusals":     otherRefusals,
		"filters":            filters,
		"confirmed commits":  confirmedCommits,
		"lost confirmations": lostConfirmations,
		"models":             models,
		"notifications":      notifications,
		"sessions":           sessions,
		"startup":            startup,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, &rig{T: t, device: start(t, name == "startup")})
		})
	}
}

// rig is a device under test.
type rig struct {
	*testing.T
	device Device
}

// dial opens a session, which ends with the test.
func (r *rig) dial() *netconf.Session {
	r.Helper()
	s, err := netconf.Dial(r.Context(), r.device.Target())
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}

func (r *rig) must(errs ...error) {
	r.Helper()
	if err := errors.Join(errs...); err != nil {
		r.Fatal(err)
	}
}

// refused wants an error with one of the tags.
func (r *rig) refused(err error, what string, tags ...string) {
	r.Helper()
	if !netconf.HasTag(err, tags...) {
		r.Errorf("%s gave %v, want one of %q", what, err, tags)
	}
}

const systemSpace = "http://openconfig.net/yang/system"

// parse reads what stands in a configuration, an edit or a filter.
func (r *rig) parse(inside string) *tree.Node {
	r.Helper()
	n, err := tree.ParseBytes([]byte(`<config xmlns:nc="` + tree.BaseSpace + `">` + inside + `</config>`))
	if err != nil {
		r.Fatal(err)
	}
	return n
}

func system(inside string) string {
	return `<system xmlns="` + systemSpace + `">` + inside + `</system>`
}

func inUsers(inside string) string {
	return system(`<aaa><authentication><users>` + inside + `</users></authentication></aaa>`)
}

func user(name string) string {
	return fmt.Sprintf("<user><username>%[1]s</username><config><username>%[1]s</username><ssh-key>K</ssh-key><role>admin</role></config></user>", name)
}

// has wants these users, and no other, in a datastore.
func (r *rig) has(s *netconf.Session, d netconf.Datastore, want string) {
	r.Helper()
	if got := r.users(s, d); got != want {
		r.Errorf("the users in %s are %q, want %q", d, got, want)
	}
}

// becomes waits for has. netconfd looks at its timers only when nobody has asked
// it for a second.
func (r *rig) becomes(s *netconf.Session, d netconf.Datastore, want string) {
	r.Helper()
	for end := time.Now().Add(30 * time.Second); r.users(s, d) != want; time.Sleep(1200 * time.Millisecond) {
		if time.Now().After(end) {
			r.Fatalf("the users in %s are still %q, want %q", d, r.users(s, d), want)
		}
	}
}

func (r *rig) users(s *netconf.Session, d netconf.Datastore) string {
	r.Helper()
	config, _, err := s.GetConfig(r.Context(), d, r.parse(inUsers("<user><username/></user>")))
	if err != nil {
		r.Fatal(err)
	}
	n := config
	for _, local := range []string{"system", "aaa", "authentication", "users"} {
		n = n.Child(tree.Name{Space: systemSpace, Local: local})
	}
	var out []string
	if n != nil {
		for _, u := range n.Children {
			out = append(out, u.Child(tree.Name{Space: systemSpace, Local: "username"}).Value)
		}
	}
	return strings.Join(out, " ")
}

// edit edits the candidate with what stands in a configuration.
func (r *rig) edit(s *netconf.Session, inside string) error {
	r.Helper()
	return s.EditConfig(r.Context(), netconf.EditOptions{Target: netconf.Candidate}, r.parse(inside))
}

func (r *rig) commit(s *netconf.Session) error {
	return s.Commit(r.Context(), netconf.CommitOptions{})
}

// call asks what no method of a session does.
func (r *rig) call(s *netconf.Session, op string) error {
	r.Helper()
	n, err := tree.ParseBytes([]byte(op))
	if err != nil {
		r.Fatal(err)
	}
	_, err = s.Call(r.Context(), n)
	return err
}

func (r *rig) base(s *netconf.Session, op string) error {
	r.Helper()
	name := strings.FieldsFunc(op, func(c rune) bool { return strings.ContainsRune("</> ", c) })[0]
	return r.call(s, strings.Replace(op, "<"+name, "<"+name+` xmlns="`+tree.BaseSpace+`"`, 1))
}
