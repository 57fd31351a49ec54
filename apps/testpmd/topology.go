package main

import (
	"fmt"
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

// paired reports whether ports are paired in their order.
func (p *plan) paired() bool {
	return p.topology != loop && p.topology != chained && !p.mode.answers
}

// peer returns the address that packets are sent to by a port.
func (p *plan) peer(port int) net.HardwareAddr {
	if mac := p.peers[port]; mac != nil {
		return slices.Clone(mac)
	}
	return frame.Peer(port)
}

// core returns how the core of a poller is called: as the command line does, or by its number,
// from 1, if the poller may run on any.
func (p *plan) core(i int) int {
	switch {
	case i < len(p.lcores):
		return p.lcores[i]
	case i < len(p.options.CPUs):
		return p.options.CPUs[i]
	}
	return i + 1
}

// useCores has pollers run on some of the cores that the command line gives, in this order.
func (p *plan) useCores(list []int) error {
	known := make([]int, len(p.options.CPUs))
	for i := range known {
		known[i] = p.core(i)
	}
	for _, core := range list {
		if !slices.Contains(known, core) {
			return fmt.Errorf("lcore %d is not one that forwards: the command line gives %s", core, words(known))
		}
	}
	rest := slices.DeleteFunc(slices.Clone(known), func(core int) bool { return slices.Contains(list, core) })
	order := slices.Concat(list, rest)
	cpus := make([]int, len(order))
	for i, core := range order {
		cpus[i] = p.options.CPUs[slices.Index(known, core)]
	}
	p.options.CPUs, p.lcores, p.cores = cpus, order, len(list)
	return nil
}

// pollers returns how many of the pollers that there could be are used.
func (p *plan) pollers(most int) int {
	if p.cores == 0 {
		return most
	}
	return min(p.cores, most)
}
