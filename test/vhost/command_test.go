package vhost

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// commandRun is a run of this project's testpmd against dpdk-testpmd.
type commandRun struct {
	name       string
	mode, keys string // of ours
	back       string // the other's mode
	queues     int
	server     bool          // ours is, of the socket
	duration   time.Duration // 0 until both ways are seen to carry packets
}

var commandRuns = []commandRun{
	{name: "receive", mode: "rxonly", keys: ",packed=1", back: "txonly", queues: 1,
		duration: 2 * time.Second},
	{name: "transmit", mode: "txonly", keys: ",packed=1", back: "rxonly", queues: 1,
		duration: 2 * time.Second},
	{name: "both ways", mode: "io", keys: ",packed=1", back: "flowgen", queues: 1},
	{name: "two pairs, split", mode: "io", keys: ",packed=0,queues=2", back: "flowgen", queues: 2},
	{name: "two pairs, packed", mode: "io", keys: ",packed=1,queues=2", back: "flowgen", queues: 2},
	{name: "server", mode: "io", keys: ",packed=1,server=1", back: "flowgen", queues: 1,
		server: true},
}

// The command moves packets to and from DPDK's back end, as a user without
// privileges, and the object that it prints says what the back end counted.
func TestCommand(t *testing.T) {
	dir := playground(t, "testpmd")
	for i, run := range commandRuns {
		t.Run(run.name, func(t *testing.T) {
			socket := filepath.Join(dir, strconv.Itoa(i))
			p, back := run.start(t, filepath.Join(dir, "testpmd"), socket)
			run.end(t, p, back)
			back.stop()
			port := printedPort(t, p)
			run.checkPort(t, port)
			run.checkCounts(t, port, back)
		})
	}
}

// start starts both ends, the one that listens first.
func (r commandRun) start(t *testing.T, binary, socket string) (p *ours, back *testpmd) {
	t.Helper()
	queues := strconv.Itoa(r.queues)
	device := ",queues=" + queues
	if r.server {
		device += ",client=1"
	}
	listens := func() bool { _, err := os.Lstat(socket); return err == nil }
	command := func() {
		p = startOurs(t, binary, "--forward-mode", r.mode, "--cpus", "1", "--duration",
			r.duration.String(), "--json", "--no-huge", "--stats-period", "0",
			"vhost-user:"+socket+r.keys+",rx_queue_size=256,tx_queue_size=256")
	}
	if r.server {
		command()
		p.until(t, "there is a socket", listens)
	}
	back = startTestpmd(t, socket, device, "--forward-mode="+r.back, "--rxq="+queues,
		"--txq="+queues)
	if !r.server {
		back.until("there is a socket", listens)
		if os.Geteuid() == 0 { // the command runs without privileges and could not connect
			if err := os.Chown(socket, unprivilegedID, unprivilegedID); err != nil {
				t.Fatal(err)
			}
		}
		command()
	}
	return p, back
}

// end waits until the command's time is over, or until more packets went both ways
// than the rings of all pairs hold, and ends it.
func (r commandRun) end(t *testing.T, p *ours, back *testpmd) {
	t.Helper()
	if r.duration > 0 {
		p.wait(t)
		return
	}
	back.until("packets go both ways", func() bool {
		c := back.moved()
		return min(c.rx, c.tx) >= 4000
	})
	p.stop(t)
}

type testpmdPort struct {
	Path      string   `json:"path"`
	Features  []string `json:"features"`
	RxPackets uint64   `json:"rx_packets"`
	TxPackets uint64   `json:"tx_packets"`
	RxErrors  uint64   `json:"rx_errors"`
	Queues    []struct {
		RxPackets uint64 `json:"rx_packets"`
		TxPackets uint64 `json:"tx_packets"`
	} `json:"queues"`
}

// printedPort reads the one object that is on standard output, and nothing else.
func printedPort(t *testing.T, p *ours) testpmdPort {
	t.Helper()
	var object struct {
		App   string        `json:"app"`
		Ports []testpmdPort `json:"ports"`
	}
	if err := json.Unmarshal([]byte(p.stdout.String()), &object); err != nil {
		t.Fatalf("%v in %q", err, p.stdout.String())
	}
	if object.App != "testpmd" || len(object.Ports) != 1 {
		t.Fatalf("%+v", object)
	}
	return object.Ports[0]
}

// checkPort expects what was asked for and packets only where the mode has any.
func (r commandRun) checkPort(t *testing.T, port testpmdPort) {
	t.Helper()
	t.Logf("%s: %d packets received, %d sent %v", port.Path, port.RxPackets,
		port.TxPackets, port.Queues)
	packed, ring := strings.Contains(r.keys, "packed=1"), "split"
	if packed {
		ring = "packed"
	}
	if slices.Contains(port.Features, "RING_PACKED") != packed ||
		!strings.Contains(port.Path, "RX "+ring) || !strings.Contains(port.Path, "TX "+ring) {
		t.Errorf("not %s: %q, %v", ring, port.Path, port.Features)
	}
	if port.RxErrors != 0 {
		t.Errorf("%d packets were lost to errors", port.RxErrors)
	}
	if receives := r.mode != "txonly"; port.RxPackets > 0 != receives {
		t.Errorf("%s received %d packets", r.mode, port.RxPackets)
	}
	if transmits := r.mode != "rxonly"; port.TxPackets > 0 != transmits {
		t.Errorf("%s sent %d packets", r.mode, port.TxPackets)
	}
}

// checkCounts compares with the other side, each pair of queues if there are more
// than one, which then must all have carried packets both ways.
func (r commandRun) checkCounts(t *testing.T, port testpmdPort, back *testpmd) {
	t.Helper()
	if r.queues == 1 {
		sameCounts(t, back.total("TX"), back.total("RX"), port.RxPackets, port.TxPackets)
		t.Logf("the back end received %d and sent %d", back.total("RX"), back.total("TX"))
		return
	}
	pairs := back.pairs()
	if len(port.Queues) != r.queues || len(pairs) != r.queues {
		t.Fatalf("%v, and %v of the back end, are not %d pairs", port.Queues, pairs, r.queues)
	}
	for i, q := range port.Queues {
		if q.RxPackets == 0 || q.TxPackets == 0 || pairs[i].rx == 0 || pairs[i].tx == 0 {
			t.Errorf("pair %d: %+v, %+v of the back end", i, q, pairs[i])
		}
		sameCounts(t, pairs[i].tx, pairs[i].rx, q.RxPackets, q.TxPackets)
	}
	t.Logf("the back end received and sent %v", pairs)
}
