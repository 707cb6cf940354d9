package sse

import (
	"fmt"
	"time"
)

// Duration formats d as pin's reference prints times: "45s", "1m 30s",
// "2h 15m 30s". Below a second it gives milliseconds, "350ms", so that a short
// job does not read as none at all.
func Duration(d time.Duration) string {
	if d < 0 {
		d = 0
	}
	if d < time.Second {
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	s := int64(d / time.Second)
	h, m := s/3600, s/60%60
	s %= 60
	switch {
	case h > 0:
		return fmt.Sprintf("%dh %dm %ds", h, m, s)
	case m > 0:
		return fmt.Sprintf("%dm %ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}
