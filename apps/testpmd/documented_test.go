package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
)

// documented are command lines in the forms in which DPDK's guides of testpmd and virtio-user
// give them, behind the name of the program, with the sockets S0 to S3 of back ends and files
// here.
var documented = []string{
	"-l 0-1 -n 4 --no-pci --file-prefix=a --vdev=net_virtio_user0,mac=00:11:22:33:44:10,path=S0,packed_vq=0,mrg_rxbuf=0,in_order=1,queue_size=256 -- -i --nb-cores=1 --txd=256 --rxd=256",
	"-l 0-1 -n 4 --no-pci --socket-mem 1024,0 --file-prefix=b --vdev=net_virtio_user0,mac=00:11:22:33:44:11,path=S1,queues=2,packed_vq=1,vectorized=1 -- -i",
	"-l 0,1 -n 4 --no-pci --single-file-segments --vdev virtio_user0,path=S0,queue_size=1024 -- -i --txd=1024 --rxd=1024 --port-topology=chained",
	"--lcores 0@0,1@1 -n 4 -m 1024 --no-pci --vdev net_virtio_user0,path=S2,queues=2 -- -i --nb-cores=1 --rxq=2 --txq=2 --auto-start",
	"-c 0x3 -n 4 --legacy-mem --no-pci --vdev net_virtio_user0,path=S3 --vdev net_virtio_user1,path=S0 -- --burst=64 -i --txd=256 --rxd=256 --portmask=0x3 --coremask=0x2",
	"-l 0-1 --no-pci --vdev net_pcap0,rx_pcap=in.pcap,tx_pcap=out.pcap -- -i --port-topology=loop --no-flush-rx",
	"-l 0-1 -n 4 --no-pci --vdev net_null0 --vdev net_null1 -- -i --forward-mode=5tswap --total-num-mbufs=145456 --mbuf-size=2176",
	"-l 0-1 -n 4 --no-pci --vdev net_vhost0,iface=own0,queues=2,client=0 -- -i --nb-cores=1 --rxq=2 --txq=2 --numa",
	"-l 0-1 -n 4 --no-pci --huge-dir /dev/hugepages --vdev net_vhost0,iface=own1 --vdev net_virtio_user0,path=S1,server=0 -- -i --eth-peer=0,02:00:00:00:00:01 --txonly-multi-flow --txpkts=64 --forward-mode=txonly",
	"-l 0,1 --main-lcore 1 --proc-type=primary --log-level=pmd.net.virtio:debug --no-pci --vdev net_virtio_user0,path=S2,speed=10000 -- -i --disable-link-check --max-pkt-len=1518 --tx-first",
	"--no-pci --no-huge -m 512 --vdev net_ring0 -- -i --portlist=0 --record-core-cycles --record-burst-stats --no-lsc-interrupt --mbcache=128 --rxfreet=32",
}

// TestDocumentedLines: each starts testpmd, which has its ports, forwards and ends.
func TestDocumentedLines(t *testing.T) {
	paths := sockets(t, 4)
	serve(t, paths...)
	dir := t.TempDir()
	recordFrames(t, filepath.Join(dir, "in.pcap"), 100, 64)
	for _, line := range documented {
		for i, path := range paths {
			line = strings.ReplaceAll(line, "S"+string(rune('0'+i)), path)
		}
		words := strings.Fields(line)
		if !strings.Contains(line, "--no-huge") {
			words = append([]string{"--no-huge"}, words...) // the machine of a test has no hugepages to spare
		}
		cmd := exec.Command("testpmd", words...)
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader("start\nshow port info all\nstop\nquit\n")
		out, err := cmd.CombinedOutput()
		text := string(out)
		if err != nil || !strings.Contains(text, "Infos for port 0") || !strings.Contains(text, "Accumulated forward statistics") ||
			!strings.HasSuffix(text, "Bye...\n") {
			t.Errorf("%s: %v\n%s", line, err, text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "out.pcap")); err != nil {
		t.Error(err)
	}
}

// TestTranslate: what command lines of DPDK are here.
func TestTranslate(t *testing.T) {
	const first = "--rxq=1 --txq=1 --stats-period=0"
	for line, want := range map[string]string{
		"-l 0,1 -n 4 --no-pci --vdev net_virtio_user0,path=/s -- -i":                         first + " --cpus=1 --nb-cores=1 -i vhost-user:/s,packed=0",
		"-l 0-3 --no-pci -a 0000:00:03.0 -- --rxq=2 --txq=2":                                 first + " --cpus=1,2,3 --nb-cores=1 --rxq=2 --txq=2 0000:00:03.0",
		"--vdev net_null0 -a 03:00.0,vectorized=1 --":                                        first + " 0000:03:00.0 emu:gen",
		"-c 3 --no-pci --vdev net_virtio_user0,path=/dev/vhost-net,iface=tap7 -- --tx-first": first + " --cpus=1 --nb-cores=1 --tx-first=1 emu:tap=tap7,packed=0",
		"--no-huge --no-pci --vdev net_vhost0,iface=/a,client=1,queues=2 -- --burst=0":       first + " --no-huge --burst=32 emu:vhost=/a,queues=2,server=0",
		"--no-pci --log-level=8 --vdev net_tap0,iface=t0 -- --portmask=1":                    first + " --log-level debug --portmask=1 emu:tap=t0",
		"--no-pci --vdev net_pcap0,rx_pcap=/a:b,tx_pcap=/c -- -i":                            first + ` -i emu:pcap=/a\:b:/c`,
		"--lcores (0,1)@(2,3),2@0 --no-pci --vdev net_ring0 -- -i":                           first + " --cpus=3,0 --nb-cores=1 -i emu:loop",
		"--no-pci --no-telemetry -- -i emu:cable=a":                                          first + " -i emu:cable=a",
	} {
		if _, got, err := translate(append([]string{"testpmd"}, strings.Fields(line)...)); err != nil || strings.Join(got[1:], " ") != want {
			t.Errorf("%s\ngot  %q, %v\nwant %q", line, got, err, want)
		}
	}
	for line, want := range map[string]string{
		"--vdev net_virtio_user0 -- -i":                        "path= is missing",
		"--vdev net_virtio_user0,path=/dev/vhost-vdpa-0 -- -i": "no vdpa transport",
		"--vdev net_virtio_user0,path=/s,bogus=1 -- -i":        "bogus=1: unknown key; the keys are cq, iface, in_order",
		"--vdev net_pcap0,iface=eth0 -- -i":                    "interfaces are not captured; use emu:tap=IFNAME",
		"--vdev eth_bond0 -- -i":                               "there is no driver",
		"-a 0000:00:03 -- -i":                                  "not the address of a PCI function",
		"--iova-mode=pa -- -i":                                 "--iova-mode pa: devices are given addresses that the IOMMU translates",
		"--vfio-vf-token=1 -- -i":                              "the token cannot be passed on",
		"-l 0 -n":                                              "CHANNELS is missing behind it",
		"--lcores 0@x -- -i":                                   "is not a core, or a group of them, on a CPU",
	} {
		if _, _, err := translate(append([]string{"testpmd"}, strings.Fields(line)...)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
	for line, is := range map[string]bool{
		"emu:gen": false, "-i emu:gen": false, "--no-huge emu:gen": false, "--log-level debug -- emu:gen": false,
		"-l 0,1 -- -i": true, "--vdev net_null0": true, "-- -i": true, "-n4 emu:gen": true, "--stats-period 1 emu:gen": false,
	} {
		if got := dpdk.Is(strings.Fields(line)); got != is {
			t.Errorf("%s: %t", line, got)
		}
	}
}
