package netconfd

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// keeper starts processes that end with it, even when this process is killed:
// the kernel ends the children of a thread that is gone, so that one thread
// starts them all, and stays.
type keeper struct {
	work  chan func()
	done  chan struct{}
	mu    sync.Mutex
	alive map[*process]bool
}

type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
}

func keep() *keeper {
	k := &keeper{work: make(chan func()), done: make(chan struct{}), alive: map[*process]bool{}}
	go func() {
		defer close(k.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for f := range k.work {
			f()
		}
	}()
	return k
}

// run starts a program in a directory; its output goes to a file.
func (k *keeper) run(dir, log string, env []string, name string, args ...string) (*process, error) {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, out, out
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	started := make(chan error)
	k.work <- func() { started <- p.cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	k.mu.Lock()
	k.alive[p] = true
	k.mu.Unlock()
	go func() {
		p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// kill ends one process, and waits until it is gone.
func (k *keeper) kill(p *process) {
	k.mu.Lock()
	delete(k.alive, p)
	k.mu.Unlock()
	p.cmd.Process.Kill()
	<-p.ended
}

// stop ends all processes, and the keeper.
func (k *keeper) stop() {
	k.mu.Lock()
	var all []*process
	for p := range k.alive {
		all = append(all, p)
	}
	k.mu.Unlock()
	for _, p := range all {
		k.kill(p)
	}
	close(k.work)
	<-k.done
}
