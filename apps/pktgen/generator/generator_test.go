package generator

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/pace"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestDeal says which poller transmits, receives and polls devices, for some numbers of
// them. Ports have streams on all of their queues.
func TestDeal(t *testing.T) {
	for _, c := range []struct {
		pollers int
		ports   []string
		want    string // for each poller
	}{
		{1, []string{"emu:cable=a", "emu:cable=a"}, "t0.0 t1.0 r0 r1 d0 d1"},
		{2, []string{"emu:cable=a", "emu:cable=a"}, "t0.0 t1.0 d0, r0 r1 d1"},
		{3, []string{"emu:cable=a", "emu:cable=a"}, "t0.0 d0, t1.0 d1, r0 r1"},
		{4, []string{"emu:cable=a", "emu:cable=a"}, "t0.0 d0, t1.0 d1, r0, r1"},
		{2, []string{"emu:loop"}, "t0.0 d0, r0"},
		{3, []string{"emu:loop,queues=3"}, "t0.0 t0.2 d0, t0.1, r0"},
		{5, []string{"emu:loop"}, "t0.0 d0, , , , r0"},
	} {
		r := newRig(t, c.pollers, c.ports, func(config *Config) {
			for i, p := range config.Ports {
				config.Ports[i].Device = func() int { return i }
				for q := range p.Port.Queues() {
					config.Ports[i].Streams = append(config.Ports[i].Streams, Stream{Source: &counter{length: 60}, PPS: 1, Queue: q})
				}
			}
		})
		if got := r.dealt(); got != c.want {
			t.Errorf("%d pollers, %v: %q, not %q", c.pollers, c.ports, got, c.want)
		}
	}
}

// dealt says what pollers poll: "t1.0" is transmit queue 0 of port 1, "r0" all receive
// queues of port 0, and "d0" its device.
func (r *rig) dealt() string {
	var all []string
	for _, p := range r.pollers {
		var list []string
		for _, s := range p.senders {
			for i, port := range r.config.Ports {
				for q := range port.Port.Queues() {
					if s.tx == port.Port.TxQueue(q) {
						list = append(list, "t"+string(rune('0'+i))+"."+string(rune('0'+q)))
					}
				}
			}
		}
		for _, rx := range p.receivers {
			list = append(list, "r"+string(rune('0'+slices.Index(r.receivers, rx))))
		}
		for _, device := range p.devices {
			list = append(list, "d"+string(rune('0'+device())))
		}
		all = append(all, strings.Join(list, " "))
	}
	return strings.Join(all, ", ")
}

func TestNewRefuses(t *testing.T) {
	good := newRig(t, 1, []string{"emu:null"}, func(*Config) {})
	stream := func(edit func(*Stream)) func(*Config) {
		return func(c *Config) {
			s := Stream{Name: "s", Source: &counter{length: 60}, PPS: 1}
			edit(&s)
			c.Ports[0].Streams = []Stream{s}
		}
	}
	for field, edit := range map[string]func(*Config){
		"Ports":                        func(c *Config) { c.Ports = nil },
		"Caches":                       func(c *Config) { c.Caches = nil },
		"Burst":                        func(c *Config) { c.Burst = -1 },
		"CatchUp":                      func(c *Config) { c.CatchUp = -1 },
		"port 0, stream s: Queue":      stream(func(s *Stream) { s.Queue = 1 }),
		"port 0, stream s: Source":     stream(func(s *Stream) { s.Source = nil }),
		"port 0, stream s: PPS":        stream(func(s *Stream) { s.PPS = 0 }),
		"port 0, stream s: PPS ":       stream(func(s *Stream) { s.PPS = math.NaN() }),
		"port 0, stream s: PPS  ":      stream(func(s *Stream) { s.Pattern = pace.Burst(0) }),
		"port 0, stream s: Queue ":     stream(func(s *Stream) { s.Queue = -1 }),
		"port 0, stream s: PPS of max": stream(func(s *Stream) { s.PPS, s.Pattern.Kind = math.Inf(1), pace.Poisson }),
	} {
		c := Config{Ports: []Port{{Port: good.config.Ports[0].Port}}, Caches: good.config.Caches}
		edit(&c)
		_, err := New(c)
		var bad *ConfigError
		field, _, _ = strings.Cut(strings.TrimSpace(field), " of ")
		if !errors.As(err, &bad) || bad.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	closed := newRig(t, 1, []string{"emu:null"}, func(*Config) {})
	port := closed.config.Ports[0].Port
	if err := port.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := New(Config{Ports: []Port{{Port: port}}, Caches: closed.config.Caches})
	var gone *driver.Error
	if !errors.As(err, &gone) {
		t.Errorf("a closed port: %v", err)
	}
}

// TestClock compares the clock with the kernel's, read around it, over a while.
func TestClock(t *testing.T) {
	c := NewClock()
	a := time.Now()
	first := c.Now()
	b := time.Now()
	for last := first; time.Since(a) < 300*time.Millisecond; {
		now := c.Now()
		if now < last {
			t.Fatalf("the clock went back from %d to %d", last, now)
		}
		last = now
	}
	d := time.Now()
	got := time.Duration(c.Now() - first)
	if least, most := d.Sub(b), time.Since(a); got < least || got > most {
		t.Errorf("%v on the clock, between %v and %v on the kernel's", got, least, most)
	}
	if at := c.Time(first); at.Before(a) || at.After(b) {
		t.Errorf("the time of day is %v, between %v and %v", at, a, b)
	}
}
