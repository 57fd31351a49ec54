package main

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver"
)

// TestSince: what was sent and dropped since a reading is what the port was given since,
// though the device drops later what it had taken before.
func TestSince(t *testing.T) {
	before := driver.Stats{TxPackets: 100, TxBytes: 6400, TxDropped: 3, RxPackets: 7}
	for _, c := range []struct {
		given, late   uint64 // packets since, and how many the device has dropped since
		sent, dropped uint64
	}{{10, 0, 10, 0}, {10, 4, 6, 4}, {4, 10, 0, 4}, {0, 10, 0, 0}} {
		now := driver.Stats{TxPackets: 100 + c.given - c.late, TxBytes: 64 * (100 + c.given - c.late), TxDropped: 3 + c.late, RxPackets: 9}
		got := since(now, before)
		if got.TxPackets != c.sent || got.TxBytes != 64*c.sent || got.TxDropped != c.dropped || got.RxPackets != 2 {
			t.Errorf("%d given, %d dropped: %+v", c.given, c.late, got)
		}
	}
}

// moving is a port that has sent packets.
var moving = regexp.MustCompile(`TX-packets: [1-9]`)

// numbers returns the numbers behind a name, in the order of the text.
func numbers(t *testing.T, text, name string) (list []uint64) {
	t.Helper()
	for _, m := range regexp.MustCompile(regexp.QuoteMeta(name)+` *([0-9]+)`).FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, n)
	}
	return list
}

// TestOneReading: what is shown together adds up while packets flow.
func TestOneReading(t *testing.T) {
	c := newConversation(t, "testpmd", "-i", "--no-huge", "--display-xstats", "rx_good_packets", "--record-core-cycles",
		"emu:gen,queues=2", "emu:null,queues=2")
	c.tell("start\n")
	c.tellUntil("show fwd stats all\n", moving)
	for i := range 40 {
		c.tell("show port stats 0\n")
		c.tell("show fwd stats all\n")
		if i == 20 {
			c.tell("clear fwd stats all\n")
		}
	}
	c.tell("quit\n")
	for answer := range strings.SplitSeq(c.end(), promptText) {
		if strings.Contains(answer, "NIC statistics") {
			if shown, extended := numbers(t, answer, "RX-packets:"), numbers(t, answer, "rx_good_packets"); shown[0] != extended[0] {
				t.Errorf("%d received, and %d by the extended statistics", shown[0], extended[0])
			}
			continue
		}
		streams, ports, found := strings.Cut(answer, "Forward statistics for port 0")
		if !found {
			continue
		}
		for _, name := range []string{"RX-packets:", "TX-packets:", "TX-dropped:"} {
			n, all := uint64(0), numbers(t, ports, name)
			for _, of := range numbers(t, streams, name) {
				n += of
			}
			if total := all[2]; n != total || all[0]+all[1] != total {
				t.Errorf("%s %d of the streams, %d of the ports", name, n, all)
			}
		}
		if of := numbers(t, ports, "packets="); len(of) > 0 && of[0] != numbers(t, ports, "RX-packets:")[2] {
			t.Errorf("cycles of other packets than were received: %s", ports)
		}
	}
}

// TestSharedQueue: streams that send by the same queue each have what they have sent, and
// what was cleared is not shown again when the ports have been closed.
func TestSharedQueue(t *testing.T) {
	c := newConversation(t, "testpmd", "-i", "--no-huge", "--forward-mode", "mac", "emu:gen,queues=3", "emu:null,queues=2")
	c.tell("start\n")
	c.tellUntil("show fwd stats all\n", moving)
	for _, line := range []string{"stop", "port stop all", "port close 0", "clear fwd stats all", "show fwd stats all", "quit"} {
		c.tell(line + "\n")
	}
	_, stopped, _ := strings.Cut(c.end(), "Waiting for lcores")
	streams, ports, _ := strings.Cut(stopped, "Forward statistics for port 0")
	received, sent, dropped := numbers(t, streams, "RX-packets:"), numbers(t, streams, "TX-packets:"), numbers(t, streams, "TX-dropped:")
	for i := range received {
		if received[i] != sent[i]+dropped[i] {
			t.Errorf("stream %d received %d, sent %d and dropped %d", i, received[i], sent[i], dropped[i])
		}
	}
	var sum uint64
	for _, n := range sent {
		sum += n
	}
	if all := numbers(t, ports, "TX-packets:"); sum != all[1] || sum == 0 {
		t.Errorf("%d sent by the streams, %d by the port", sum, all[1])
	}
	_, cleared, _ := strings.Cut(ports, "show fwd stats all")
	if n := numbers(t, cleared, "RX-total:"); len(n) != 3 || n[2] != 0 || strings.Contains(cleared, "Forward Stats for") {
		t.Errorf("after they were cleared: %s", cleared)
	}
}
