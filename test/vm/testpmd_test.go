package vm

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/vm/agent"
)

// testDPDKLine runs testpmd by a command line of DPDK, with the addresses of two functions and
// commands from a file, and forwards between them: the sums that it shows are those of the frames.
func (g *guest) testDPDKLine(t *testing.T, a, b string, count int) {
	const script = "/tmp/testpmd.cmds"
	before := g.state(t)
	g.must(t, "/init", "put", script, "show port info all\nstart\nshow config fwd\n")
	cmd, err := g.Agent.StartInteractive("/bin/testpmd", "-l", "0-1", "-n", "4", "--file-prefix=lab",
		"-a", g.nics[a].address, "-a", g.nics[b].address, "--",
		"-i", "--nb-cores=1", "--rxd=256", "--txd=256", "--forward-mode=mac", "--cmdline-file="+script)
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{Command: cmd, g: g, ports: ports("", a, b), macs: true}
	t.Cleanup(func() { f.kill(t) })
	f.exchange(t, f.both(0, 1, count)...)
	ctx, cancel := context.WithTimeout(t.Context(), commandTime)
	defer cancel()
	if err := cmd.Input("show fwd stats all\nshow port stats all\nstop\nquit\n"); err != nil {
		t.Fatal(err)
	}
	r, err := cmd.Wait(ctx)
	if err != nil || r.Exit != 0 || !strings.HasSuffix(strings.TrimSpace(r.Stdout), "Bye...") {
		t.Fatalf("%v, %v", r, err)
	}
	for i, id := range []string{a, b} {
		for _, want := range []string{fmt.Sprintf("Port %d: %s", i, macText(g.nics[id])),
			fmt.Sprintf("* Infos for port %d  *", i), "Device name: " + g.nics[id].address} {
			if !strings.Contains(r.Stdout, want) {
				t.Errorf("testpmd does not say %q: %v", want, r)
			}
		}
	}
	checkTestpmd(t, r, uint64(count))
	g.must(t, "/init", "remove", script)
	g.unchanged(t, before)
}

// macText is the address of a function as testpmd prints it.
func macText(n *nic) string { return strings.ToUpper(n.mac.String()) }

// counted are the figures that testpmd prints under a title.
type counted struct{ rx, rxDropped, rxTotal, tx, txDropped, txTotal uint64 }

var forwarded = regexp.MustCompile(`(?s)(Forward statistics for port \d+|Accumulated forward statistics for all ports) *[-+]+\n` +
	` +RX-packets: (\d+) +RX-dropped: (\d+) +RX-total: (\d+)\n +TX-packets: (\d+) +TX-dropped: (\d+) +TX-total: (\d+)\n`)

var portStats = regexp.MustCompile(`NIC statistics for port \d +#+\n +RX-packets: (\d+) +RX-missed: 0 .*\n +RX-errors: 0\n` +
	` +RX-nombuf: +0 *\n +TX-packets: (\d+) +TX-errors: 0 `)

// checkTestpmd checks the figures of show fwd stats, and of stop.
func checkTestpmd(t *testing.T, r agent.Result, least uint64) {
	t.Helper()
	tables := forwarded.FindAllStringSubmatch(r.Stdout, -1)
	if len(tables) != 6 {
		t.Fatalf("%d tables of forward statistics, want 2 times 3: %v", len(tables), r)
	}
	var all []counted
	for _, m := range tables {
		var n [6]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(m[2+i], 10, 64)
		}
		all = append(all, counted{n[0], n[1], n[2], n[3], n[4], n[5]})
	}
	for i := 0; i < len(all); i += 3 {
		a, b, sum := all[i], all[i+1], all[i+2]
		if a.rx < least || b.rx < least || a.tx != b.rx || b.tx != a.rx || a.rxTotal != a.rx || a.txTotal != a.tx ||
			a.rxDropped+a.txDropped+b.rxDropped+b.txDropped != 0 {
			t.Errorf("the figures of two ports that forward %d frames each: %+v %+v", least, a, b)
		}
		if sum != (counted{rx: a.rx + b.rx, rxTotal: a.rx + b.rx, tx: a.tx + b.tx, txTotal: a.tx + b.tx}) {
			t.Errorf("the sums are %+v, of %+v and %+v", sum, a, b)
		}
	}
	// What a port received before start is not forwarded.
	ports := portStats.FindAllStringSubmatch(r.Stdout, -1)
	if len(ports) != 2 {
		t.Fatalf("%d tables of show port stats, want 2: %v", len(ports), r)
	}
	for i, m := range ports {
		rx, _ := strconv.ParseUint(m[1], 10, 64)
		if n := all[3+i]; rx < n.rx || rx > n.rx+1000 || m[2] != fmt.Sprint(n.tx) {
			t.Errorf("show port stats has %s received and %s sent, of %+v", m[1], m[2], n)
		}
	}
	t.Logf("port 0: %+v, port 1: %+v", all[3], all[4])
}
