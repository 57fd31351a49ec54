package child_test

import (
	"bytes"
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

// A program outlives threads that end, as those of pollers do.
func TestThreadsEnd(t *testing.T) {
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd.Stdout = &out
	wait, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			runtime.LockOSThread() // and never unlock: the thread ends
		}()
		<-ended
	}
	if _, err := in.Write([]byte("alive")); err != nil {
		t.Error(err)
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := wait(); err != nil || out.String() != "alive" {
			t.Errorf("%v, %q", err, out.String())
		}
	}
}

// What prepare does to the thread is the program's, and no other thread's.
func TestPrepare(t *testing.T) {
	var before, one, after unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		t.Fatal(err)
	}
	one.Set(0)
	cmd := exec.Command("nproc")
	var out bytes.Buffer
	cmd.Stdout = &out
	wait, err := child.Start(cmd, func() error { return unix.SchedSetaffinity(0, &one) })
	if err != nil {
		t.Fatal(err)
	}
	if err := wait(); err != nil || strings.TrimSpace(out.String()) != "1" {
		t.Errorf("%v, %q", err, out.String())
	}
	if err := unix.SchedGetaffinity(0, &after); err != nil || after != before {
		t.Errorf("%v, %v", err, after)
	}
}

// What could not be prepared or started is an error, and how a program ended is one.
func TestErrors(t *testing.T) {
	refused := errors.New("refused")
	if _, err := child.Start(exec.Command("true"), func() error { return refused }); !errors.Is(err, refused) {
		t.Errorf("%v", err)
	}
	if _, err := child.Start(exec.Command("/none"), nil); err == nil {
		t.Error("started what is not there")
	}
	wait, err := child.Start(exec.Command("false"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("%v", err)
	}
}
