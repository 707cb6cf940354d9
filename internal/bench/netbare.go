package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/abide-agent/abide/internal/testkit/netconfd"
	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// bare is the floor: a client that sends the requests which a change can't do
// without, over sessions that are there, to all devices at once. It decides
// nothing, looks at no answer and records nothing.
type bare struct {
	kit      *netconfd.Kit
	devices  []*netconfd.Device
	sessions []*netconf.Session
}

// connect opens all sessions and reads the configuration of each device.
func (b *bare) connect(ctx context.Context) error {
	b.sessions = make([]*netconf.Session, len(b.devices))
	return parallel(len(b.devices), func(i int) (err error) {
		b.sessions[i], err = netconf.Dial(ctx, netconf.Target{
			Addr: b.devices[i].Addr, User: b.kit.User, Auth: netconf.Auth{KeyFiles: []string{b.kit.KeyFile}}, KnownHosts: b.kit.KnownHosts,
		})
		if err != nil {
			return err
		}
		_, _, err = b.sessions[i].GetConfig(ctx, netconf.Running, nil)
		return err
	})
}

func (b *bare) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = parallel(len(b.sessions), func(i int) error {
		if b.sessions[i] != nil {
			_ = b.sessions[i].Close(ctx)
		}
		return nil
	})
	b.sessions = nil
}

// change makes the first n devices have an edit: lock, get-config of what the
// filter selects, edit-config, commit, unlock. With confirmed set the commit is a
// confirmed one, what was changed is read back, and a second commit confirms.
func (b *bare) change(ctx context.Context, n int, filter, edit *tree.Node, confirmed bool) error {
	return parallel(n, func(i int) error {
		s := b.sessions[i]
		read := func() error { _, _, err := s.GetConfig(ctx, netconf.Running, filter); return err }
		steps := []func() error{
			func() error { return s.Lock(ctx, netconf.Candidate) },
			read,
			func() error { return s.EditConfig(ctx, netconf.EditOptions{Target: netconf.Candidate}, edit) },
		}
		if confirmed {
			steps = append(steps, func() error {
				return s.Commit(ctx, netconf.CommitOptions{Confirmed: true, Timeout: time.Minute})
			}, read)
		}
		steps = append(steps, func() error { return s.Commit(ctx, netconf.CommitOptions{}) },
			func() error { return s.Unlock(ctx, netconf.Candidate) })
		for _, step := range steps {
			if err := step(); err != nil {
				return fmt.Errorf("the bare client on %s: %w", b.devices[i].Name, err)
			}
		}
		return nil
	})
}

func parallel(n int, do func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = do(i) })
	}
	wg.Wait()
	return firstError(errs)
}

// config wraps what is below the list of users into the tree of a request.
func config(inside string) *tree.Node {
	n, err := tree.ParseBytes([]byte(`<config><system xmlns="http://openconfig.net/yang/system" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0">` +
		`<aaa><authentication><users>` + inside + `</users></authentication></aaa></system></config>`))
	if err != nil {
		panic(err) // the text is our own
	}
	return n
}

// editOf creates the users.
func editOf(users []account) *tree.Node {
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "<user><username>%[1]s</username><config><username>%[1]s</username><ssh-key>%[2]s</ssh-key><role>guest</role></config></user>", u.name, u.key)
	}
	return config(b.String())
}

// keyOf changes one leaf of one user.
func keyOf(u account) *tree.Node {
	return config(fmt.Sprintf("<user><username>%s</username><config><ssh-key>%s</ssh-key></config></user>", u.name, u.key))
}

// goneOf removes the users.
func goneOf(users []account) *tree.Node {
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, `<user nc:operation="remove"><username>%s</username></user>`, u.name)
	}
	return config(b.String())
}

// filterOf selects users by their keys, or without any all that there are.
func filterOf(users ...account) *tree.Node {
	var b strings.Builder
	for _, u := range users {
		fmt.Fprintf(&b, "<user><username>%s</username></user>", u.name)
	}
	return config(b.String())
}
