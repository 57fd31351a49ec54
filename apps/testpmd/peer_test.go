package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/test/child"
)

// await waits until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// serve starts a back end on each of some sockets, in another process, which gives back what it
// receives.
func serve(t *testing.T, sockets ...string) {
	t.Helper()
	args := []string{"--no-huge", "--stats-period", "0", "--port-topology=loop"}
	for _, s := range sockets {
		args = append(args, "emu:vhost="+s+",queues=2")
	}
	cmd := exec.Command("testpmd", args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	wait, err := child.Start(cmd, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = wait()
		if t.Failed() {
			t.Logf("the back ends: %s", out.String())
		}
	})
	for _, s := range sockets {
		await(t, "there is "+s, func() bool { _, err := os.Lstat(s); return err == nil })
	}
}

// sockets returns paths in a new directory, short whatever the test is called.
func sockets(t *testing.T, n int) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var list []string
	for i := range n {
		list = append(list, filepath.Join(dir, fmt.Sprint("s", i)))
	}
	return list
}

// programs are the two that take the same command lines.
var programs = []string{"dpdk-testpmd", "testpmd"}

// dialogue is what both are told.
const dialogue = `show port info all
show port summary all
set fwd mac retry
set burst 8
set record-core-cycles on
set record-burst-stats on
start tx_first 2
show port stats all
show fwd stats all
stop
show port xstats all
clear port stats all
clear port xstats all
clear fwd stats all
show config fwd
show config rxtx
show config cores
show config txpkts
set txpkts 64,64
set fwd csum
start tx_first
stop
show fwd stats all
set fwd rxonly
show port info 9
show port stats 9
set fwd bogus
set burst 1000
stop
set nbport 9
set nbcore 9
set portlist 0
set portlist 0,1
port start 0
port close 0
port stop all
start
csum set tcp hw 0
csum set ip hw 0
csum show 0
tso set 1000 0
port start all
show port 0 rx_offload configuration
mac_addr add 0 00:00:00:00:00:00
mcast_addr remove 0 01:00:5e:00:00:01
mcast_addr add 0 00:00:5e:00:00:01
vlan set filter on 0
port config all rss ip
load missing
set promisc 0 on
show port 0 macs
show device info all
show port 0 rss-hash
quit
`

// TestSameLines: a script over vhost-user gives the same lines of statistics, by name, and all
// that dpdk-testpmd says of a port and of mistakes is said here too.
func TestSameLines(t *testing.T) {
	paths := sockets(t, 2)
	serve(t, paths...)
	said, streams := map[string]map[string]bool{}, map[string][]string{}
	for _, program := range programs {
		out := converse(t, program, "--lcores", "0@0,1@0", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry", "--no-shconf",
			"--vdev", "net_virtio_user0,path="+paths[0]+",queues=2,queue_size=256",
			"--vdev", "net_virtio_user1,path="+paths[1]+",queues=2,packed_vq=1", "--",
			"-i", "--nb-cores=1", "--rxq=2", "--txq=2", "--total-num-mbufs=8192")
		said[program] = names(out)
		streams[program] = regexp.MustCompile(`RX P=\d+/Q=\d+ .*-> TX P=\d+/Q=\d+|RX Port=.*Queue= \d`).FindAllString(out, 8)
	}
	if theirs, ours := streams[programs[0]], streams[programs[1]]; len(theirs) != 8 || !slices.Equal(theirs, ours) {
		t.Errorf("the streams are %q, and of dpdk-testpmd %q", ours, theirs)
	}
	theirs, ours := said[programs[0]], said[programs[1]]
	if len(theirs) < 60 {
		t.Fatalf("dpdk-testpmd says no more than %q", slices.Sorted(maps.Keys(theirs)))
	}
	for name := range theirs {
		if !ours[name] && !absent(name) {
			t.Errorf("not said here: %q", name)
		}
	}
	statistic := regexp.MustCompile(`-(packets|dropped|total|errors|missed|bytes|nombuf|pps|bps|bursts)|statistics|Throughput|CPU cycles`)
	for name := range ours {
		if statistic.MatchString(name) && !theirs[name] {
			t.Errorf("a line of statistics that dpdk-testpmd does not have: %q", name)
		}
	}
}

// flowing is a port that has received and sent packets.
var flowing = regexp.MustCompile(`RX-packets: [1-9].*\n(  Bad.*\n)*  TX-packets: [1-9]`)

// converse tells a program the lines of dialogue and returns what it says. After a start it asks
// until packets flow.
func converse(t *testing.T, program string, args ...string) string {
	t.Helper()
	c := newConversation(t, program, args...)
	for line := range strings.Lines(dialogue) {
		c.tell(line)
		if strings.HasPrefix(line, "start tx_first") {
			c.tell("\n")
			c.tellUntil("show fwd stats all\n", flowing)
		}
	}
	return c.end()
}

// absent reports whether a line is of the EAL, of the driver's own or of what virtio-user has and
// the port here does not: its statistics by size.
func absent(name string) bool {
	return regexp.MustCompile(`^(EAL|virtio|VIRTIO|testpmd|Warning|rx_q#_|tx_q#_|.*net_virtio_user|Primary|dev_info did|Ethdev|Multi|Port # modified|Failed|Multi-queue|Error during enabling|.*Configuring)`).MatchString(name)
}

// names returns the lines of an output with all values replaced.
func names(text string) map[string]bool {
	list := map[string]bool{}
	for line := range strings.SplitSeq(strings.ReplaceAll(text, "\r", ""), "\n") {
		line = regexp.MustCompile(`^(testpmd> )+`).ReplaceAllString(line, "")
		if strings.Contains(line, "bursts : ") {
			line, _, _ = strings.Cut(line, ": ")
		}
		line = regexp.MustCompile(`([0-9A-F]{2}:){5}[0-9A-F]{2}`).ReplaceAllString(line, "MAC")
		if key, _, ok := strings.Cut(line, ": "); ok && !strings.HasPrefix(line, "  ") && !strings.Contains(line, " - ") {
			line = key
		}
		line = regexp.MustCompile(`[0-9]+(\.[0-9]+)?|\+?I[Nn][Ff]`).ReplaceAllString(line, "#")
		line = strings.TrimSpace(regexp.MustCompile(` +`).ReplaceAllString(line, " "))
		if line != "" && !slices.Contains(strings.Split(strings.TrimSpace(dialogue), "\n"), line) {
			list[line] = true
		}
	}
	return list
}
