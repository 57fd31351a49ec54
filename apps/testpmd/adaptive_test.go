package main

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// TestAdaptive: with --adaptive every frame wakes a poller that sleeps, in the modes that wait for
// frames, and how long pollers slept is in the object.
func TestAdaptive(t *testing.T) {
	for mode, keys := range map[string]string{"io": "", "csum": ",packed=0", "5tswap": ",queues=2"} {
		p := newTestPlan(t, mode, "emu:cable=l,intr=1"+keys, "emu:cable=r,intr=1"+keys)
		p.idle = lcore.DefaultIdle
		left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
		r := start(t, p)
		const frames = 40
		for i := range frames {
			if i%8 == 0 {
				time.Sleep(time.Millisecond) // in which the poller falls asleep
			}
			left.send(t, frametest.Varied(i))
			right.receive(t, 1)
		}
		r.stop(t)
		var o report.Object
		if err := json.Unmarshal(r.stdout.Bytes(), &o); err != nil {
			t.Fatal(err)
		}
		if o.Asleep == nil || *o.Asleep == 0 || o.Total.Waits == 0 || o.Total.Interrupts == 0 || o.Ports[1].TxPackets != frames {
			t.Errorf("%s: asleep %v, %+v", mode, o.Asleep, o.Total)
		}
	}
}

// TestAdaptivePrompt: pollers sleep in each run of a prompt, and not in a mode that makes packets,
// which the command line refuses.
func TestAdaptivePrompt(t *testing.T) {
	p := newTestPlan(t, "io", "emu:cable=l,intr=1", "emu:cable=r,intr=1")
	p.idle = lcore.DefaultIdle
	left, right := newStation(t, "emu:cable=l", p.cables), newStation(t, "emu:cable=r", p.cables)
	s := newScripted(t, p)
	for range 2 {
		s.quiet("start")
		for i := range 10 {
			time.Sleep(time.Millisecond)
			left.send(t, frametest.Varied(i))
			right.receive(t, 1)
		}
		s.quiet("stop")
	}
	if n := s.ports[0].dev.Stats().Waits; n == 0 {
		t.Error("no poller has slept")
	}
	s.quiet("set fwd txonly", "start")
	right.receive(t, 10)
	s.quiet("stop")
	for args, want := range map[string]string{
		"--adaptive --forward-mode txonly emu:null": "txonly has something to do when no packets come",
		"--idle 1ms emu:null":                       "give --adaptive as well",
	} {
		if out, err := exec.Command("testpmd", strings.Fields(args)...).CombinedOutput(); err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v, %s", args, err, out)
		}
	}
}
