package vm

import (
	"bytes"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/child"
	"github.com/virtio-pmd/virtio-pmd/test/vm/netlab"
)

// process is a command under test that runs on the test's machine, beside the
// guests.
type process struct {
	cmd    *exec.Cmd
	stdout bytes.Buffer // read after done is closed
	stderr notes
	done   chan struct{}
	err    error // how it ended; read after done is closed
}

// startProcess starts a command, in a network namespace if ns is not nil. It
// ends with the test at the latest.
func startProcess(t *testing.T, ns *netlab.Namespace, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(args[0], args[1:]...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	var prepare func() error
	if ns != nil {
		prepare = ns.Enter
	}
	wait, err := child.Start(p.cmd, prepare)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("%s\n%s%s", strings.Join(args, " "), &p.stderr, &p.stdout)
		}
	})
	return p
}

// await waits until the process has said text on standard error.
func (p *process) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(commandTime)
	for {
		said, more := p.stderr.contain(text)
		if said {
			return
		}
		select {
		case <-more:
		case <-p.done:
			t.Fatalf("%s ended before it said %q: %v\n%s", p.cmd.Path, text, p.err, &p.stderr)
		case <-deadline:
			t.Fatalf("%s does not say %q\n%s", p.cmd.Path, text, &p.stderr)
		}
	}
}

// stop ends the process as a user does.
func (p *process) stop(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s did not end well: %v", p.cmd.Path, p.err)
		}
	case <-time.After(commandTime):
		t.Errorf("%s does not end", p.cmd.Path)
	}
}

// notes keep what a process writes.
type notes struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // closed when there is more; nil: no goroutine waits
}

func (n *notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more != nil {
		close(n.more)
		n.more = nil
	}
	return n.text.Write(b)
}

func (n *notes) String() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.String()
}

// contain reports whether text was written, and returns what is closed when more is.
func (n *notes) contain(text string) (bool, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.more == nil {
		n.more = make(chan struct{})
	}
	return strings.Contains(n.text.String(), text), n.more
}
