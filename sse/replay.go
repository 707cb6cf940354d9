package sse

import "sync/atomic"

// disk is what a log keeps in files.
type disk struct {
	dir  string
	main *segments
	runs *runLogs // nil where output stays with the transitions
	ids  reservation

	corrupt atomic.Uint64
}

// replay merges the transitions and the output of the runs by id, from one id
// to another that was the last, or older, when the replay began: so all of it
// was written by then.
type replay struct {
	disk    *disk
	filter  *Filter
	from    uint64 // the lowest id still to come
	to      uint64
	spans   []runSpan // logs not yet opened, in the order of their first id
	active  []*cursor
	main    *cursor // nil where transitions are not wanted
	removed int     // logs of runs that retention took away
}

// replay begins one. mainFrom is the id from which transitions are wanted.
func (d *disk) replay(from, mainFrom, to uint64, f *Filter) (*replay, error) {
	p := &replay{disk: d, filter: f, from: from, to: to}
	if d.runs != nil && f.wantsOutput() {
		p.spans, p.removed = d.runs.spans(from, to, f.Run)
	}
	if from = max(from, mainFrom); from > to {
		return p, nil
	}
	var err error
	if p.main, err = segmentCursor(d.main, from, to, f, &d.corrupt); err != nil {
		return nil, err
	}
	if p.main.ok {
		p.active = append(p.active, p.main)
	}
	return p, nil
}

// lost says, once for each time, that wanted events are gone: before `oldest`
// where that is not 0, and the output of so many runs.
func (p *replay) lost() (oldest uint64, runs int) {
	runs, p.removed = p.removed, 0
	if p.main != nil {
		oldest, p.main.oldest = p.main.oldest, 0
	}
	return oldest, runs
}

// next gives the next frame in the order of ids, or no frame at the end. Ids
// rise, also where damaged files claim the same one.
func (p *replay) next() (Frame, bool, error) {
	for {
		f, ok, err := p.lowest()
		if err != nil || !ok {
			return Frame{}, false, err
		}
		if f.ID >= p.from {
			p.from = f.ID + 1
			return f, true, nil
		}
	}
}

func (p *replay) lowest() (Frame, bool, error) {
	if err := p.open(); err != nil {
		return Frame{}, false, err
	}
	if len(p.active) == 0 {
		return Frame{}, false, nil
	}
	low := 0
	for i, c := range p.active {
		if c.head.ID < p.active[low].head.ID {
			low = i
		}
	}
	c := p.active[low]
	f := c.head
	if err := c.advance(); err != nil {
		return Frame{}, false, err
	}
	if !c.ok {
		p.active = append(p.active[:low], p.active[low+1:]...)
	}
	return f, true, nil
}

// open takes in the logs whose first id is not behind what comes next.
func (p *replay) open() error {
	for len(p.spans) > 0 {
		span := p.spans[0]
		for _, c := range p.active {
			if c.head.ID < span.first {
				return nil
			}
		}
		p.spans = p.spans[1:]
		c, err := runCursor(span, p.from, p.to, p.filter, &p.disk.corrupt)
		if err != nil {
			return err
		}
		if c.ok {
			p.active = append(p.active, c)
		}
	}
	return nil
}
