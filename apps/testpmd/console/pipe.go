package console

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
)

// pipe is a console without a terminal. What it reads is echoed, so that a log shows what the
// answers belong to.
type pipe struct {
	prompt string
	out    io.Writer
	lines  chan string // closed at the end of the input
}

func newPipe(c Config) *pipe {
	p := &pipe{prompt: c.Prompt, out: result(c.Out), lines: make(chan string)}
	// The goroutine ends with the input or the program: a read cannot be called off.
	go func() {
		defer close(p.lines)
		in := bufio.NewReader(c.In)
		for {
			line, err := in.ReadString('\n')
			if line != "" {
				p.lines <- strings.TrimRight(line, "\r\n")
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

// Write implements [io.Writer].
func (p *pipe) Write(b []byte) (int, error) { return p.out.Write(b) }

// ReadLine implements [Console].
func (p *pipe) ReadLine(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	fmt.Fprint(p.out, p.prompt)
	select {
	case <-ctx.Done():
		fmt.Fprintln(p.out)
		return "", ctx.Err()
	case line, ok := <-p.lines:
		if !ok {
			fmt.Fprintln(p.out)
			return "", io.EOF
		}
		fmt.Fprintln(p.out, line)
		return line, nil
	}
}

// Close implements [Console].
func (p *pipe) Close() error { return nil }
