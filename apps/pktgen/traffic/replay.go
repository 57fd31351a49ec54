package traffic

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire/capture"
)

// Playback says how a capture file is sent.
type Playback struct {
	File   string  `yaml:"file" json:"file" doc:"pcap or pcapng file with Ethernet frames, gzip too; relative to the directory of the scenario"`
	Timing string  `yaml:"timing" json:"timing" default:"original" oneof:"original rate" doc:"original: with the distances in time that the file has; rate: at the rate of the stream"`
	Speed  float64 `yaml:"speed" json:"speed" default:"1" doc:"of original: 2 is twice as fast"`
	Loops  uint64  `yaml:"loops" json:"loops" default:"1" doc:"how often the file is sent; 0: without end"`
}

const (
	// maxReplay bounds what of a capture file is held in memory.
	maxReplay = 1 << 30
	// frameOverhead is what a frame takes besides its bytes, about.
	frameOverhead = 32
	// maxLoops bounds how often a file is sent, so that packets can be counted.
	maxLoops = 1 << 32
)

// Replay sends the frames of a capture file as they are, one after the other and over
// again. They carry no signature. It belongs to one goroutine, apart from the methods that
// say so.
type Replay struct {
	playback Playback
	id       uint16
	frames   [][]byte
	times    []int64
	late     int
	next     int
	min, max int
	bytes    int
	skipped  int
	why      string
}

// OpenReplay reads a capture file into memory. An error is an [*Error]: the file cannot be
// read, has no frames, or has one that is longer than o.MaxLen.
func OpenReplay(p Playback, o Options) (*Replay, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	r := &Replay{playback: p, id: o.ID, min: math.MaxInt}
	f, err := os.Open(p.File)
	if err != nil {
		return nil, &Error{Field: "file", Value: p.File, Reason: "it cannot be read", Err: withoutPath(err)}
	}
	defer f.Close()
	reader := capture.Reader{Frame: func(f capture.Frame) error { return r.add(f, o.MaxLen) }}
	if err := reader.Read(f); err != nil {
		var e *Error
		if errors.As(err, &e) {
			return nil, e
		}
		return nil, &Error{Field: "file", Value: p.File, Reason: "it cannot be sent", Err: withoutPath(err)}
	}
	r.skipped, r.why = reader.Skipped()
	switch {
	case len(r.frames) == 0 && r.skipped > 0:
		return nil, &Error{Field: "file", Value: p.File, Reason: "it has no whole Ethernet frame: " + r.why,
			Remedy: "capture whole frames, as tcpdump -s 0 does"}
	case len(r.frames) == 0:
		return nil, &Error{Field: "file", Value: p.File, Reason: "it has no frames", Remedy: "use another file"}
	}
	return r, nil
}

// add takes a frame of the file.
func (r *Replay) add(f capture.Frame, maxLen int) error {
	p := r.playback
	bad := func(reason, remedy string) error {
		return &Error{Field: "file", Value: p.File, Reason: fmt.Sprintf("frame %d: %s", f.Record, reason), Remedy: remedy}
	}
	n := len(f.Data)
	if maxLen > 0 && n > maxLen {
		return bad(fmt.Sprintf("%d bytes are more than the %d of the longest frame that the port sends", n, maxLen),
			"use a greater MTU, or leave the frame out, for example with editcap")
	}
	if r.bytes += n; r.bytes+len(r.frames)*frameOverhead > maxReplay {
		return bad(fmt.Sprintf("the file holds more than %d MiB up to here", maxReplay>>20), "cut it into pieces")
	}
	if p.Timing != "rate" {
		if !f.HasTime {
			return bad("it has no time", "set timing: rate")
		}
		r.addTime(f.Time)
	}
	r.frames = append(r.frames, f.Data)
	r.min, r.max = min(r.min, n), max(r.max, n)
	return nil
}

// addTime takes the time of a frame. One that is before that of the frame in front of it
// is sent together with that.
func (r *Replay) addTime(at int64) {
	if n := len(r.times); n > 0 && at < r.times[n-1] {
		at = r.times[n-1]
		r.late++
	}
	r.times = append(r.times, at)
}

// check checks what a scenario says.
func (p Playback) check() error {
	switch {
	case p.File == "":
		return &Error{Field: "file", Reason: "no file", Remedy: "name a pcap or pcapng file"}
	case p.Timing != "" && p.Timing != "original" && p.Timing != "rate":
		return &Error{Field: "timing", Value: p.Timing, Reason: "unknown", Remedy: "use one of original, rate"}
	case p.Timing == "rate" && p.Speed != 1 && p.Speed != 0:
		return &Error{Field: "speed", Value: fmt.Sprint(p.Speed), Reason: "it means nothing for timing: rate", Remedy: "leave it out"}
	case p.Speed < 0 || p.Speed > 1e6 || p.Speed != 0 && p.Speed < 1e-6 || math.IsNaN(p.Speed):
		return &Error{Field: "speed", Value: fmt.Sprint(p.Speed), Reason: "not from 0.000001 to 1000000", Remedy: "2 is twice as fast, 0.5 half as fast"}
	case p.Loops > maxLoops:
		return &Error{Field: "loops", Value: strconv.FormatUint(p.Loops, 10), Reason: fmt.Sprintf("more than %d", uint64(maxLoops)), Remedy: "0 is without end"}
	}
	return nil
}

