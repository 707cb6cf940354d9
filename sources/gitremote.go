package sources

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remote is a server as a mirror speaks to it, in one way or another. It is not
// safe for concurrent use.
type remote interface {
	// advertised asks for all refs, and gives what a pack can be asked of. Both
	// are good until hangUp.
	advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error)
	// hangUp ends an operation.
	hangUp()
	// hint says what to do when the server refuses access.
	hint() string
	// close gives up what is kept between operations.
	close()
}
