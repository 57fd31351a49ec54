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
		if exchange {
			g.state.Or(exchanges)
		}
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

// Two goroutines that poll one queue are noticed within a reasonable number of bursts,
// and the one that is refused leaves the other's mark alone.
func TestTwoPollersAreNoticed(t *testing.T) {
	g := &Gate{}
	g.Init(false)
	if !g.Enter() || g.Enter() || g.Enter() || g.Refused() != 2 {
		t.Fatalf("a second goroutine is let in, or not counted: %d", g.Refused())
	}
	if g.Leave(); !g.Enter() || g.Refused() != 2 {
		t.Fatal("the poller is not let in again")
	}
	g.Leave()
	stop, done := make(chan struct{}), make(chan struct{})
	for range 2 {
		go func() {
			defer func() { done <- struct{}{} }()
			for work := 0; ; {
				select {
				case <-stop:
					return
				default:
				}
				if g.Enter() {
					for range 1000 {
						work++
					}
					g.Leave()
				}
			}
		}()
	}
	for deadline := time.Now().Add(time.Minute); g.Refused() < 3 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(stop)
	<-done
	<-done
	if g.Refused() < 3 {
		t.Error("two goroutines that poll at the same time are not noticed")
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
