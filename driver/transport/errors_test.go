package transport

import (
	"errors"
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// An error names device, operation, value, reason, cause and remedy, in this order
// and as far as they are set, and errors.Is finds the sentinels and the cause.
func TestErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		is   []error
		text string
	}{
		{&Error{Device: "d", Op: "virtqueue 3", Field: "queue_size", Value: 10, Reason: "too large",
			Remedy: "take less"}, nil, "d: virtqueue 3: queue_size is 10 (0xa): too large; take less"},
		{&Error{Device: "d", Err: os.ErrClosed}, []error{os.ErrClosed}, "d: file already closed"},
		{&Error{Device: "d", Reason: "all ones", Err: ErrRemoved}, []error{ErrRemoved},
			"d: all ones: device removed"},
		{&Error{Device: "d", Err: fmt.Errorf("%w: %w", ErrDisconnected, io.EOF)},
			[]error{ErrDisconnected, io.EOF}, "d: back end disconnected: EOF"},
		{&FeatureError{Device: "d", Missing: virtio.FeatureSet(virtio.Version1), Reason: "too old",
			Remedy: "take another"}, []error{errors.ErrUnsupported},
			"d: cannot work without VERSION_1: too old; take another"},
		{&StopError{Device: "d", Reason: "it runs", Err: os.ErrInvalid}, []error{os.ErrInvalid},
			"d: the device may still be using its memory, which is kept: it runs (invalid argument)"},
	} {
		if c.err.Error() != c.text {
			t.Errorf("%q, want %q", c.err, c.text)
		}
		for _, target := range []error{ErrRemoved, ErrDisconnected, os.ErrClosed, io.EOF,
			errors.ErrUnsupported, os.ErrInvalid} {
			want := false
			for _, is := range c.is {
				want = want || is == target
			}
			if errors.Is(c.err, target) != want {
				t.Errorf("%v: errors.Is(%v) is %v", c.err, target, !want)
			}
		}
	}
}
