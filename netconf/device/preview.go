package device

import "context"

// Preview is Plan as if these were the devices of the inventory: for a plan of a
// revision that is not in force. Nothing is kept of it, and all its sessions are
// its own.
func (m *Manager) Preview(ctx context.Context, devices []Device, changes []Change) ([]DevicePlan, error) {
	c := m.config
	c.Keep, c.Tell = frozenKeeper{c.Keep}, func(Event) {}
	other, err := New(ctx, c)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	other.Inventory(devices)
	return other.Plan(ctx, changes)
}

// frozenKeeper keeps nothing that it is given.
type frozenKeeper struct{ Keeper }

func (frozenKeeper) Commit(context.Context, ...Write) error { return nil }
