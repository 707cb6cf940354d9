package netconf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/abide-agent/abide/netconf/tree"
)

// helloLimits bounds a hello: a thousand modules take 150 kB.
var helloLimits = tree.Limits{Bytes: 4 << 20, Depth: 16, Nodes: 100_000}

// Hello is what one side says first (RFC 6241, section 8.1).
type Hello struct {
	Capabilities Capabilities
	SessionID    uint32     // 0 in that of a client
	Root         *tree.Node // all of it; nil in one that is to be sent
}

// AppendHello writes a hello. A session id, 0 for none, stands in front of the
// capabilities: clients of the service API look for it there, and the order
// means nothing to others.
func AppendHello(dst []byte, sessionID uint32, capabilities ...string) []byte {
	n := base("hello")
	if sessionID != 0 {
		n.Children = append(n.Children, leaf(tree.BaseSpace, "session-id", strconv.FormatUint(uint64(sessionID), 10)))
	}
	if len(capabilities) > 0 {
		list := base("capabilities")
		for _, uri := range capabilities {
			list.Children = append(list.Children, leaf(tree.BaseSpace, "capability", uri))
		}
		n.Children = append(n.Children, list)
	}
	return n.AppendXML(dst)
}

// ReadHello reads the peer's hello.
func ReadHello(c *Conn) (*Hello, error) {
	r, err := c.ReadMessage()
	if err != nil {
		return nil, err
	}
	root, err := tree.Parse(r, helloLimits)
	if err != nil {
		return nil, fmt.Errorf("the peer begins with something else than a hello, check that it speaks NETCONF here: %w", err)
	}
	if root.Name != (tree.Name{Space: tree.BaseSpace, Local: "hello"}) {
		return nil, fmt.Errorf("the peer begins with <%s> in the namespace %q instead of a hello; check that it speaks NETCONF here", root.Name.Local, root.Name.Space)
	}
	h := &Hello{Capabilities: readCapabilities(root), Root: root}
	if id := root.Child(tree.Name{Space: tree.BaseSpace, Local: "session-id"}); id != nil {
		n, err := strconv.ParseUint(strings.TrimSpace(id.Value), 10, 32)
		if err != nil || n == 0 {
			return nil, fmt.Errorf("the session-id %.20q of the peer's hello is not a number from 1 to 4294967295; check that it speaks NETCONF here", id.Value)
		}
		h.SessionID = uint32(n)
	}
	return h, nil
}

// exchange sends our hello without waiting for the peer's, which some servers
// need (RFC 6241 section 8.1 lets both do so), reads the peer's and goes over
// to chunks when both offer them. It closes the Conn when the context ends.
func exchange(ctx context.Context, c *Conn, ours []byte, chunks bool) (*Hello, error) {
	stop := context.AfterFunc(ctx, func() { c.Close() })
	sent := make(chan error, 1)
	go func() {
		err := c.WriteMessage(ctx, ours)
		if err != nil {
			c.Close() // so that the read ends too
		}
		sent <- err
	}()
	theirs, err := ReadHello(c)
	if err != nil {
		c.Close()
	}
	writeErr := <-sent
	switch {
	case !stop():
		return nil, fmt.Errorf("no hello came in time; check that the peer speaks NETCONF here: %w", context.Cause(ctx))
	case err == io.EOF:
		return nil, errors.New("the peer ended the session before its hello; check that it speaks NETCONF here, and its log")
	case err != nil:
		return nil, err
	case writeErr != nil:
		return nil, fmt.Errorf("our hello could not be sent: %w", writeErr)
	}
	if !theirs.Capabilities.Has(Base10) && !theirs.Capabilities.Has(Base11) && !theirs.Capabilities.Has(":base:1.0") {
		return nil, errors.New("the peer offers neither base:1.0 nor base:1.1 in its hello; check that it speaks NETCONF here")
	}
	if chunks && theirs.Capabilities.Has(Base11) {
		c.Upgrade()
	}
	return theirs, nil
}

func base(local string, children ...*tree.Node) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: tree.BaseSpace, Local: local}, Children: children}
}

func leaf(space, local, value string) *tree.Node {
	return &tree.Node{Name: tree.Name{Space: space, Local: local}, Value: value}
}
