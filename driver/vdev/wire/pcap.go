package wire

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire/capture"
)

const captureFile = "capture file"

// maxCapture bounds what of a capture file is held in memory.
const maxCapture = 1 << 30

// frameOverhead is what a frame in memory takes besides its bytes, about.
const frameOverhead = 32

// Capture is a wire that plays one capture file to the driver and records what
// the driver transmits in another.
type Capture struct {
	frames  [][]byte
	next    int
	repeat  bool
	played  atomic.Uint64
	skipped int
	rec     *recorder // nil: nothing is recorded
	busy    bool      // Transmit was called since the last Receive
}

// CaptureConfig names the files of a Capture.
type CaptureConfig struct {
	// Play is a pcap or pcapng file whose frames the driver receives, in order
	// and as fast as it takes them; "": none. It is read into memory. Records that
	// are no whole Ethernet frames are left out.
	Play string
	// Repeat begins again after the last frame.
	Repeat bool
	// Record is a pcap file that is made, or overwritten, with what the driver
	// transmits; "": none. It is locked (flock) while it is open, and is no pipe.
	Record string
	// RecordLimit is how many bytes the recording has at most; frames that do
	// not fit are not recorded. 0: no limit.
	RecordLimit int64
	// Logger receives what of a file is not played, and when a recording ends early;
	// nil discards it.
	Logger *slog.Logger
}

// PCAP opens capture files that are named in one text: see [CaptureFiles]. An error is
// an *[Error].
func PCAP(files string) (*Capture, error) {
	play, record := CaptureFiles(files)
	return OpenCapture(CaptureConfig{Play: play, Record: record})
}

// CaptureFiles splits the text that names the capture files of a port: "in.pcap" plays
// a file, "in.pcap:out.pcap" plays one and records into another, ":out.pcap" only
// records. A colon in the name of the first file has a backslash before it; before a
// backslash and a comma one may stand.
func CaptureFiles(text string) (play, record string) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ':':
			return unescape(text[:i]), unescape(text[i+1:])
		}
	}
	return unescape(text), ""
}

var unescape = strings.NewReplacer(`\\`, `\`, `\:`, `:`, `\,`, `,`).Replace

// OpenCapture opens capture files. An error is an *[Error].
func OpenCapture(cfg CaptureConfig) (*Capture, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Capture{repeat: cfg.Repeat}
	if cfg.Play == "" && cfg.Record == "" {
		return nil, &Error{Kind: captureFile, Reason: "no file is named",
			Remedy: "give one to play, one to record into, or both"}
	}
	if cfg.Play != "" {
		if err := c.load(cfg); err != nil {
			return nil, err
		}
	}
	if cfg.Record != "" {
		var err error
		if c.rec, err = newRecorder(cfg.Record, cfg.RecordLimit, cfg.Logger); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// load reads the file that is played.
func (c *Capture) load(cfg CaptureConfig) error {
	fail := func(reason, remedy string, err error) error {
		return &Error{Kind: captureFile, Name: cfg.Play, Reason: reason, Remedy: remedy, Err: err}
	}
	f, err := os.Open(cfg.Play)
	if err != nil {
		remedy := ""
		if errors.Is(err, os.ErrNotExist) && cfg.Record != "" {
			remedy = `a colon in the name of a file is written \:`
		}
		return fail("", remedy, withoutPath(err))
	}
	defer f.Close()
	if err := lockFile(f, unix.LOCK_SH); errors.Is(err, unix.EWOULDBLOCK) {
		return fail("another port or program records into it", "play it when that has ended", nil)
	}
	if cfg.Record != "" && sameFile(f, cfg.Record) {
		return fail("it would be overwritten by the recording", "record into another file", nil)
	}
	total := 0
	r := capture.Reader{Frame: func(f capture.Frame) error {
		if total += len(f.Data) + frameOverhead; total > maxCapture {
			return fmt.Errorf("it holds more than %d MiB; cut it into pieces", maxCapture>>20)
		}
		c.frames = append(c.frames, f.Data)
		return nil
	}}
	if err := r.Read(f); err != nil {
		return fail("", "", withoutPath(err))
	}
	var why string
	c.skipped, why = r.Skipped()
	switch {
	case len(c.frames) == 0 && c.skipped > 0:
		return fail("it has no whole Ethernet frame: "+why, "capture whole frames, as tcpdump -s 0 does", nil)
	case c.skipped > 0:
		cfg.Logger.Warn("not every record of the capture file is played",
			"file", cfg.Play, "played", len(c.frames), "skipped", c.skipped, "why", why)
	case len(c.frames) == 0:
		cfg.Logger.Warn("the capture file has no frames", "file", cfg.Play)
	}
	return nil
}

// sameFile reports whether name is the file f.
func sameFile(f *os.File, name string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(name)
	return err == nil && os.SameFile(a, b)
}

// Frames returns how many frames there are to play.
func (c *Capture) Frames() int { return len(c.frames) }

// Skipped returns how many records of the file are not played, because they are no
// whole Ethernet frames.
func (c *Capture) Skipped() int { return c.skipped }

// Played returns how many frames the device took for delivery.
func (c *Capture) Played() uint64 { return c.played.Load() }

// Attach implements [vdev.Backend].
func (c *Capture) Attach(func()) error { return nil }

// Transmit implements [vdev.Backend]. It takes every frame. When a write fails, the
// recording ends, and what is not in it counts as lost.
func (c *Capture) Transmit(_ int, frames [][]byte) int {
	if c.rec != nil {
		c.rec.record(frames)
		c.busy = true
	}
	return len(frames)
}

// Lost implements [vdev.LossReporter].
func (c *Capture) Lost() (frames, bytes uint64) {
	if c.rec == nil {
		return 0, 0
	}
	return c.rec.lost.Load(), c.rec.lostBytes.Load()
}

// Receive implements [vdev.Backend]. Without a Transmit in between, which is when the
// device has time, it writes what there is to record.
func (c *Capture) Receive(_ int, frames [][]byte) int {
	if c.rec != nil {
		if !c.busy {
			c.rec.write()
		}
		c.busy = false
	}
	n := 0
	for n < len(frames) && c.next < len(c.frames) {
		frames[n] = c.frames[c.next]
		n++
		if c.next++; c.next == len(c.frames) && c.repeat {
			c.next = 0
		}
	}
	c.played.Add(uint64(n))
	return n
}

// Traits implements [vdev.Backend].
func (c *Capture) Traits() vdev.Traits { return vdev.Traits{Lossless: true} }

// Close implements [vdev.Backend]. It fails if transmitted frames are not in the
// recording.
func (c *Capture) Close() error {
	if c.rec == nil {
		return nil
	}
	return c.rec.close()
}
