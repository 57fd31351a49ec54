package agent

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Serve answers the requests that arrive on channel until it ends.
func Serve(channel io.ReadWriter) error {
	s := &server{out: json.NewEncoder(channel), running: map[int]*os.Process{},
		inputs: map[int]io.Writer{}}
	in := json.NewDecoder(bufio.NewReader(channel))
	for {
		var r Request
		if err := in.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("agent: reading a request: %w", err)
		}
		switch r.Op {
		case OpRun:
			s.run(r)
		case OpSignal:
			s.signal(r)
		case OpInput:
			s.input(r)
		}
	}
}

// server is the guest's half of the channel.
type server struct {
	mu      sync.Mutex // guards what follows
	out     *json.Encoder
	running map[int]*os.Process
	inputs  map[int]io.Writer // of those of running that have one
}

// reply sends r. A channel that fails ends the guest: Serve notices it too.
func (s *server) reply(r Reply) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.out.Encode(r)
}

// run starts a command and lets a goroutine wait for it.
func (s *server) run(r Request) {
	if len(r.Args) == 0 {
		s.reply(Reply{ID: r.ID, Done: &Done{Exit: -1, Error: "no command", At: now()}})
		return
	}
	cmd := exec.Command(r.Args[0], r.Args[1:]...)
	cmd.Stdout = stream(func(b []byte) { s.reply(Reply{ID: r.ID, Stdout: b}) })
	cmd.Stderr = stream(func(b []byte) { s.reply(Reply{ID: r.ID, Stderr: b}) })
	var input io.Writer
	var err error
	if r.Stdin {
		input, err = cmd.StdinPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		s.reply(Reply{ID: r.ID, Done: &Done{Exit: -1, Error: err.Error(), At: now()}})
		return
	}
	s.mu.Lock()
	s.running[r.ID] = cmd.Process
	if input != nil {
		s.inputs[r.ID] = input
	}
	s.mu.Unlock()
	go s.wait(r.ID, cmd)
}

// wait sends the last reply of a command.
func (s *server) wait(id int, cmd *exec.Cmd) {
	err := cmd.Wait()
	at := now()
	s.mu.Lock()
	delete(s.running, id)
	delete(s.inputs, id)
	s.mu.Unlock()
	done := Done{Exit: cmd.ProcessState.ExitCode(), At: at}
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		done.Signal = int(ws.Signal())
	}
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		done.Error = err.Error()
	}
	s.reply(Reply{ID: id, Done: &done})
}

// signal passes a signal on. A command that has ended already is no error: the
// test finds that out from the reply that is on its way.
func (s *server) signal(r Request) {
	s.mu.Lock()
	p := s.running[r.ID]
	s.mu.Unlock()
	if p != nil {
		_ = p.Signal(syscall.Signal(r.Signal))
	}
}

// input writes to a command. One that has ended already is no error, as for a signal.
func (s *server) input(r Request) {
	s.mu.Lock()
	w := s.inputs[r.ID]
	s.mu.Unlock()
	if w != nil {
		_, _ = w.Write(r.Input)
	}
}

// stream is an io.Writer that passes every piece on.
type stream func([]byte)

func (f stream) Write(b []byte) (int, error) {
	f(b)
	return len(b), nil
}

// now is the guest's monotonic clock in nanoseconds: the clock that kernel
// messages carry as well.
func now() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano()
}
