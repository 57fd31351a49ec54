package console

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/output"
)

// ErrInterrupt is a Ctrl-C at a terminal.
var ErrInterrupt = errors.New("interrupted")

// Config is what a console needs to know.
type Config struct {
	Prompt string
	In     *os.File
	Out    io.Writer // an [output.Stream], as a rule
	// Complete is called for the tab key with what stands before the cursor. It returns what
	// that becomes, or lines that list what there is to choose from.
	Complete func(before string) (after string, choices []string)
	// Explain is called for a question mark, and returns lines about what can follow.
	Explain func(before string) []string
	// History is the file that keeps lines, "" for none.
	History string
	// Interrupted is called at once for a Ctrl-C, also while no line is read.
	Interrupted func()
}

// Console is where lines come from and text goes to. ReadLine and Close belong to one goroutine;
// any may write.
type Console interface {
	io.Writer
	// ReadLine returns the next line, without its end. It returns [ErrInterrupt] for a
	// Ctrl-C at a terminal and [io.EOF] at the end of the input. It ends with ctx.
	ReadLine(ctx context.Context) (string, error)
	// Close gives a terminal its modes back.
	Close() error
}

// Open returns a console: one with line editing if both files are terminals that can do that.
func Open(c Config) (Console, error) {
	if t, err := openTerminal(c); t != nil || err != nil {
		return t, err
	}
	return newPipe(c), nil
}

// result returns the writer of a console, which loses nothing.
func result(w io.Writer) io.Writer { return output.Result(w) }
