package vhostuser_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport/vhostuser"
)

// A back end that answers each request in time and takes too long over all of
// them is disconnected, whatever the requests are for; once it is set up only each
// request has a limit.
func TestSlowBackEnd(t *testing.T) {
	const budget, delay = 1500 * time.Millisecond, 300 * time.Millisecond
	for _, slow := range []string{"opening", "steps", "pairs", "memory", "work"} {
		t.Run(slow, func(t *testing.T) {
			t.Parallel()
			b := newBackend(t)
			b.pairs = 8
			var on atomic.Bool
			b.answer = func(*peer, msg) bool {
				if on.Load() {
					time.Sleep(delay)
				}
				return false
			}
			b.listen()
			o := vhostuser.Options{Timeout: long, SetUpTimeout: budget}
			if slow == "opening" {
				o.SetUpTimeout = 2 * delay
				on.Store(true)
				if _, err := tryOpen(b.path, o); !isSetUpTimeout(err) {
					t.Errorf("%T %v", err, err)
				}
				return
			}
			d := open(t, b, o)
			s := newSteps(t, d, 8)
			began := time.Now()
			work := map[string]func() error{
				"steps": func() error { return s.try() },
				"pairs": func() error { return d.SetQueuePairs(4) }, // 6 messages
				"memory": func() error {
					_ = d.SetQueuePairs(4)
					on.Store(true)
					_, err := d.MapDMA(allocate(t))
					_, status := d.Status()
					return errors.Join(err, status)
				},
				"work": func() (err error) {
					for i := 0; i < 12 && err == nil; i++ {
						_, err = d.Status()
					}
					return err
				},
			}
			if slow != "steps" {
				s.run(t)
			}
			on.Store(slow != "memory")
			err := work[slow]()
			if slow == "work" && err != nil || slow != "work" && !isSetUpTimeout(err) {
				t.Errorf("%T %v", err, err)
			}
			if took := time.Since(began); took > time.Minute {
				t.Errorf("it took %v", took)
			}
		})
	}
}
