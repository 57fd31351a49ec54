package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Screen shows the counters of a report again and again: on a terminal in place, with
// keys that turn pages, anywhere else as one block after the other. It belongs to one
// goroutine, which must not be one that polls.
type Screen struct {
	report  *Report
	out     io.Writer
	in      *os.File // keys, if it is a terminal
	sampler *sampler
	// signal sends a signal to the process, as the keys do that a terminal makes
	// signals of; tests have their own.
	signal func(unix.Signal)
}

// NewScreen returns a screen of r on out. Keys come from standard input.
func NewScreen(r *Report, out io.Writer) *Screen {
	return &Screen{report: r, out: out, in: os.Stdin, sampler: newSampler(r),
		signal: func(s unix.Signal) { _ = unix.Kill(os.Getpid(), s) }}
}

// Run shows the counters every period until ctx ends.
func (s *Screen) Run(ctx context.Context, period time.Duration) {
	if canDraw(s.out) {
		s.live(ctx, period)
		return
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.Show(now)
		}
	}
}

// Show writes the counters as they are now; rates are since the last time.
func (s *Screen) Show(now time.Time) {
	// Packets keep flowing if the screen cannot be written.
	_, _ = s.out.Write(plain(s.report.App, s.sampler.take(now)))
}

// plain returns a sample as lines that a script may read.
func plain(app string, v sample) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s%s\n", app, v.head)
	for _, p := range v.ports {
		p.write(&b)
	}
	if len(v.ports) > 1 {
		v.total.write(&b)
	}
	return b.Bytes()
}

func (p *portSample) write(b *bytes.Buffer) {
	fmt.Fprintf(b, "%s\n", p.title())
	fmt.Fprintf(b, "  RX-packets: %-12d RX-bytes: %-14d RX-errors: %-3d RX-nombuf:  %d\n",
		p.RxPackets, p.RxBytes, p.RxErrors, p.RxNoMbuf)
	fmt.Fprintf(b, "  TX-packets: %-12d TX-bytes: %-14d TX-errors: %-3d TX-dropped: %d\n",
		p.TxPackets, p.TxBytes, p.TxErrors, p.TxDropped)
	rates := func(word string, pps, bps uint64) {
		fmt.Fprintf(b, "  %s-pps:     %-12d %s-bps:   %-14d %9s  %s\n",
			word, pps, word, bps, inUnits(pps, "pps"), inUnits(bps, "bit/s"))
	}
	rates("Rx", p.rxPPS, p.rxBPS)
	rates("Tx", p.txPPS, p.txBPS)
	fmt.Fprintf(b, "  Polls: %d, %s empty; kicks: %d; resets: %d\n",
		p.Polls, Share(p.EmptyPolls, p.Polls), p.Kicks, p.Resets)
}

// canDraw reports whether w is a terminal on which a screen can be drawn in place: one
// that knows how, and that belongs to this process. A process in the background would
// be stopped for it.
func canDraw(w io.Writer) bool {
	if term := os.Getenv("TERM"); term == "" || term == "dumb" {
		return false
	}
	f, ok := w.(interface{ Fd() uintptr })
	return ok && inForeground(int(f.Fd()))
}

// inForeground reports whether fd is a terminal, with this process in its foreground.
func inForeground(fd int) bool {
	if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
		return false
	}
	group, err := unix.IoctlGetInt(fd, unix.TIOCGPGRP)
	// A terminal that controls no session stops nothing.
	return err != nil || group == unix.Getpgrp()
}
