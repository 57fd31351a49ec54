package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Client runs commands in a guest. It is safe for concurrent use.
type Client struct {
	conn net.Conn

	mu      sync.Mutex // guards what follows
	out     *json.Encoder
	running map[int]*Command
	last    int
	err     error
}

// NewClient speaks over conn, which it takes over.
func NewClient(conn net.Conn) *Client {
	c := &Client{conn: conn, out: json.NewEncoder(conn), running: map[int]*Command{}}
	go c.receive()
	return c
}

// Close ends the conversation. Commands that still run in the guest are lost.
func (c *Client) Close() error { return c.conn.Close() }

// receive passes replies on to their commands until the channel ends.
func (c *Client) receive() {
	in := json.NewDecoder(c.conn)
	for {
		var r Reply
		if err := in.Decode(&r); err != nil {
			c.fail(&LostError{Cause: err})
			return
		}
		c.mu.Lock()
		cmd := c.running[r.ID]
		if r.Done != nil {
			delete(c.running, r.ID)
		}
		c.mu.Unlock()
		if cmd != nil {
			cmd.add(r)
		}
	}
}

// fail ends every command that is still running.
func (c *Client) fail(err error) {
	c.mu.Lock()
	c.err = err
	left := c.running
	c.running = map[int]*Command{}
	c.mu.Unlock()
	for _, cmd := range left {
		cmd.end(Result{Err: err, Exit: -1})
	}
}

// send writes one request.
func (c *Client) send(r Request) error {
	if c.err != nil {
		return c.err
	}
	if err := c.out.Encode(r); err != nil {
		return &LostError{Cause: err}
	}
	return nil
}

// Start runs a command in the guest. If it cannot be started there, its [Result] has
// the error.
func (c *Client) Start(args ...string) (*Command, error) { return c.start(false, args) }

// StartInteractive is Start for a command that reads what [Command.Input] writes.
func (c *Client) StartInteractive(args ...string) (*Command, error) { return c.start(true, args) }

func (c *Client) start(stdin bool, args []string) (*Command, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	cmd := &Command{client: c, id: c.last, Args: args, done: make(chan struct{}),
		more: make(chan struct{})}
	c.running[cmd.id] = cmd
	if err := c.send(Request{ID: cmd.id, Op: OpRun, Args: args, Stdin: stdin}); err != nil {
		delete(c.running, cmd.id)
		return nil, err
	}
	return cmd, nil
}

// Run runs a command to its end. When ctx ends first the command is killed.
func (c *Client) Run(ctx context.Context, args ...string) (Result, error) {
	cmd, err := c.Start(args...)
	if err != nil {
		return Result{}, err
	}
	return cmd.Wait(ctx)
}

// Result is how a command ended and everything it printed.
type Result struct {
	Args           []string
	Stdout, Stderr string
	// Exit is the exit status, -1 if a signal ended the command.
	Exit int
	// Signal is the signal that ended it, 0 if none did.
	Signal syscall.Signal
	// Ended is the guest's monotonic clock at the end.
	Ended time.Duration
	// Err says why the command did not run.
	Err error
}

// String shows the result for a test's log.
func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: exit %d", strings.Join(r.Args, " "), r.Exit)
	if r.Signal != 0 {
		fmt.Fprintf(&b, " (%v)", r.Signal)
	}
	if r.Err != nil {
		fmt.Fprintf(&b, ": %v", r.Err)
	}
	if r.Stdout != "" {
		fmt.Fprintf(&b, "\n--- stdout\n%s", r.Stdout)
	}
	if r.Stderr != "" {
		fmt.Fprintf(&b, "\n--- stderr\n%s", r.Stderr)
	}
	return b.String()
}

// Command is a command that runs, or has run, in the guest.
type Command struct {
	Args   []string
	client *Client
	id     int
	done   chan struct{}

	mu             sync.Mutex // guards what follows
	more           chan struct{}
	stdout, stderr bytes.Buffer
	result         Result
}

// add takes a reply.
func (c *Command) add(r Reply) {
	c.mu.Lock()
	c.stdout.Write(r.Stdout)
	c.stderr.Write(r.Stderr)
	close(c.more)
	c.more = make(chan struct{})
	c.mu.Unlock()
	if d := r.Done; d != nil {
		res := Result{Exit: d.Exit, Signal: syscall.Signal(d.Signal), Ended: time.Duration(d.At)}
		if d.Error != "" {
			res.Err = fmt.Errorf("agent: %s: %s", strings.Join(c.Args, " "), d.Error)
		}
		c.end(res)
	}
}

// end records the result.
func (c *Command) end(r Result) {
	c.mu.Lock()
	r.Args, r.Stdout, r.Stderr = c.Args, c.stdout.String(), c.stderr.String()
	c.result = r
	c.mu.Unlock()
	close(c.done)
}

// Signal sends a signal to the command.
func (c *Command) Signal(s syscall.Signal) error {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	return c.client.send(Request{ID: c.id, Op: OpSignal, Signal: int(s)})
}

// Input writes to the standard input of a command of [Client.StartInteractive].
func (c *Command) Input(text string) error {
	c.client.mu.Lock()
	defer c.client.mu.Unlock()
	return c.client.send(Request{ID: c.id, Op: OpInput, Input: []byte(text)})
}

// Done is closed when the command has ended.
func (c *Command) Done() <-chan struct{} { return c.done }

// Wait waits for the end. When ctx ends first the command gets SIGKILL and the
// error is a [*TimeoutError] that carries what the command printed.
func (c *Command) Wait(ctx context.Context) (Result, error) {
	select {
	case <-c.done:
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.result, c.result.Err
	case <-ctx.Done():
		_ = c.Signal(syscall.SIGKILL)
		return Result{}, &TimeoutError{Waiting: "the end", Output: c.Output(), Args: c.Args,
			Cause: ctx.Err()}
	}
}

// WaitFor waits until the command has printed text on either stream.
func (c *Command) WaitFor(ctx context.Context, text string) error {
	for {
		ended := false
		select {
		case <-c.done:
			ended = true
		default:
		}
		found, more := c.printed(text)
		switch {
		case found:
			return nil
		case ended:
			return fmt.Errorf("agent: %s ended before it printed %q\n%s", c.Args[0],
				text, c.Output())
		}
		select {
		case <-more:
		case <-c.done:
		case <-ctx.Done():
			return &TimeoutError{Waiting: fmt.Sprintf("%q", text), Output: c.Output(), Args: c.Args,
				Cause: ctx.Err()}
		}
	}
}

// printed reports whether text has been printed, and returns what is closed when
// there is more.
func (c *Command) printed(text string) (bool, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Contains(c.stdout.String(), text) ||
		strings.Contains(c.stderr.String(), text), c.more
}

// Output is what the command has printed so far, both streams.
func (c *Command) Output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stdout.String() + c.stderr.String()
}

// LostError says that the guest no longer answers.
type LostError struct{ Cause error }

func (e *LostError) Error() string {
	return "agent: the guest no longer answers: " + e.Cause.Error()
}

// Unwrap gives the cause.
func (e *LostError) Unwrap() error { return e.Cause }

// Is makes a lost guest an unexpected end of file.
func (e *LostError) Is(target error) bool { return target == io.ErrUnexpectedEOF }

// TimeoutError says that a command took too long.
type TimeoutError struct {
	Args    []string
	Waiting string
	Output  string
	Cause   error
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("agent: %s: waiting for %s: %v\n%s", strings.Join(e.Args, " "), e.Waiting,
		e.Cause, e.Output)
}

// Unwrap gives the cause.
func (e *TimeoutError) Unwrap() error { return e.Cause }
