package sse

import "time"

// Options configure a [Log]. The zero value of each field but Dir and RunDir
// stands for its default.
type Options struct {
	// Dir holds the log; it is made where it is missing. With "" the log is in
	// memory only, begins at 1 each time, and keeps what fits the ring.
	Dir string
	// RunDir gives the directory of a run, where its output is stored as
	// [OutputFile]. With nil, output is stored among the transitions.
	RunDir func(run string) string

	RingBytes  int // memory for the newest events; default 4 MiB
	RingEvents int // and how many; default 16,384

	// SegmentBytes is the size of a file of transitions, the unit in which they
	// are dropped; default an eighth of Retain, but 16 KiB to 8 MiB.
	SegmentBytes int64
	Retain       int64 // bytes of transitions kept, about; default 64 MiB

	Heartbeat    time.Duration // comment on an idle stream; default 15 s
	WriteTimeout time.Duration // for a client to take one batch; default 30 s

	// Version is what a client is told that it is connected to.
	Version string
	// OnError is told of the first error of a row, from a goroutine of the log;
	// it may publish. [Log.Err] tells how things stand.
	OnError func(error)
}

func (o Options) withDefaults() Options {
	def(&o.RingBytes, 4<<20)
	def(&o.RingEvents, 16<<10)
	def(&o.Retain, 64<<20)
	def(&o.SegmentBytes, min(max(o.Retain/8, 16<<10), 8<<20))
	def(&o.Heartbeat, 15*time.Second)
	def(&o.WriteTimeout, 30*time.Second)
	if o.OnError == nil {
		o.OnError = func(error) {}
	}
	return o
}

// def sets a field that was left at zero, or is nonsense.
func def[T int | int64 | time.Duration](field *T, value T) {
	if *field <= 0 {
		*field = value
	}
}