// checkReplay checks a stream that is a replay.
func (s *Stream) checkReplay() error {
	if err := s.Replay.check(); err != nil {
		return inReplay(err)
	}
	only := func(field, value string) error {
		return &Error{Field: field, Value: value, Reason: "it means nothing for a replay, which sends frames as they are",
			Remedy: "leave it out"}
	}
	switch {
	case len(s.Packet) > 0:
		return only("packet", "")
	case len(s.Fields) > 0:
		return only("fields", "")
	case s.Latency:
		return only("latency", "true")
	case s.Track != TrackAuto:
		return only("track", s.Track.String())
	case s.Pattern != Pattern{} && s.Pattern != Pattern{Kind: "continuous"}:
		return only("pattern", s.Pattern.Kind)
	case s.Replay.Timing != "rate" && s.Rate != "":
		return &Error{Field: "rate", Value: s.Rate, Reason: "the times of the file say when frames are sent",
			Remedy: "leave it out, or set timing: rate"}
	}
	_, _, _, err := s.Pacing()
	return err
}

// inReplay puts the field of an error into that of the replay.
func inReplay(err error) error {
	var e *Error
	if errors.As(err, &e) {
		e.Field = "replay." + e.Field
	}
	return err
}

// relative returns p with its file relative to the directory of a scenario.
func (p Playback) relative(scenario string) Playback {
	if !filepath.IsAbs(p.File) && p.File != "" {
		p.File = filepath.Join(filepath.Dir(scenario), p.File)
	}
	return p
}

// Fill implements [Source]. A buffer whose room is shorter than the frame stays empty: see
// MaxLen.
func (r *Replay) Fill(bufs []*mbuf.Buf, _ int64) (bytes int) {
	for _, b := range bufs {
		bytes += copy(b.Append(len(r.frames[r.next])), r.frames[r.next])
		if r.next++; r.next == len(r.frames) {
			r.next = 0
		}
	}
	return bytes
}

// Next copies the next frame into dst, which has at least MaxLen bytes, and returns its
// length.
func (r *Replay) Next(dst []byte, _ int64) int {
	n := copy(dst, r.frames[r.next])
	r.next = (r.next + 1) % len(r.frames)
	return n
}

// Times returns when the frames are to be sent, in nanoseconds after the first one, which
// is at 0; nil if that is left to a rate. Any goroutine may call it.
func (r *Replay) Times() []int64 {
	if r.times == nil {
		return nil
	}
	speed := r.playback.Speed
	times := make([]int64, len(r.times))
	for i, at := range r.times {
		times[i] = at - r.times[0]
		if speed != 0 && speed != 1 {
			times[i] = int64(math.Round(float64(times[i]) / speed))
		}
	}
	return times
}

// Gap returns the time between the last frame and the first one of the next loop: what is
// between two frames on average, or a millisecond if there is only one.
func (r *Replay) Gap() time.Duration {
	times := r.Times()
	if len(times) < 2 {
		return time.Millisecond
	}
	return time.Duration(times[len(times)-1] / int64(len(times)-1))
}

// Loops returns how often the file is sent; 0: without end.
func (r *Replay) Loops() uint64 { return r.playback.Loops }

// Pattern returns when the frames are due, as package pace has it: at the times of the
// file, or one after the other at a rate.
func (r *Replay) Pattern() pace.Pattern {
	loops := r.playback.Loops
	switch {
	case r.times != nil:
		return pace.Pattern{Kind: pace.Recorded, Times: r.Times(), Count: loops, Gap: r.Gap()}
	case loops == 0:
		return pace.Pattern{}
	}
	return pace.Burst(loops * uint64(len(r.frames)))
}

// File returns the name of the file. Any goroutine may call it.
func (r *Replay) File() string { return r.playback.File }

// Frames returns how many frames the file has. Any goroutine may call it.
func (r *Replay) Frames() int { return len(r.frames) }

// Skipped returns how many records of the file are not sent, because they are no whole
// Ethernet frames, and why.
func (r *Replay) Skipped() (n int, why string) { return r.skipped, r.why }

// OutOfOrder returns how many frames have a time before that of the frame in front of
// them. They are sent together with that one.
func (r *Replay) OutOfOrder() int { return r.late }

// ID returns the number of the stream. Any goroutine may call it.
func (r *Replay) ID() uint16 { return r.id }

// MinLen returns the length of the shortest frame. Any goroutine may call it.
func (r *Replay) MinLen() int { return r.min }

// MaxLen returns the length of the longest frame, for which buffers must have room. Any
// goroutine may call it.
func (r *Replay) MaxLen() int { return r.max }

// MeanLen returns the length of frames on average. Any goroutine may call it.
func (r *Replay) MeanLen() float64 { return float64(r.bytes) / float64(len(r.frames)) }
