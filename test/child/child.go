// Package child starts programs that end with the process that started them, for tests and
// benchmarks.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start starts cmd, which the kernel kills when this process ends in whatever way. wait waits
// for its end and returns what cmd.Wait does, any number of times. prepare is called before
// on the thread that starts cmd, which inherits its CPUs and namespaces; it may be nil.
func Start(cmd *exec.Cmd, prepare func() error) (wait func() error, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	started, ended := make(chan error), make(chan struct{})
	var result error // read after ended is closed
	go func() {
		defer close(ended)
		// The signal is sent when the thread that started cmd ends: it lives as long as cmd.
		// It is not unlocked, so that no other goroutine gets what prepare made of it.
		runtime.LockOSThread()
		err := error(nil)
		if prepare != nil {
			err = prepare()
		}
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err == nil {
			result = cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return func() error {
		<-ended
		return result
	}, nil
}
