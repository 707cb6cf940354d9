package sim

import (
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/abide-agent/abide/netconf"
	"github.com/abide-agent/abide/netconf/tree"
)

// pending is a confirmed commit that is not confirmed yet (RFC 6241 section 8.4).
type pending struct {
	by     uint32     // the session that made it
	token  string     // what it is confirmed by; "" is by that session alone
	before *tree.Node // running before it
	timer  *time.Timer
}

// defaultTimeout is how long a confirmed commit waits.
const defaultTimeout = 600 * time.Second

// text gives the value of a parameter, and whether it is there.
func (c call) text(local string) (string, bool) {
	p := c.param(local)
	if p == nil {
		return "", false
	}
	return strings.TrimSpace(p.Value), true
}

func (c call) commit() (result, error) {
	if err := c.mayChange(netconf.Running, netconf.Candidate); err != nil {
		return result{}, err
	}
	if err := c.mayConfirm(); err != nil {
		return result{}, err
	}
	timeout, err := c.confirmTimeout()
	if err != nil {
		return result{}, err
	}
	config := c.stores[netconf.Candidate].config
	if err := c.judge(config, true); err != nil {
		return result{}, err
	}
	if timeout > 0 {
		c.confirmLater(config, timeout)
		return result{}, nil
	}
	if err := c.save(config); err != nil {
		return result{}, err
	}
	if c.pending != nil {
		c.pending.timer.Stop()
		c.pending = nil
		c.publish(confirmEvent(c.s, "complete", 0))
	}
	c.commitTo(config)
	return result{}, nil
}

// commitTo makes running the candidate, and both one tree.
func (c call) commitTo(config *tree.Node) {
	c.setRunning(config, c.s)
	c.stores[netconf.Candidate].modified = c.stores[netconf.Running].modified
}

// mayConfirm says whether this commit may confirm, or go on with, the one that is
// pending.
func (c call) mayConfirm() error {
	id, has := c.text("persist-id")
	switch p := c.pending; {
	case p == nil && has:
		return protocol("invalid-value", "no confirmed commit of that name waits for its confirmation")
	case p == nil:
		return nil
	case p.token == "" && !has && p.by == c.s.id:
		return nil
	case p.token != "" && has && subtle.ConstantTimeCompare([]byte(p.token), []byte(id)) == 1:
		return nil
	case has:
		return protocol("invalid-value", "no confirmed commit of that name waits for its confirmation")
	}
	e := protocol("in-use", "a confirmed commit waits for its confirmation")
	e.AppTag = "outstanding-confirmed-commit"
	return e
}

// confirmTimeout gives how long to wait for a confirmation; 0 where none is needed.
func (c call) confirmTimeout() (time.Duration, error) {
	persist, named := c.text("persist")
	seconds, timed := c.text("confirm-timeout")
	confirmed := c.param("confirmed") != nil
	switch {
	case !confirmed && (named || timed):
		return 0, element("missing-element", baseName("confirmed"), "a commit with a name or a timeout is a confirmed one")
	case named && (persist == "" || len(persist) > maxToken):
		return 0, protocol("invalid-value", "the name of a commit has 1 to %d bytes", maxToken)
	case !confirmed:
		return 0, nil
	case !timed:
		return defaultTimeout, nil
	}
	n, err := strconv.ParseUint(seconds, 10, 32)
	if err != nil || n == 0 {
		return 0, protocol("invalid-value", "%.20q is no number of seconds from 1 to 4294967295", seconds)
	}
	return time.Duration(n) * time.Second, nil
}

// confirmLater makes running the candidate for as long as the timeout. One that
// was pending goes on, with a new timeout.
func (c call) confirmLater(config *tree.Node, timeout time.Duration) {
	next := &pending{by: c.s.id, before: c.stores[netconf.Running].config}
	event := "start"
	if last := c.pending; last != nil {
		last.timer.Stop()
		next.before, next.token = last.before, last.token
		event = "extend"
	}
	if token, ok := c.text("persist"); ok {
		next.token = token
	}
	next.timer = time.AfterFunc(timeout, func() { c.expire(next) })
	c.pending = next
	c.publish(confirmEvent(c.s, event, timeout))
	c.commitTo(config)
}

// expire undoes a commit that nobody confirmed in time.
func (d *Device) expire(p *pending) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pending == p {
		d.rollBack("timeout")
	}
}

// rollBack undoes the commit that is pending. The candidate is reset, too.
func (d *Device) rollBack(event string) {
	p := d.pending
	p.timer.Stop()
	d.pending = nil
	d.publish(confirmEvent(d.sessions[p.by], event, 0))
	d.setRunning(p.before, nil)
	d.reset()
}

func (c call) cancelCommit() (result, error) {
	if c.pending == nil {
		return result{}, protocol("operation-failed", "no confirmed commit waits for its confirmation")
	}
	if err := c.mayConfirm(); err != nil {
		return result{}, err
	}
	if err := c.mayChange(netconf.Running); err != nil {
		return result{}, err
	}
	c.rollBack("cancel")
	return result{}, nil
}

func (c call) discard() (result, error) {
	if err := c.mayChange(netconf.Candidate); err != nil {
		return result{}, err
	}
	c.reset()
	return result{}, nil
}
