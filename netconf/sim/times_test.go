package sim_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/sim"
)

// TestConfirmTimes looks at a confirmed commit just before and after its time.
func TestConfirmTimes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		commits []netconf.CommitOptions // one after the other, half of the time apart
		at      time.Duration           // from the last
	}{
		{"the default", []netconf.CommitOptions{{Confirmed: true}}, 600 * time.Second},
		{"a timeout", []netconf.CommitOptions{{Confirmed: true, Timeout: 90 * time.Second}}, 90 * time.Second},
		{"a longer one", []netconf.CommitOptions{{Confirmed: true, Timeout: 10 * time.Second}, {Confirmed: true, Timeout: 100 * time.Second}}, 100 * time.Second},
		{"a name", []netconf.CommitOptions{{Confirmed: true, Timeout: 10 * time.Second, Persist: "x"}, {Confirmed: true, Timeout: 20 * time.Second, PersistID: "x", Persist: "y"}}, 20 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := device(t, sim.Options{})
				s := open(t, d)
				must(t, d.SetConfig(parse(t, hostname("before"))))
				for i, o := range tt.commits {
					if i > 0 {
						time.Sleep(tt.commits[i-1].Timeout / 2)
					}
					must(t, s.EditConfig(t.Context(), merge, parse(t, hostname("after"))), s.Commit(t.Context(), o))
				}
				time.Sleep(tt.at - time.Millisecond)
				has(t, d.Config(), hostname("after"))
				time.Sleep(2 * time.Millisecond)
				has(t, d.Config(), hostname("before"))
			})
		})
	}
}

// TestConfirmedCommitsAndPower confirms in time, and cuts the power otherwise.
func TestConfirmedCommitsAndPower(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := device(t, sim.Options{})
		s := open(t, d)
		ctx := t.Context()
		must(t, s.EditConfig(ctx, merge, parse(t, hostname("a"))), s.Commit(ctx, netconf.CommitOptions{Confirmed: true}), s.Commit(ctx, netconf.CommitOptions{}))
		time.Sleep(time.Hour)
		has(t, d.Config(), hostname("a"))

		must(t, s.EditConfig(ctx, merge, parse(t, hostname("b"))), s.Commit(ctx, netconf.CommitOptions{Confirmed: true, Persist: "x"}))
		// Nobody else may lock running meanwhile, even when its session is gone.
		must(t, s.Close(ctx))
		s = open(t, d)
		err := s.Lock(ctx, netconf.Running)
		if e, ok := errors.AsType[*netconf.RPCError](err); !ok || e.Tag != "lock-denied" || e.Info.Children[0].Value != "0" {
			t.Errorf("the lock gave %v", err)
		}
		d.Restart()
		<-s.Done()
		has(t, d.Config(), hostname("a"))
		s = open(t, d)
		if err := s.Commit(ctx, netconf.CommitOptions{PersistID: "x"}); !netconf.HasTag(err, "invalid-value") {
			t.Errorf("what the power cut undid was confirmed: %v", err)
		}
	})
}

// TestSilentClients are let go after a while.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := device(t, sim.Options{})
		silent := pipe(t, d, "noc")
		began := time.Now()
		_, err := io.Copy(io.Discard, silent)
		took := time.Since(began)
		synctest.Wait()
		if err != nil || took != time.Minute || d.Sessions() != 0 {
			t.Errorf("%v after %v, %d sessions", err, took, d.Sessions())
		}

		// One that listens and doesn't read loses its session, and nobody waits for it.
		s, deaf := open(t, d), speak(t, d)
		if reply := deaf.ask(`<rpc xmlns="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="1"><create-subscription xmlns="urn:ietf:params:xml:ns:netconf:notification:1.0"/></rpc>`); reply == "" {
			t.Error("no reply")
		}
		for i := range 3000 {
			must(t, d.SetConfig(parse(t, hostname([]string{"a", "b"}[i%2]))))
		}
		synctest.Wait()
		if d.Sessions() != 1 {
			t.Errorf("there are %d sessions", d.Sessions())
		}
		must(t, s.Discard(t.Context()))
	})
}

// TestServeConnEnds with its context.
func TestServeConnEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := device(t, sim.Options{})
		s := open(t, d)
		must(t, s.Lock(t.Context(), netconf.Running))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		r, w := io.Pipe()
		go func() { ended <- d.ServeConn(ctx, stream{r, io.Discard, w}, sim.Peer{}) }()
		time.Sleep(time.Second)
		cancel()
		<-ended
		if d.Sessions() != 1 {
			t.Errorf("there are %d sessions", d.Sessions())
		}
	})
}

type stream struct {
	io.Reader
	io.Writer
	io.Closer
}
