package systemd

import (
	"context"
	"fmt"

	"github.com/abide-agent/abide/units"
)

// Start starts a unit that abide placed and waits for the end of its start.
func (e *Engine) Start(ctx context.Context, name string) error {
	if err := e.byHand(ctx, start, name); err != nil {
		return err
	}
	if err := e.settled(ctx, name); err != nil {
		return err
	}
	return e.markDone(name)
}

// Stop stops a unit that abide placed and waits until it has stopped.
func (e *Engine) Stop(ctx context.Context, name string) error {
	if err := e.byHand(ctx, stop, name); err != nil {
		return err
	}
	return e.unmarkDone(name)
}

func (e *Engine) byHand(ctx context.Context, v verb, name string) error {
	if _, ours := e.memory.get(name); !ours {
		return fmt.Errorf("%s is none of the units that abide placed; systemctl %s is for the others", name, v)
	}
	if units.IsTemplate(name) {
		return fmt.Errorf("%s is a template, which never runs itself; %s an instance of it", name, v)
	}
	b, err := e.link.get(ctx)
	if err != nil {
		return err
	}
	result, err := e.await(ctx, e.send(ctx, b, v, name))
	u, _ := e.memory.get(name)
	return verdict(v, name, result, err, u.run)
}
