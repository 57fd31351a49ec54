package wire

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// maxCapture bounds what of a capture file is held in memory.
const maxCapture = 1 << 30

// Capture is a wire that plays one capture file to the driver and records what
// the driver transmits in another.
type Capture struct {
	frames  [][]byte
	next    int
	repeat  bool
	played  atomic.Uint64
	skipped int

	file   *os.File
	buffer *bufio.Writer
	out    *captureWriter
	failed error
}

// CaptureConfig names the files of a Capture.
type CaptureConfig struct {
	// Play is a pcap or pcapng file whose frames the driver receives, in order
	// and as fast as it takes them; "": none. It is read into memory.
	Play string
	// Repeat begins again after the last frame.
	Repeat bool
	// Record is a pcap file that is made, or overwritten, with what the driver
	// transmits; "": none.
	Record string
}

// PCAP opens capture files that are named in one text: "in.pcap" plays a file,
// "in.pcap:out.pcap" plays one and records into another, ":out.pcap" only
// records. An error is an *[Error].
func PCAP(files string) (*Capture, error) {
	play, record, _ := strings.Cut(files, ":")
	return OpenCapture(CaptureConfig{Play: play, Record: record})
}

// OpenCapture opens capture files. An error is an *[Error].
func OpenCapture(cfg CaptureConfig) (*Capture, error) {
	c := &Capture{repeat: cfg.Repeat}
	if cfg.Play == "" && cfg.Record == "" {
		return nil, &Error{Kind: captureFile, Reason: "no file is named",
			Remedy: "give one to play, one to record into, or both"}
	}
	if cfg.Play != "" {
		if err := c.load(cfg.Play); err != nil {
			return nil, captureError(cfg.Play, err)
		}
	}
	if cfg.Record != "" {
		if err := c.create(cfg.Record); err != nil {
			return nil, captureError(cfg.Record, err)
		}
	}
	return c, nil
}

const captureFile = "capture file"

func captureError(name string, err error) error {
	return &Error{Kind: captureFile, Name: name, Err: err}
}

func (c *Capture) load(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	total := 0
	return readCapture(bufio.NewReaderSize(f, 1<<16), func(frame []byte, complete bool) error {
		if !complete || len(frame) < etherHeader || len(frame) > maxFrame {
			c.skipped++
			return nil
		}
		if total += len(frame); total > maxCapture {
			return fmt.Errorf("it holds more than %d MiB; cut it into pieces", maxCapture>>20)
		}
		c.frames = append(c.frames, frame)
		return nil
	})
}

func (c *Capture) create(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	c.file, c.buffer = f, bufio.NewWriterSize(f, 1<<16)
	if c.out, err = newCaptureWriter(c.buffer); err != nil {
		_ = f.Close()
	}
	return err
}

// Frames returns how many frames there are to play.
func (c *Capture) Frames() int { return len(c.frames) }

// Skipped returns how many packets of the file are not played, because the file
// has only a part of them, or because of a length that no Ethernet frame has.
func (c *Capture) Skipped() int { return c.skipped }

// Played returns how many frames the device took for delivery.
func (c *Capture) Played() uint64 { return c.played.Load() }

// Attach implements [vdev.Backend].
func (c *Capture) Attach(func()) error { return nil }

// Transmit implements [vdev.Backend]. It takes every frame; a failed write is reported
// by Close.
func (c *Capture) Transmit(_ int, frames [][]byte) int {
	if c.out == nil || c.failed != nil {
		return len(frames)
	}
	now := time.Now()
	for _, f := range frames {
		if c.failed = c.out.write(now, f); c.failed != nil {
			break
		}
	}
	return len(frames)
}

// Receive implements [vdev.Backend].
func (c *Capture) Receive(_ int, frames [][]byte) int {
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

// Close implements [vdev.Backend]: it completes the recording.
func (c *Capture) Close() error {
	if c.file == nil {
		return nil
	}
	err := c.failed
	if flushed := c.buffer.Flush(); err == nil {
		err = flushed
	}
	if closed := c.file.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return captureError(c.file.Name(), err)
	}
	return nil
}
