package devargs

import (
	"log/slog"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// isCapture reports whether the wire of the emulated device ends in capture files.
func (s Spec) isCapture() bool { return s.Kind == Emu && s.Backend == "pcap" }

// cutDevice splits the text of a port behind its device, at the first comma that has no
// backslash before it.
func cutDevice(text string) (device, keys string, more bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case ',':
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// unescape and escape take the backslash before a comma and before a backslash away and
// put it there. The names of capture files keep theirs: see [wire.CaptureFiles].
var (
	unescape = strings.NewReplacer(`\\`, `\`, `\,`, `,`).Replace
	escape   = strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace
)

const minRecord = 1 << 10

// recordLimit reads how large a recording may be.
func (s *Spec) recordLimit(value string) *Error {
	digits, shift := value, 0
	if n := len(value); n > 0 {
		if i := strings.IndexByte("KMGT", value[n-1]&^0x20); i >= 0 {
			digits, shift = value[:n-1], 10*(i+1)
		}
	}
	v, err := strconv.ParseUint(digits, 10, 62)
	if limit := v << shift; err != nil || limit>>shift != v || limit > 1<<62 || limit < minRecord {
		return &Error{Key: "record_limit", Value: value, Reason: "not a size of 1K or more",
			Remedy: "write bytes, or 100M or 10G"}
	}
	s.RecordLimit = int64(v) << shift
	return nil
}

// checkCapture refuses a bound on a recording that is not made.
func (s *Spec) checkCapture() *Error {
	if s.RecordLimit == 0 {
		return nil
	}
	if s.isCapture() {
		if _, record := wire.CaptureFiles(s.Arg); record != "" {
			return nil
		}
	}
	return &Error{Key: "record_limit", Value: strconv.FormatInt(s.RecordLimit, 10),
		Reason: "nothing is recorded", Remedy: "leave it out, or record with pcap=FILE:RECORD or pcap=:RECORD"}
}

// capture opens the files of emu:pcap.
func (s Spec) capture(log *slog.Logger) (vdev.Backend, error) {
	play, record := wire.CaptureFiles(s.Arg)
	c, err := wire.OpenCapture(wire.CaptureConfig{
		Play: play, Record: record, RecordLimit: s.RecordLimit, Logger: log,
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}
