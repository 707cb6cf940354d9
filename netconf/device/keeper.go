package device

import "context"

// Write is one key with its new value; nil takes the key away.
type Write struct {
	Key   string
	Value []byte
}

// Keeper keeps what must outlive the process. The keys begin with device/,
// owner/, decision/ or output/. It is safe for concurrent use.
type Keeper interface {
	// Load gives every key with its value.
	Load(ctx context.Context) ([]Write, error)
	// Commit makes all writes durable before it returns, or none of them. Of two
	// writes of one key the later counts.
	Commit(ctx context.Context, writes ...Write) error
}
