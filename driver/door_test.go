package driver

import (
	"testing"
	"time"
)

// visit is how much is written behind a door at a time, so that two who are there
// at once are likely to overwrite each other.
const visit = 50

// A poller and the other side both write what the door guards. One lost mark
// shows as a wrong sum, or to the race detector.
func TestDoorKeepsBothSidesApart(t *testing.T) {
	for _, fenced := range []bool{needFences(), true} {
		d := &door{fenced: fenced}
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
					if d.enter() {
						for range visit {
							guarded++
						}
						polled += visit
						d.leave()
					}
				}
			}
		}()
		closed := 0
		for range 2000 {
			if i := closeDoors([]*door{d}, time.Minute); i != -1 {
				t.Fatal("the door does not close")
			}
			for range visit {
				guarded++
			}
			closed += visit
			d.open()
		}
		close(stop)
		if polled := <-done; guarded != polled+closed {
			t.Errorf("fenced=%v: %d writes are left of %d", fenced, guarded, polled+closed)
		}
	}
}

func TestShutDoorLetsNobodyIn(t *testing.T) {
	d := &door{}
	if !d.enter() {
		t.Fatal("an open door is shut")
	}
	d.leave()
	if i := closeDoors([]*door{d}, time.Minute); i != -1 {
		t.Fatal("nobody is inside, and the door does not close")
	}
	if d.enter() {
		t.Error("a shut door is open")
	}
	if d.busy != 0 {
		t.Error("who was not let in left a mark")
	}
	d.open()
	if !d.enter() {
		t.Error("the door does not open again")
	}
}

// A goroutine that dies in a burst must not block anybody for ever.
func TestDoorIsGivenUpAfterTheLimit(t *testing.T) {
	free, stuck := &door{}, &door{}
	stuck.enter()
	if i := closeDoors([]*door{free, stuck}, 20*time.Millisecond); i != 1 {
		t.Errorf("door %d is said to be occupied, not door 1", i)
	}
	if free.enter() {
		t.Error("the other door is open")
	}
}
