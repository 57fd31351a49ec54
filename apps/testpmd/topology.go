package main

import (
	"net"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/frame"
	"github.com/virtio-pmd/virtio-pmd/driver"
)

// The ways to pair ports: 0 with 1 and 2 with 3; each with the next one; each with itself.
const (
	paired  = "paired"
	chained = "chained"
	loop    = "loop"
)

// forwarding returns the numbers of the ports that take part: those that were chosen, or all that
// are open.
func (p *plan) forwarding(ports []*driver.Port) []int {
	var list []int
	if p.chosen != nil {
		for _, i := range p.chosen {
			if i < len(ports) && ports[i] != nil {
				list = append(list, i)
			}
		}
		return list
	}
	for i := range ports {
		if ports[i] != nil {
			list = append(list, i)
		}
	}
	return list
}

// pairs returns by which port the packets of each one leave.
func (p *plan) pairs(ports []int) map[int]int {
	to := map[int]int{}
	for i, port := range ports {
		other := i ^ 1
		switch {
		case p.topology == loop || p.mode.answers:
			other = i
		case p.topology == chained:
			other = (i + 1) % len(ports)
		case other >= len(ports):
			other = i
		}
		to[port] = ports[other]
	}
	return to
}

// peer returns the address that packets are sent to by a port.
func (p *plan) peer(port int) net.HardwareAddr {
	if mac := p.peers[port]; mac != nil {
		return slices.Clone(mac)
	}
	return frame.Peer(port)
}

// pollers returns how many of the pollers that there could be are used.
func (p *plan) pollers(most int) int {
	if p.cores == 0 {
		return most
	}
	return min(p.cores, most)
}
