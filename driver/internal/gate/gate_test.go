package gate

import (
	"testing"
	"time"
)

// writes is how much is written inside a gate at a time, so that two goroutines
// that are there at once are likely to overwrite each other.
const writes = 50

// The poller and the closer both write what the gate guards. One lost mark
// shows as a wrong sum, or to the race detector.
func TestKeepsBothSidesApart(t *testing.T) {
	for _, exchange := range []bool{false, true} {
		g := &Gate{}
		g.Init(false)
		g.exchange = g.exchange || exchange
		guarded, polled := 0, 0
		stop := make(chan struct{})
		done := make(chan int)
		go func() {
			for {
				select {
				case <-stop:
					done <- polled
					return
				default:
				}
				for range 100 {
					if g.Enter() {
						for range writes {
							guarded++
						}
						polled += writes
						g.Leave()
					}
				}
			}
		}()
		closed := 0
		for range 2000 {
			if i := Close([]*Gate{g}, time.Minute); i != -1 {
				t.Fatal("the gate does not close")
			}
			for range writes {
				guarded++
			}
			closed += writes
			g.Open()
		}
		close(stop)
		if polled := <-done; guarded != polled+closed {
			t.Errorf("exchange=%v: %d writes are left of %d", exchange, guarded, polled+closed)
		}
	}
}

func TestClosedGateLetsNoPollerIn(t *testing.T) {
	g := &Gate{}
	g.Init(false)
	if !g.Enter() {
		t.Fatal("an open gate does not let the poller in")
	}
	g.Leave()
	if i := Close([]*Gate{g}, time.Minute); i != -1 {
		t.Fatal("no poller is inside, and the gate does not close")
	}
	if g.Enter() {
		t.Error("a closed gate lets the poller in")
	}
	if g.inside != 0 {
		t.Error("a poller that was not let in left a mark")
	}
	g.Open()
	if !g.Enter() {
		t.Error("the gate does not open again")
	}
	g.Leave()
	if g.Init(true); g.Enter() {
		t.Error("a gate that begins closed is open")
	}
}

// A goroutine that dies in a burst must not block the closer for ever.
func TestCloseGivesUpAfterTheLimit(t *testing.T) {
	free, stuck := &Gate{}, &Gate{}
	stuck.Enter()
	if i := Close([]*Gate{free, stuck}, 20*time.Millisecond); i != 1 {
		t.Errorf("gate %d is said to be occupied, not gate 1", i)
	}
	if free.Enter() {
		t.Error("the other gate is open")
	}
}
