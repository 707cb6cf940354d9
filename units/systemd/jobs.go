package systemd

import (
	"sync"

	"github.com/godbus/dbus/v5"
)

// jobs hands the results of systemd's jobs (JobRemoved) to those who wait for
// them. A result may come before the answer to the call that made the job has
// been looked at, so results are kept while there are such calls.
type jobs struct {
	mu      sync.Mutex
	waiting map[dbus.ObjectPath][]chan string
	calls   int
	early   map[dbus.ObjectPath]string
}

// begin says that a call that may make a job is about to be sent. An end must
// follow.
func (j *jobs) begin() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls++
}

// end gives the channel that the job's result comes on. An empty path says that
// there is no job.
func (j *jobs) end(path dbus.ObjectPath) <-chan string {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls--
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
	if j.waiting == nil {
		j.waiting = map[dbus.ObjectPath][]chan string{}
	}
	j.waiting[path] = append(j.waiting[path], out)
	return out
}

// forget drops one who no longer waits.
func (j *jobs) forget(path dbus.ObjectPath, ch <-chan string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	rest := j.waiting[path][:0]
	for _, c := range j.waiting[path] {
		if c != ch {
			rest = append(rest, c)
		}
	}
	if len(rest) == 0 {
		delete(j.waiting, path)
		return
	}
	j.waiting[path] = rest
}

// removed takes systemd's word that a job ended.
func (j *jobs) removed(path dbus.ObjectPath, result string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range j.waiting[path] {
		c <- result
	}
	delete(j.waiting, path)
	if j.calls > 0 {
		if j.early == nil {
			j.early = map[dbus.ObjectPath]string{}
		}
		j.early[path] = result
	}
}
