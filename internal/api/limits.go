package api

import "time"

// The bounds of the HTTP server. They stand here together, so that one look
// tells what a caller can cost the agent.
const (
	// MaxBody bounds the body of a request to abide's own routes. A Content-Length
	// above it is refused before a byte of the body was read.
	MaxBody = 1 << 20
	// MaxHook bounds the body of a webhook: the most that GitHub sends. It is read
	// in pieces and not kept.
	MaxHook = 25 << 20
	// MaxHeader bounds the request line and all headers together.
	MaxHeader = 64 << 10
	// MaxConns bounds the open connections of one listener. What comes above it
	// is told so with a 503 and closed.
	MaxConns = 4096
	// MaxPage and DefaultPage bound one page of a listing.
	MaxPage     = 500
	DefaultPage = 50
	// MaxName bounds a name, id or reason that a caller gives, in bytes.
	MaxName = 512

	// headerTime is how long a caller may take for the headers, and readTime for
	// headers and body together: a caller that stops half-way is dropped then.
	headerTime = 5 * time.Second
	readTime   = 10 * time.Second
	// idleTime is how long a kept-alive connection may be silent.
	idleTime = 2 * time.Minute
	// answerTime bounds a request from its headers to the end of its answer.
	// Streams have no such bound, but stallTime: how long one write may take.
	answerTime = 2 * time.Minute
	stallTime  = time.Minute
	// lingerTime is how long the rest of a refused body is read and thrown away,
	// because a caller that is still sending would miss the answer if the
	// connection were reset under it (RFC 9112, section 9.6).
	lingerTime = time.Second
	// shutdownTime bounds Shutdown, and streamGrace what streams get of it to
	// end by themselves.
	shutdownTime = 900 * time.Millisecond
	streamGrace  = 600 * time.Millisecond
	// flushEvery is how long a line of a log may wait for others to share a
	// packet with.
	flushEvery = 2 * time.Millisecond
	// beginAfter is how long a log that has no line yet waits with its headers,
	// and beatEvery how often it then shows that it is alive.
	beginAfter = 50 * time.Millisecond
	beatEvery  = 15 * time.Second
)

// limits holds those of the above that tests shorten.
type limits struct {
	header, read, idle, answer, linger, shutdown time.Duration
	conns                                        int
}

func defaultLimits() limits {
	return limits{
		header: headerTime, read: readTime, idle: idleTime, answer: answerTime,
		linger: lingerTime, shutdown: shutdownTime, conns: MaxConns,
	}
}
