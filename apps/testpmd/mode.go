package main

import (
	"net/netip"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// mode is one of the ways to treat packets.
type mode struct {
	name string
	// receives and transmits say which queues are polled.
	receives, transmits bool
	// everyRound says that --record-core-cycles counts every round, as DPDK's
	// does where packets are made, and not only those in which some came. The
	// cycles are then divided by the packets that were sent.
	everyRound bool
	// answers is set if packets leave by the port that they came from, whatever the topology.
	answers bool
	// burst returns the function that moves one burst of a stream and reports
	// whether there was a packet. One poller calls it; it does not wait and does not
	// allocate.
	burst func(*stream, *plan) func() bool
}

// modes returns all modes, io first.
func modes() []mode {
	return []mode{
		{name: "io", receives: true, transmits: true, burst: newIO},
		{name: "mac", receives: true, transmits: true, burst: newMAC},
		{name: "macswap", receives: true, transmits: true, burst: newMACSwap},
		{name: "rxonly", receives: true, burst: newRxOnly},
		{name: "txonly", transmits: true, everyRound: true, burst: newTxOnly},
		{name: "flowgen", receives: true, transmits: true, everyRound: true, burst: newFlowGen},
		{name: "csum", receives: true, transmits: true, burst: newCsum},
		{name: "icmpecho", receives: true, transmits: true, answers: true, burst: newICMPEcho},
		{name: "5tswap", receives: true, transmits: true, burst: newFiveTupleSwap},
		{name: "noisy", receives: true, transmits: true, burst: newNoisy},
	}
}

func modeNames() string {
	var names []string
	for _, m := range modes() {
		names = append(names, m.name)
	}
	return strings.Join(names, ", ")
}

func modeOf(name string) (*mode, error) {
	for _, m := range modes() {
		if strings.EqualFold(m.name, name) {
			return &m, nil
		}
	}
	return nil, &command.UsageError{Option: "forward-mode", Value: name, Reason: "no such mode",
		Remedy: "the modes are " + modeNames()}
}

// packets returns the number of packets that the cycles of a mode are divided by.
func (m *mode) packets(s driver.Stats) uint64 {
	if m.everyRound {
		return s.TxPackets
	}
	return s.RxPackets
}

// onlyFlow returns the UDP flow of txonly: that of the command line, or one from the addresses
// that RFC 2544 sets aside for measuring, on the discard port.
func onlyFlow(s *stream, p *plan, length int) frame.UDP {
	f := frame.UDP{
		Dst: s.peer, Src: s.out.MAC(), Len: length,
		SrcIP: netip.AddrFrom4([4]byte{198, 18, 0, 1}), DstIP: netip.AddrFrom4([4]byte{198, 18, 0, 2}),
		SrcPort: 9, DstPort: 9,
	}
	if p.txIP[0].IsValid() {
		f.SrcIP, f.DstIP = p.txIP[0], p.txIP[1]
	}
	if p.txUDP[0] != 0 {
		f.SrcPort, f.DstPort = p.txUDP[0], p.txUDP[1]
	}
	return f
}
