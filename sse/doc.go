// Package sse knows the one ordered, numbered log of events: it gives each
// event its id, writes it before anyone sees it, fans it out to any number of
// readers from one shared ring, and replays from memory or disk what a reader
// missed. It serves that log as a stream of Server-Sent Events (WHATWG HTML,
// section 9.2). It never knows who publishes, nor what an event means.
package sse
