package systemd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/abide-agent/abide/internal/atomicfile"
	"github.com/abide-agent/abide/units"
)

// broom takes away the files of units that were stopped. Units that stop while
// it is at work wait and are taken together, so that many cost little more than
// one: one call, one fsync, one mark.
type broom struct {
	batch *batch
	in    chan *step
	left  chan struct{} // closed when no more can come
	open  int           // removals not reported yet; the batch's lock guards it
}

func newBroom(b *batch) *broom {
	w := &broom{batch: b, left: make(chan struct{}), in: make(chan *step, len(b.steps))}
	for _, s := range b.steps {
		if s.removes() {
			w.open++
		}
	}
	if w.open == 0 {
		close(w.left)
	}
	return w
}

// add hands a stopped unit over. It never blocks.
func (w *broom) add(s *step) { w.in <- s }

// forget notes that a removal was reported. The caller holds the batch's lock.
func (w *broom) forget() {
	if w.open--; w.open == 0 {
		close(w.left)
	}
}

func (w *broom) run(ctx context.Context) {
	for {
		select {
		case s := <-w.in:
			group := []*step{s}
			for more := true; more; {
				select {
				case s := <-w.in:
					group = append(group, s)
				default:
					more = false
				}
			}
			w.sweep(ctx, group)
		case <-w.left:
			return
		}
	}
}

// sweep removes a group and reports it.
func (w *broom) sweep(ctx context.Context, group []*step) {
	e := w.batch.engine
	if err := e.lockPlacing(ctx); err != nil {
		for _, s := range group {
			s.err = err
			w.batch.tell(s)
		}
		return
	}
	w.remove(ctx, group)
	<-e.placing
	for _, s := range group {
		w.batch.tell(s)
	}
}

func (w *broom) remove(ctx context.Context, group []*step) {
	b := w.batch
	var linked, gone []*step
	for _, s := range group {
		if u, ours := b.engine.memory.get(s.target.Name); ours {
			s.before = u
			if u.disk.enabled {
				linked = append(linked, s)
			}
		}
	}
	b.eachOrAll(linked, "disabled", func(names []string) error {
		_, err := b.bus.call(ctx, managerPath, manager+"DisableUnitFiles", names, b.engine.opts.Runtime)
		return err
	})
	var marks []mark
	for _, s := range group {
		if s.err = b.engine.unlink(s.before.mark); s.err == nil && s.before.mark.Name != "" {
			gone = append(gone, s)
			marks = append(marks, mark{Name: s.target.Name, Gone: true})
		}
	}
	err := atomicfile.SyncDir(b.engine.opts.Dir)
	if err == nil {
		err = b.engine.marks.append(marks...)
	}
	if err == nil {
		err = w.unload(ctx, gone)
	}
	for _, s := range gone {
		if s.err = err; err == nil {
			s.note("removed")
			b.engine.memory.disown(s.target.Name)
		}
	}
}

// unlink removes the files that a mark names, and nothing else.
func (e *Engine) unlink(k mark) error {
	if k.Name == "" {
		return nil
	}
	path := filepath.Join(e.opts.Dir, k.Name)
	var errs []error
	for _, in := range k.DropIns {
		errs = append(errs, remove(filepath.Join(path+".d", in)))
	}
	if len(k.DropIns) > 0 {
		_ = os.Remove(path + ".d") // when it is empty
	}
	return errors.Join(append(errs, remove(path))...)
}

// unload makes systemd forget the units. It does so by itself, unless one has
// failed, or another unit speaks of it; then it has to read its files again.
func (w *broom) unload(ctx context.Context, steps []*step) error {
	b := w.batch
	var held []*step
	for _, s := range steps {
		u, _ := b.engine.memory.get(s.target.Name)
		if u.run.active == "failed" {
			_, _ = b.bus.call(ctx, managerPath, manager+"ResetFailedUnit", s.target.Name) // it may have gone by itself
		}
		if u.run.held && !units.IsTemplate(s.target.Name) {
			held = append(held, s)
		}
	}
	stale, err := b.stale(ctx, held)
	if err == nil && len(stale) > 0 {
		err = b.bus.reload(ctx)
	}
	if err != nil {
		return fmt.Errorf("the files are gone, but systemd could not be told: %w", sentence(err))
	}
	return nil
}

// standing reads the files of a unit as they stand there.
func (e *Engine) standing(k mark) (text []byte, ins []units.DropIn) {
	if k.Name == "" {
		return nil, nil
	}
	path := filepath.Join(e.opts.Dir, k.Name)
	text, _, _ = readUnit(path)
	for _, name := range k.DropIns {
		if in, _, err := readUnit(filepath.Join(path+".d", name)); err == nil {
			ins = append(ins, units.DropIn{Name: name, Text: in})
		}
	}
	return text, ins
}
