package main

import (
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// TestVariants: whatever is sent, over whatever ports, its packets arrive as they were
// sent, of the lengths that were asked for, and the figures add up.
func TestVariants(t *testing.T) {
	const cable, loop = "emu:cable=a emu:cable=a", "emu:loop"
	for _, c := range []struct {
		line string
		each int     // packets of a stream of load, 0: those of 20 kpps in 100 ms, -1: any number
		mean float64 // bytes of a packet of load
	}{
		{"--self-test " + cable, 0, 60},
		{loop, 0, 60},
		{cable + " " + loop, 0, 60},
		{"--one-way " + cable, 0, 60},
		{"--one-way " + cable + " " + loop, 0, 60},
		{"--latency 0 " + cable, 0, 60},
		{"--flows 100 emu:cable=a,queues=2 emu:cable=a,queues=2", 0, 60},
		{"--flows 100 emu:cable=a,queues=4 emu:cable=a", 0, 60},
		{"--cpus 0,1 " + cable, 0, 60},
		{"emu:cable=a,packed=0 emu:cable=a,in_order=0,mrg_rxbuf=0,event_idx=0", 0, 60},
		{"--size 1514 " + cable, 0, 1514},
		{"--size 60-64 " + cable, 0, 62},
		{"--size 60-1514+727 " + cable, 0, 787},
		{"--size imix " + cable, 0, (28*60 + 16*590 + 4*1514) / 48.},
		{"--size imix:7:4:1 " + loop, 0, (7*60 + 4*590 + 1*1514) / 12.},
		{"--size 9000 emu:cable=a,mtu=9000 emu:cable=a,mtu=9000", 0, 9000},
		{"--flows 1000 " + loop, 0, 60},
		{"--vlan 100 --size 64 " + loop, 0, 64},
		{"--vlan 100,200 --size 68 " + loop, 0, 68},
		{"--ipv6 --size 78 " + loop, 0, 78},
		{"--l4 tcp --size 70 --flows 10 " + loop, 0, 70},
		{"--l4 tcp --ipv6 --size 90 " + loop, 0, 90},
		{"--l4 icmp --size 60 " + loop, 0, 60},
		{"--l4 icmp --ipv6 --size 78 " + loop, 0, 78},
		{"--payload zeros --size 100 " + loop, 0, 100},
		{"--payload random --size 100 " + loop, 0, 100},
		{"--payload keep --size 100 " + loop, 0, 100},
		{"--dst-mac 02:00:00:00:00:01 --src-mac 02:00:00:00:00:02 --src-ip 10.0.0.1 --dst-ip 10.0.0.2 --src-port 5 --dst-port 6 " + loop, 0, 60},
		{"--pattern poisson " + loop, -1, 60},
		{"--pattern burst:100 " + loop, 100, 60},
		{"--pattern multi-burst:10:5:1ms " + loop, 50, 60},
		{"--rate max --burst 8 " + loop, -1, 60},
		{"--rate 10% --line-rate 100MbpsL1 " + loop, -1, 60},
	} {
		t.Run(c.line, func(t *testing.T) {
			// Of an option that is given twice the last one counts.
			args := append([]string{"--self-test=false", "--verify", "--duration=100ms", "--rate=20kpps"}, strings.Fields(c.line)...)
			r := reportOf(t, args...)
			if len(r.Trials) != 1 {
				t.Fatalf("%d trials", len(r.Trials))
			}
			trial := &r.Trials[0]
			checkSums(t, trial)
			nothingLost(t, trial)
			for _, s := range trial.Streams {
				checkVariant(t, &s, c.each, c.mean)
			}
		})
	}
}

// checkVariant checks how much was due of a stream, and the mean length of its packets.
func checkVariant(t *testing.T, s *result.Stream, each int, mean float64) {
	t.Helper()
	due := s.TxPackets + s.TxUnsent
	if each == 0 {
		each = 2000
	}
	latency := strings.HasSuffix(s.Name, " latency")
	if latency {
		each = 100
	}
	if each > 0 && due != uint64(each) {
		t.Errorf("%s: %d packets were due, and not %d", s.Name, due, each)
	}
	switch {
	case s.TxPackets > 0:
	case latency:
		return // the machine did something else all the time
	default:
		t.Fatalf("%s: nothing was sent", s.Name)
	}
	// The last round through the sizes may be a part of one.
	if got := float64(s.TxBytes) / float64(s.TxPackets); got < mean*0.9 || got > mean*1.1 {
		t.Errorf("%s: %.1f bytes on average, and not %.1f", s.Name, got, mean)
	}
	if s.RxBytes*s.TxPackets != s.TxBytes*s.RxPackets && s.TxUnsent == 0 {
		t.Errorf("%s: %d bytes of %d packets sent, %d of %d received", s.Name, s.TxBytes, s.TxPackets, s.RxBytes, s.RxPackets)
	}
}
