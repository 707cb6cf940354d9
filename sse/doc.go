// Package sse knows the one ordered, numbered log of events: it gives each
// event its id, writes it before anyone sees it, fans it out to any number of
// readers from one shared ring, and replays from memory or disk what a reader
// missed. It serves that log as a stream of Server-Sent Events (WHATWG HTML,
// section 9.2). It never knows who publishes, nor what an event means.
//
// # On disk
//
// A log's directory holds
//
//	ids                          {"reserved":20001,"clean":false}
//	00000000000000000001.ndjson  transitions: one event's JSON a line
//	00000000000000041873.ndjson  the next segment, named by its lowest id
//	runs.ndjson                  which ids the output of which run spans
//
// and each run's directory its output.ndjson: what jobs print is stored there
// and nowhere else, so that a chatty job never evicts transitions. Both are
// numbered from one row, and a replay merges them by id. One process at a time
// may have a log open; whoever owns the directory's parent sees to that.
//
// # What survives what
//
// An event is written with write(2) before any reader sees it, so a killed
// process loses nothing that was seen. Files are synced a second after they
// were written at the latest, and at Close: a power cut may take the last
// second, whatever a client has seen of it. Ids are reserved in blocks, and a
// reservation is synced before its first id is used, so that no id is given out
// twice even then. After an end that was not clean a `gap` event names the ids
// that may be missing. A damaged line is left out and counted.
//
// While the disk takes nothing (full, read-only) events reach readers from
// memory, and are written once that works again for as far as they are still
// in the ring; a `gap` event names the others. Ids beyond the reserved block
// are then given out unreserved: a process that is killed in that state may use
// them again.
package sse
