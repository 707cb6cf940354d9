package sources

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// remote is a server as a mirror speaks to it, in one way or another. It is not
// safe for concurrent use.
type remote interface {
	// peek gives the object that one ref names, without a list of all. It is not
	// known where the server has no such ref, or cannot be asked so.
	peek(ctx context.Context, name plumbing.ReferenceName) (h plumbing.Hash, known bool, err error)
	// advertised asks for all refs, and gives what a pack can be asked of. Both
	// are good until hangUp.
	advertised(ctx context.Context) (transport.UploadPackSession, *packp.AdvRefs, error)
	// hangUp ends an operation.
	hangUp()
	// hint says what to do when the server refuses access.
	hint() string
	// scrub takes what is secret out of a text.
	scrub(text string) string
	// explain makes a sentence of an error that only this way of speaking has, or
	// gives nil.
	explain(err error) error
	// close gives up what is kept between operations.
	close()
}
