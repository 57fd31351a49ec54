package report

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// history is how many past rates the chart of a port shows.
const history = 24

// Screen shows the counters of a report again and again. On a terminal it
// redraws in place; anything else gets one block after the other. It belongs to
// one goroutine, which must not be one that polls.
type Screen struct {
	report   *Report
	out      io.Writer
	terminal bool
	shown    bool
	last     []driver.Stats
	lastTime time.Time
	past     [][]uint64 // per port, packets a second both ways
}

// NewScreen returns a screen of r on out.
func NewScreen(r *Report, out io.Writer) *Screen {
	s := &Screen{report: r, out: out, terminal: isTerminal(out), lastTime: r.Start,
		last: make([]driver.Stats, len(r.Ports)), past: make([][]uint64, len(r.Ports))}
	for i, p := range r.Ports {
		s.last[i] = p.Stats()
	}
	return s
}

// Run shows the counters every period until ctx ends.
func (s *Screen) Run(ctx context.Context, period time.Duration) {
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
	var b bytes.Buffer
	s.head(&b, now)
	for i := range s.report.Ports {
		s.port(&b, i, now.Sub(s.lastTime))
	}
	s.lastTime = now
	text := b.Bytes()
	if s.terminal {
		text = s.inPlace(text)
	}
	// Packets keep flowing if the screen cannot be written.
	_, _ = s.out.Write(text)
}

func (s *Screen) head(b *bytes.Buffer, now time.Time) {
	elapsed := now.Sub(s.report.Start)
	fmt.Fprintf(b, "%s  %s", s.bold(s.report.App), seconds(elapsed))
	if s.report.Planned > 0 {
		fmt.Fprintf(b, " of %s", seconds(s.report.Planned))
	}
	if s.report.Pollers != nil {
		fmt.Fprintf(b, "  %s", s.report.Pollers())
	}
	b.WriteString("\n")
}

func (s *Screen) port(b *bytes.Buffer, i int, since time.Duration) {
	p := s.report.Ports[i]
	n, last := p.counts().Stats, s.last[i]
	s.last[i] = n
	rx := perSecond(n.RxPackets-last.RxPackets, since)
	tx := perSecond(n.TxPackets-last.TxPackets, since)

	fmt.Fprintf(b, "\n  %s  %s %s  %s  %s\n",
		s.bold(fmt.Sprintf("port %d", p.Number)), p.Name, p.Role, p.State(), s.chart(i, rx+tx))
	fmt.Fprintf(b, "  RX-packets: %-12d RX-bytes: %-14d RX-errors: %-3d RX-nombuf:  %d\n",
		n.RxPackets, n.RxBytes, n.RxErrors, n.RxNoMbuf)
	fmt.Fprintf(b, "  TX-packets: %-12d TX-bytes: %-14d TX-errors: %-3d TX-dropped: %d\n",
		n.TxPackets, n.TxBytes, n.TxErrors, n.TxDropped)
	rates := func(word string, pps, bps uint64) {
		fmt.Fprintf(b, "  %s-pps:     %-12d %s-bps:   %-14d %9s  %s\n",
			word, pps, word, bps, inUnits(pps, "pps"), inUnits(bps, "bit/s"))
	}
	rates("Rx", rx, perSecond(8*(n.RxBytes-last.RxBytes), since))
	rates("Tx", tx, perSecond(8*(n.TxBytes-last.TxBytes), since))
	fmt.Fprintf(b, "  Polls: %d, %s empty; kicks: %d; resets: %d\n",
		n.Polls, Share(n.EmptyPolls, n.Polls), n.Kicks, n.Resets)
}

// chart adds a rate to the port's history and draws it, on a terminal.
func (s *Screen) chart(i int, rate uint64) string {
	if !s.terminal {
		return ""
	}
	s.past[i] = append(s.past[i], rate)
	if extra := len(s.past[i]) - history; extra > 0 {
		s.past[i] = s.past[i][extra:]
	}
	return chart(s.past[i])
}

func (s *Screen) bold(text string) string {
	if !s.terminal {
		return text
	}
	return "\x1b[1m" + text + "\x1b[0m"
}

// inPlace makes text overwrite what was shown before: the first time the
// screen is cleared, then each line only from its end on, which does not flicker.
func (s *Screen) inPlace(text []byte) []byte {
	start := "\x1b[H"
	if !s.shown {
		s.shown = true
		start = "\x1b[2J\x1b[H"
	}
	text = bytes.ReplaceAll(text, []byte("\n"), []byte("\x1b[K\n"))
	return append(append([]byte(start), text...), "\x1b[J"...)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
