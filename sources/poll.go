package sources

import (
	"math/rand/v2"
	"time"
)

// DefaultInterval is how often a Git source is looked at unless told otherwise.
const DefaultInterval = 30 * time.Second

// jitter spreads an interval by ±10 %, so that a thousand agents that started
// together do not ask their server together. r gives numbers in [0,1).
func jitter(d time.Duration, r func() float64) time.Duration {
	if r == nil {
		r = rand.Float64
	}
	return d + time.Duration((2*r()-1)*0.1*float64(d))
}
