package main

import (
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

// transcript is what a process writes.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *transcript) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// conversation is a program at whose prompt lines are told.
type conversation struct {
	t       *testing.T
	cmd     *exec.Cmd
	wait    func() error
	program string
	in      io.WriteCloser
	out     transcript
	told    int // lines
}

// newConversation starts a program.
func newConversation(t *testing.T, program string, args ...string) *conversation {
	t.Helper()
	c := &conversation{t: t, program: program}
	// Line by line, as it is on a terminal, or what it says would be in pieces.
	c.cmd = exec.Command("stdbuf", append([]string{"-oL", program}, args...)...)
	c.cmd.Stdout, c.cmd.Stderr = &c.out, &c.out
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if c.wait, err = child.Start(c.cmd, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		_ = c.wait()
	})
	return c
}

// awaitPrompt waits until a line can be told.
func (c *conversation) awaitPrompt() {
	c.t.Helper()
	await(c.t, c.program+" waits for a command", func() bool { return strings.Count(c.out.String(), promptText) > c.told })
}

// tell tells a line.
func (c *conversation) tell(line string) {
	c.t.Helper()
	c.awaitPrompt()
	c.told++
	_, _ = io.WriteString(c.in, line)
}

// tellUntil tells a line again and again until the answers have something, and returns these,
// each with the prompt behind it.
func (c *conversation) tellUntil(line string, what *regexp.Regexp) string {
	c.t.Helper()
	c.awaitPrompt()
	from := len(c.out.String())
	await(c.t, c.program+" says "+what.String(), func() bool {
		c.tell(line)
		c.awaitPrompt()
		return what.MatchString(c.out.String()[from:])
	})
	return c.out.String()[from:]
}

// end waits until the program ends, which it has been told, and returns what it has said.
func (c *conversation) end() string {
	c.t.Helper()
	_ = c.in.Close()
	if err := c.wait(); err != nil {
		c.t.Fatalf("%s: %v\n%s", c.program, err, &c.out)
	}
	return c.out.String()
}
