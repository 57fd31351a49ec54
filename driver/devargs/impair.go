package devargs

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// percentage reads a percentage.
func percentage(field *float64, key, value string) *Error {
	v, err := strconv.ParseFloat(strings.TrimSuffix(value, "%"), 64)
	if err != nil || !(v >= 0 && v <= 100) {
		return &Error{Key: key, Value: value, Reason: "not a percentage", Remedy: "write a number from 0 to 100, as 0.1"}
	}
	*field = v
	return nil
}

// delay reads a time that is not negative.
func delay(field *time.Duration, key, value string) *Error {
	v, err := time.ParseDuration(value)
	if err != nil || v < 0 {
		return &Error{Key: key, Value: value, Reason: "not a time", Remedy: "write it like 50us or 1ms"}
	}
	*field = v
	return nil
}

// impaired reports whether the frames that the port receives are impaired.
func (s *Spec) impaired() bool { return s.Impair != (wire.ImpairConfig{}) }

// checkImpairment refuses an impairment of a wire that has none, and more jitter than delay.
func (s *Spec) checkImpairment() *Error {
	switch {
	case !s.impaired():
		return nil
	case s.Kind != Emu || s.Backend != "cable" && s.Backend != "loop":
		return &Error{Value: s.Device(), Reason: "frames are impaired in emu:cable= and emu:loop only",
			Remedy: "leave out loss, reorder, duplicate, delay and jitter"}
	case s.Impair.Jitter > s.Impair.Delay:
		return &Error{Key: "jitter", Value: s.Impair.Jitter.String(), Reason: "longer than the delay",
			Remedy: "use a delay that is at least as long"}
	}
	return nil
}

// impair puts an impairment between the device and its wire. The two ends of a cable impair
// other frames.
func (s *Spec) impair(backend vdev.Backend, end int) (vdev.Backend, error) {
	if !s.impaired() {
		return backend, nil
	}
	c := s.Impair
	c.Seed = uint64(end)
	impaired, err := wire.Impair(backend, c)
	if err != nil {
		return nil, errors.Join(err, backend.Close())
	}
	return impaired, nil
}
