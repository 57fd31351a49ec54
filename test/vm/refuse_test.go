package vm

import (
	"strings"
	"testing"
)

// testRefusesUnbound has l2fwd refuse functions that it cannot have, before
// anything is bound.
func (g *guest) testRefusesUnbound(t *testing.T, id string) {
	g.refuses(t, []string{g.nics[id].address, "virtio-pci", "devbind bind"},
		g.command(nil, ports("", id))...)
	// no function, and no virtio one
	for _, address := range []string{"0000:7f:00.0", "0000:00:00.0"} {
		g.refuses(t, []string{address}, "/bin/l2fwd", g.port(address))
	}
}

// testRefusesShortage has l2fwd refuse to work without enough memory: with no
// hugepages reserved, and with one too few to be of use.
func (g *guest) testRefusesShortage(t *testing.T, id string) {
	const reserved = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
	before := strings.TrimSpace(g.must(t, "/init", "cat", reserved))
	for _, few := range []string{"0", "1"} {
		g.must(t, "/init", "put", reserved, few)
		g.refuses(t, []string{"hugepages", "nr_hugepages"}, g.command(nil, ports("", id))...)
	}
	g.must(t, "/init", "put", reserved, before)
}

// testRefusesMemlock has l2fwd refuse to work when it may not lock its memory.
func (g *guest) testRefusesMemlock(t *testing.T, id string) {
	g.refuses(t, []string{"65536", "ulimit -l"},
		append([]string{"/init", "limit", "65536"}, g.command(nil, ports("", id))...)...)
}

// testRefusesGroup has l2fwd refuse a function while another of its IOMMU
// group is with a driver of the kernel, and take it when that has gone too.
func (g *guest) testRefusesGroup(t *testing.T, a, b string) {
	g.bind(t, a)
	g.refuses(t, []string{g.nics[a].address, g.nics[b].address, "virtio-pci", "devbind bind " +
		g.nics[b].address}, g.command(nil, ports("", a))...)
	g.bind(t, b)
	f := g.l2fwd(t, nil, ports("", a)) // an odd port sends to itself
	f.exchange(t, f.stream(0, 0, 200))
	f.stop(t)
}
