package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// side is one of the programs that drive.
type side int

const (
	ours side = iota
	dpdk
	pktgen // this project's, which only [lab.racePktgen] starts
	sides  // how many there are
)

func (s side) String() string { return [sides]string{"virtio-pmd", "DPDK", "pktgen"}[s] }

// options are the keys of a path for this driver, "-" if it is not to run it.
func (s side) options(p path) string {
	if s == dpdk {
		return p.DPDK
	}
	return p.Ours
}

// job is what a driver is started for.
type job struct {
	work   work
	path   path
	size   int // bytes of a frame that it makes
	socket string
	record bool // empty polls and cycles, which costs a little
	noHuge bool // ordinary pages
	flows  bool // packets of many flows, as far as a driver makes them
	// duration is how long it is measured, 0 for as long as usual.
	duration time.Duration
}

// command returns the command line of a driver and what is added to its
// environment.
func (l *lab) command(s side, j job) (argv, env []string) {
	if s == dpdk {
		return l.dpdkDriver(j), l.dpdkEnv()
	}
	argv = l.ourDriver(j)
	if s == pktgen {
		argv = l.pktgenCommand(j)
	}
	return argv, []string{
		"GOMAXPROCS=2",      // one polls, one for everything else, as on any machine with two CPUs
		"GODEBUG=gctrace=1", // to see that nothing is collected
	}
}

// ourPort is the port of our driver.
func (l *lab) ourPort(j job) string {
	ring := strconv.Itoa(l.options.Ring)
	port := "vhost-user:" + j.socket + ",rx_queue_size=" + ring + ",tx_queue_size=" + ring
	if j.path.Ours != "" {
		port += "," + j.path.Ours
	}
	return port
}

func (l *lab) ourDriver(j job) []string {
	argv := []string{filepath.Join(l.options.Bin, "testpmd"), "--json", "--stats-period", "0",
		"--cpus", strconv.Itoa(l.options.DriverCPU), "--burst", strconv.Itoa(l.options.Burst),
		"--forward-mode", j.work.mode(), "--txpkts", strconv.Itoa(j.size)}
	if j.record {
		argv = append(argv, "--record-core-cycles")
	}
	if j.noHuge {
		argv = append(argv, "--no-huge")
	}
	return append(argv, l.ourPort(j))
}

func (l *lab) dpdkDriver(j job) []string {
	device := fmt.Sprintf("net_virtio_user0,path=%s,queues=1,queue_size=%d", j.socket,
		l.options.Ring)
	if j.path.DPDK != "" {
		device += "," + j.path.DPDK
	}
	eal := l.dpdkCommand(l.options.DriverCPU, driverPrefix, j.noHuge)
	if j.path.Wide {
		eal = append(eal, "--force-max-simd-bitwidth=512")
	}
	buffers := dpdkBuffers
	if j.noHuge {
		buffers = noHugeBuffers
	}
	argv := append(eal, "--vdev", device, "--")
	argv = append(argv, l.dpdkForward(j.work.mode(), j.size, buffers)...)
	if j.record {
		argv = append(argv, "--record-core-cycles", "--record-burst-stats")
	}
	if j.flows {
		argv = append(argv, "--txonly-multi-flow")
	}
	return argv
}

// driverPrefix tells DPDK's files of the driver from those of the back end.
const driverPrefix = "driver"

// dpdkCommand is the part of a command line of dpdk-testpmd that is for DPDK
// itself: main and forwarding thread on one CPU.
func (l *lab) dpdkCommand(cpu int, prefix string, noHuge bool) []string {
	argv := []string{l.options.DPDK, "--lcores", fmt.Sprintf("0@%d,1@%d", cpu, cpu),
		"--file-prefix", prefix, "--no-pci"}
	if noHuge {
		return append(argv, "--no-huge", "-m", strconv.Itoa(noHugeMiB))
	}
	return append(argv, "--huge-dir", l.huge.Dir, "--single-file-segments", "-m",
		strconv.Itoa(dpdkMiB))
}

// dpdkForward is the part of a command line that is for testpmd.
func (l *lab) dpdkForward(mode string, size, buffers int) []string {
	return []string{"--nb-cores=1", "--total-num-mbufs=" + strconv.Itoa(buffers),
		"--stats-period=0",
		"--burst=" + strconv.Itoa(l.options.Burst), "--forward-mode=" + mode, "--txpkts=" +
			strconv.Itoa(size)}
}

func (l *lab) dpdkEnv() []string { return []string{"RUNTIME_DIRECTORY=" + l.dir} }

// account is what a driver says itself when it ends.
type account struct {
	EmptyShare float64 // of receive polls, 0 to 1; -1 if unknown
	Cycles     float64 // a packet; 0 if unknown
	Path       string  // in its words; "" if it has none
}

// account reads what a driver has written.
func (s side) account(p *process) (account, error) {
	if s == dpdk {
		sum, err := parseSummary(p.stdout.String())
		a := account{EmptyShare: -1, Cycles: sum.CyclesPerPacket}
		if sum.RxBursts > 0 {
			a.EmptyShare = sum.EmptyShare
		}
		return a, err
	}
	if s == pktgen {
		return account{EmptyShare: -1}, nil // its report is not read: the back end is the meter
	}
	return parseObject(p.stdout.String())
}

// parseObject reads the object that testpmd --json prints.
func parseObject(text string) (account, error) {
	var o struct {
		Ports []struct {
			Path       string `json:"path"`
			Polls      uint64 `json:"polls"`
			EmptyPolls uint64 `json:"empty_polls"`
		} `json:"ports"`
		Cycles struct {
			PerPacket float64 `json:"cycles_per_packet"`
		} `json:"core_cycles"`
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&o); err != nil || len(o.Ports) != 1 {
		return account{}, &parseError{"testpmd", "no object with one port", tail(text)}
	}
	a := account{EmptyShare: -1, Cycles: o.Cycles.PerPacket, Path: o.Ports[0].Path}
	if n := o.Ports[0].Polls; n > 0 {
		a.EmptyShare = float64(o.Ports[0].EmptyPolls) / float64(n)
	}
	return a, nil
}

// collections counts the garbage collections that a Go program with
// GODEBUG=gctrace=1 has printed.
func collections(text string) int { return len(gcLine.FindAllString(text, -1)) }

var gcLine = regexp.MustCompile(`(?m)^gc \d+ @`)
