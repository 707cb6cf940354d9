package process

import (
	"sync"

	"github.com/abide-agent/abide/units"
)

// knowledge keeps what is known of the content of placed units, so that a change
// of one doesn't read and judge the files of all. The zero value is ready.
type knowledge struct {
	mu    sync.Mutex
	units map[string]known
}

type known struct {
	digest string
	deps   units.Deps
	fault  error // why the engine can't run it
}

func (c *knowledge) get(name string) known {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.units[name]
}

func (c *knowledge) put(name string, k known) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.units == nil {
		c.units = map[string]known{}
	}
	c.units[name] = k
}

func (c *knowledge) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.units, name)
}

// know judges the files of a unit, once for each content.
func (e *Engine) know(name, digest string, d onDisk) known {
	if k := e.known.get(name); k.digest == digest {
		return k
	}
	k := known{digest: digest, deps: units.DepsOf(name, units.Effective(d.text, d.dropIns))}
	_, k.fault = Check(name, d.text, d.dropIns)
	e.known.put(name, k)
	return k
}

// depsOf gives the dependencies of a placed unit.
func (e *Engine) depsOf(k mark) units.Deps {
	if had := e.known.get(k.Name); had.digest == k.Digest {
		return had.deps
	}
	d := e.read(k.Name, k.DropIns)
	return e.know(k.Name, d.digest(), d).deps
}
