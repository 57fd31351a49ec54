package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/test/perf/internal/hugepool"
)

// TestCommands checks that both drivers get the same burst, ring, CPU and frame, and the
// path each in its own words.
func TestCommands(t *testing.T) {
	l := &lab{dir: "/tmp/perf-1", huge: &hugepool.Pages{Dir: "/tmp/perf-1/huge"},
		options: options{DPDK: "dpdk-testpmd", Bin: "/b", Ring: 256, Burst: 16, DriverCPU: 1}}
	all := candidates()
	vectors := all[len(all)-1]
	for _, c := range []struct {
		side side
		job  job
		want string
	}{
		{ours, job{work: receive, path: paths()[4], size: 64, socket: "/s"},
			"/b/testpmd --json --stats-period 0 --cpus 1 --burst 16 --forward-mode rxonly --txpkts 64 vhost-user:/s,rx_queue_size=256,tx_queue_size=256,packed=1,in_order=1,mrg_rxbuf=0"},
		{ours, job{work: transmit, path: paths()[0], size: 1518, socket: "/s", record: true,
			noHuge: true},
			"/b/testpmd --json --stats-period 0 --cpus 1 --burst 16 --forward-mode txonly --txpkts 1518 --record-core-cycles --no-huge vhost-user:/s,rx_queue_size=256,tx_queue_size=256,packed=0"},
		{dpdk, job{work: forward, path: paths()[0], size: 64, socket: "/s"},
			"dpdk-testpmd --lcores 0@1,1@1 --file-prefix driver --no-pci --huge-dir /tmp/perf-1/huge --single-file-segments -m 512" +
				" --vdev net_virtio_user0,path=/s,queues=1,queue_size=256 -- --nb-cores=1 --total-num-mbufs=32768 --stats-period=0 --burst=16 --forward-mode=io --txpkts=64"},
		{dpdk, job{work: transmit, path: paths()[3], size: 64, socket: "/s", noHuge: true},
			"dpdk-testpmd --lcores 0@1,1@1 --file-prefix driver --no-pci --no-huge -m 64" +
				" --vdev net_virtio_user0,path=/s,queues=1,queue_size=256,packed_vq=1,in_order=0,mrg_rxbuf=0" +
				" -- --nb-cores=1 --total-num-mbufs=8192 --stats-period=0 --burst=16 --forward-mode=txonly --txpkts=64"},
		{dpdk, job{work: receive, path: vectors, size: 64, socket: "/s", record: true},
			"dpdk-testpmd --lcores 0@1,1@1 --file-prefix driver --no-pci --huge-dir /tmp/perf-1/huge --single-file-segments -m 512 --force-max-simd-bitwidth=512" +
				" --vdev net_virtio_user0,path=/s,queues=1,queue_size=256,packed_vq=1,in_order=1,mrg_rxbuf=0,vectorized=1" +
				" -- --nb-cores=1 --total-num-mbufs=32768 --stats-period=0 --burst=16 --forward-mode=rxonly --txpkts=64 --record-core-cycles --record-burst-stats"},
	} {
		argv, _ := l.command(c.side, c.job)
		if got := strings.Join(argv, " "); got != c.want {
			t.Errorf("%v, %s:\n got %s\nwant %s", c.side, c.job.path.Name, got, c.want)
		}
	}
}

// TestNames checks that paths have names of their own, because results are kept by name.
func TestNames(t *testing.T) {
	var names []string
	for _, p := range candidates() {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if unique := slices.Compact(slices.Clone(names)); len(unique) != len(names) {
		t.Errorf("%q", names)
	}
}
