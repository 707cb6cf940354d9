package systemd

import (
	"context"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// maxJobs is how many jobs of ours may be under way at a time. systemd asks the
// bus to be told of the end of the client of each job, and a connection to
// dbus-daemon may ask for 512 such things (max_match_rules_per_connection): at
// the next, systemd loses its connection to the bus, and all answers with it.
const maxJobs = 320

// jobs hands the results of systemd's jobs (JobRemoved) to those who wait for
// them. A result may come before the answer to the call that made the job has
// been looked at, so results are kept while there are such calls.
type jobs struct {
	slots chan struct{} // one for each call and job of ours; nil bounds nothing

	mu      sync.Mutex
	waiting map[dbus.ObjectPath][]chan string
	held    map[dbus.ObjectPath]bool // jobs that have a slot
	calls   int
	early   map[dbus.ObjectPath]string
}

func newJobs() *jobs {
	return &jobs{
		slots: make(chan struct{}, maxJobs), waiting: map[dbus.ObjectPath][]chan string{},
		held: map[dbus.ObjectPath]bool{}, early: map[dbus.ObjectPath]string{},
	}
}

// begin says that a call that makes a job is about to be sent, and waits while
// there are too many jobs. An end must follow, unless it gives an error.
func (j *jobs) begin(ctx context.Context) error {
	select {
	case j.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls++
	return nil
}

// end gives the channel that the job's result comes on. An empty path says that
// there is no job.
func (j *jobs) end(path dbus.ObjectPath) <-chan string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls--
	_, over := j.early[path]
	if path == "" || over || j.held[path] { // none, or one that had a slot already
		<-j.slots
	} else {
		j.held[path] = true
	}
	out := j.await(path)
	if j.calls == 0 {
		clear(j.early)
	}
	return out
}

// again waits for a job that is known already.
func (j *jobs) again(path dbus.ObjectPath) <-chan string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.await(path)
}

func (j *jobs) await(path dbus.ObjectPath) <-chan string {
	out := make(chan string, 1)
	if path == "" {
		return out
	}
	if result, ok := j.early[path]; ok {
		out <- result
		return out
	}
	j.waiting[path] = append(j.waiting[path], out)
	return out
}

// forget drops one who no longer waits. The job keeps its slot until it ends.
func (j *jobs) forget(path dbus.ObjectPath, ch <-chan string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.waiting[path] = slices.DeleteFunc(j.waiting[path], func(c chan string) bool { return c == ch })
	if len(j.waiting[path]) == 0 {
		delete(j.waiting, path)
	}
}

// removed takes systemd's word that a job ended.
func (j *jobs) removed(path dbus.ObjectPath, result string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.waiting[path] {
		c <- result
	}
	delete(j.waiting, path)
	j.free(path)
	if j.calls > 0 {
		j.early[path] = result
	}
}

// only takes away the slots of jobs that ended unseen, while there was no
// connection.
func (j *jobs) only(alive map[dbus.ObjectPath]bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for path := range j.held {
		if !alive[path] {
			j.free(path)
		}
	}
}

func (j *jobs) free(path dbus.ObjectPath) {
	if j.held[path] {
		delete(j.held, path)
		<-j.slots
	}
}
