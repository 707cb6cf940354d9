package units

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
)

// MetadataOp sets one key of a machine's metadata, or takes it away when Value
// is empty: then it hides one that is configured, as in fleet.
type MetadataOp struct {
	Machine, Key, Value string
}

// The bounds of what callers may set.
const (
	maxMachines     = 1000
	maxMetadataKeys = 1000
)

// ErrTooMuchMetadata refuses a change beyond the bounds.
var ErrTooMuchMetadata = errors.New("there is too much metadata; remove some keys first")

// Metadata gives the metadata of a machine: what is configured, with what was
// set through the API laid over it.
func (r *Registry) Metadata(m Machine) map[string]string {
	out := maps.Clone(m.Metadata)
	if out == nil {
		out = map[string]string{}
	}
	r.mu.RLock()
	maps.Copy(out, r.metadata[m.ID])
	r.mu.RUnlock()
	maps.DeleteFunc(out, func(_, value string) bool { return value == "" })
	return out
}

// PatchMetadata carries the ops out in their order, all or none, and returns
// when that is durable. Machines that nobody knows are taken, as in fleet.
func (r *Registry) PatchMetadata(ctx context.Context, ops []MetadataOp) error {
	if len(ops) == 0 {
		return nil
	}
	done, err := r.hosts.take(ctx, "")
	if err != nil {
		return err
	}
	defer done()
	next := map[string]map[string]string{}
	r.mu.RLock()
	machines := len(r.metadata)
	for _, op := range ops {
		if next[op.Machine] == nil {
			if next[op.Machine] = maps.Clone(r.metadata[op.Machine]); next[op.Machine] == nil {
				next[op.Machine] = map[string]string{}
				machines++
			}
		}
		next[op.Machine][op.Key] = op.Value
	}
	r.mu.RUnlock()
	if machines > maxMachines {
		return ErrTooMuchMetadata
	}
	writes := map[string][]byte{}
	for id, m := range next {
		if len(m) > maxMetadataKeys {
			return ErrTooMuchMetadata
		}
		if writes[machineKey+id], err = json.Marshal(m); err != nil {
			return err
		}
	}
	if err := r.save(ctx, writes); err != nil {
		return err
	}
	r.mu.Lock()
	maps.Copy(r.metadata, next)
	r.mu.Unlock()
	r.changed()
	return nil
}
