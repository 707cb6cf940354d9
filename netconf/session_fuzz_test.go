package netconf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/abide-agent/abide/netconf/tree"
)

// FuzzSession lets a device say anything after its hello, before and after it is
// asked: the call ends, the session ends, and both say why.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		fmt.Sprintf(reply, "1", "<ok/>"), fmt.Sprintf(reply, "2", "<ok/>"), "<rpc-reply>", "<a:rpc-reply/>", "", "<notification/>",
		fmt.Sprintf(reply, "1", "<rpc-error><error-severity>warning</error-severity></rpc-error><rpc-error/>"),
	} {
		f.Add(fmt.Appendf(nil, "\n#%d\n%s\n##\n", len(seed), seed))
	}
	hello := append(AppendHello(nil, 1, Base10, Base11), marker...)
	f.Fuzz(func(t *testing.T, says []byte) {
		asked := make(chan struct{})
		in, out := io.Pipe()
		go func() {
			out.Write(hello)
			<-asked
			out.Write(says)
			out.Close()
		}()
		s, err := Open(t.Context(), &told{Reader: in, asked: asked}, Options{Reply: tree.Limits{Bytes: 4096}})
		if err != nil {
			t.Fatal(err)
		}
		r, err := s.Call(t.Context(), base("discard-changes"))
		<-s.Done()
		if s.Err() == nil || (r == nil) == (err == nil) {
			t.Fatalf("the call gave %v and %v, the session %v", r, err, s.Err())
		}
		if list, ok := errors.AsType[RPCErrors](err); ok && len(list) == 0 {
			t.Fatal("the device refused without a reason")
		}
	})
}

// told is the stream of a device that learns when it is asked.
type told struct {
	io.Reader
	asked chan struct{}
}

func (d *told) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("discard-changes")) {
		close(d.asked)
	}
	return len(p), nil
}

func (d *told) Close() error { return d.Reader.(io.Closer).Close() }
