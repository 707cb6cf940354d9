package systemd

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/abide-agent/abide/units"
)

// TestPace: a batch goes on for as long as its units come to an end one after
// the other, within bounds, and ends when none does.
func TestPace(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		n     int
		every time.Duration // between two units that end
		ends  int           // units that end
		want  time.Duration
	}{
		{"one that hangs", 1, 0, 0, time.Second},
		{"one that hangs among three", 3, 30 * time.Millisecond, 2, 1040 * time.Millisecond},
		{"many that end", 1000, 10 * time.Millisecond, 999, 9990*time.Millisecond + time.Second},
		{"many that hang", 1000, 0, 0, time.Second},
		{"many that end too slowly", 100, 900 * time.Millisecond, 99, time.Second + 99*perUnit},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				ctx, p, stop := newPace(t.Context(), time.Second, c.n)
				defer stop()
				for range c.ends {
					select {
					case <-time.After(c.every):
						p.moved()
					case <-ctx.Done():
					}
				}
				<-ctx.Done()
				if err := context.Cause(ctx); !errors.Is(err, units.ErrBusy) {
					t.Errorf("it ended with %v", err)
				}
				if took := time.Since(began); took != c.want {
					t.Errorf("it ended after %v, want %v", took, c.want)
				}
			})
		})
	}
}
