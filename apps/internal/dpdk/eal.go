package dpdk

import (
	"strings"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

const (
	memory    = "buffers are allocated as the ports need them"
	noEAL     = "there is no EAL"
	noProcess = "a port belongs to one process"
)

// eal is the options of the EAL of DPDK 22.11.
var eal = []Option{
	{Names: "c", Arg: "COREMASK", Usage: "cores as a hexadecimal mask: the first is the main one, the others poll",
		Set: func(l *Line, v string) error { return l.mask(v) }},
	{Names: "l", Arg: "CORELIST", Usage: "cores like 0,2-3: the first is the main one, the others poll",
		Set: func(l *Line, v string) error { return l.list(v) }},
	{Names: "lcores", Arg: "COREMAP", Usage: "cores on CPUs, like 0@0,1@2",
		Set: func(l *Line, v string) error { return l.coremap(v) }},
	{Names: "main-lcore", Arg: "ID", Usage: "which core is the main one, which does not poll",
		Set: func(l *Line, v string) error { return l.main(v) }},
	{Names: "s", Arg: "COREMASK", Usage: "service cores", Ignored: "there are no service cores"},
	{Names: "S", Arg: "CORELIST", Usage: "service cores", Ignored: "there are no service cores"},
	{Names: "vdev", Arg: "DEVICE", Usage: "a virtual device, such as net_virtio_user0,path=SOCKET",
		Set: func(l *Line, v string) error { return l.device(v) }},
	{Names: "allow a", Arg: "ADDRESS", Usage: "a PCI function that is bound to vfio-pci",
		Set: func(l *Line, v string) error { return l.allow(v) }},
	{Names: "block b", Arg: "ADDRESS", Usage: "a PCI function that is not used",
		Set: func(l *Line, v string) error { return l.block(v) }},
	{Names: "no-pci", Usage: "no PCI functions but those of --allow",
		Set: func(l *Line, _ string) error { l.NoPCI = true; return nil }},
	{Names: "no-huge", Usage: "ordinary pages instead of hugepages",
		Set: func(l *Line, _ string) error { l.Args = append(l.Args, "--no-huge"); return nil }},
	{Names: "log-level", Arg: "LEVEL", Usage: "level of messages, of all or like pmd.net.virtio:debug",
		Set: func(l *Line, v string) error { return l.logLevel(v) }},
	{Names: "help h", Usage: "this help", Set: func(l *Line, _ string) error { l.Args = append(l.Args, "--help"); return nil }},
	{Names: "v", Usage: "the version", Set: func(l *Line, _ string) error { l.ShowVersion = true; return nil }},
	{Names: "proc-type", Arg: "TYPE", Usage: "type of process: primary or auto", Set: func(_ *Line, v string) error {
		if v == "secondary" {
			return Refuse("proc-type", v, noProcess, "use primary or auto, and a port of its own")
		}
		return nil
	}},
	{Names: "iova-mode", Arg: "MODE", Usage: "va or pa", Set: func(_ *Line, v string) error {
		if v == "pa" {
			return Refuse("iova-mode", v, "devices are given addresses that the IOMMU translates",
				"leave it out; noiommu=1 on a port works without an IOMMU")
		}
		return nil
	}},
	{Names: "mbuf-pool-ops-name", Arg: "NAME", Usage: "implementation of pools", Ignored: "there is one"},
	{Names: "n", Arg: "CHANNELS", Usage: "channels of memory", Ignored: "buffers are laid out alike on any number of them"},
	{Names: "m", Arg: "MB", Usage: "memory", Ignored: memory},
	{Names: "r", Arg: "RANKS", Usage: "ranks of memory", Ignored: "buffers are laid out alike on any number of them"},
	{Names: "d", Arg: "LIB.so", Usage: "a driver to load", Ignored: "the drivers are built in"},
	{Names: "vmware-tsc-map", Usage: "another clock", Ignored: "the clock is that of the CPU"},
	{Names: "syslog", Arg: "FACILITY", Usage: "where messages go", Ignored: "messages go to standard error"},
	{Names: "trace", Arg: "REGEX", Usage: "what is traced", Ignored: "there are no trace points"},
	{Names: "trace-dir", Arg: "DIRECTORY", Usage: "where traces go", Ignored: "there are no trace points"},
	{Names: "trace-bufsz", Arg: "SIZE", Usage: "memory of traces", Ignored: "there are no trace points"},
	{Names: "trace-mode", Arg: "MODE", Usage: "what becomes of old traces", Ignored: "there are no trace points"},
	{Names: "in-memory", Usage: "no files in hugetlbfs", Ignored: "there never are any"},
	{Names: "base-virtaddr", Arg: "ADDRESS", Usage: "where memory is mapped", Ignored: noProcess},
	{Names: "telemetry", Usage: "a telemetry socket", Ignored: "--json prints the counters"},
	{Names: "no-telemetry", Usage: "no telemetry socket", Ignored: "there is none"},
	{Names: "force-max-simd-bitwidth", Arg: "BITS", Usage: "widest vector instructions", Ignored: "paths do not depend on it"},
	{Names: "huge-unlink", Arg: "[WHEN]", Usage: "when files in hugetlbfs are removed", Ignored: "there never are any"},
	{Names: "no-hpet", Usage: "no HPET", Ignored: "it is not used"},
	{Names: "no-shconf", Usage: "no shared configuration", Ignored: noProcess},
	{Names: "socket-mem", Arg: "MB,...", Usage: "memory of NUMA nodes", Ignored: memory + ", near their devices"},
	{Names: "socket-limit", Arg: "MB,...", Usage: "limit of memory of NUMA nodes", Ignored: memory},
	{Names: "huge-dir", Arg: "DIRECTORY", Usage: "where hugetlbfs is mounted", Ignored: "hugepages need no mount"},
	{Names: "file-prefix", Arg: "PREFIX", Usage: "prefix of files in hugetlbfs", Ignored: "there never are any"},
	{Names: "create-uio-dev", Usage: "make /dev/uioX", Ignored: "functions are bound to vfio-pci"},
	{Names: "vfio-intr", Arg: "MODE", Usage: "interrupts: legacy, msi or msix", Set: func(_ *Line, v string) error {
		if v != "msix" {
			return Refuse("vfio-intr", v, "a virtio device has MSI-X", "leave it out")
		}
		return nil
	}},
	{Names: "vfio-vf-token", Arg: "UUID", Usage: "token of a virtual function",
		Refused: "the token cannot be passed on; bind the physical function to a driver that needs none"},
	{Names: "legacy-mem", Usage: "memory at the start only", Ignored: memory},
	{Names: "single-file-segments", Usage: "one file for all hugepages", Ignored: "a pool is one mapping anyway"},
	{Names: "match-allocations", Usage: "free hugepages as allocated", Ignored: memory},
	{Names: "huge-worker-stack", Arg: "[KB]", Usage: "stacks in hugepages", Ignored: "stacks are Go's"},
}

// logLevel translates a level: a number from 1 to 8, or one of syslog's words, behind the name of
// what it is for.
func (l *Line) logLevel(v string) error {
	if strings.EqualFold(v, "help") {
		return Refuse("log-level", v, "there is one level for all messages", "use debug, info, warn or error")
	}
	level := v
	if i := strings.LastIndexAny(v, ":,"); i >= 0 {
		level = v[i+1:]
	}
	word := ""
	switch strings.ToLower(level) {
	case "8", "debug":
		word = "debug"
	case "7", "info", "6", "notice":
		word = "info"
	case "5", "warning", "warn":
		word = "warn"
	case "1", "emergency", "2", "alert", "3", "critical", "4", "error":
		word = "error"
	default:
		return Refuse("log-level", v, "no such level", "use 1 to 8, debug, info, notice, warning or error")
	}
	l.Args = append(l.Args, "--log-level", word)
	return nil
}

// allow adds the port of a PCI function. Keys of DPDK behind the address are translated.
func (l *Line) allow(text string) error {
	address, rest, _ := strings.Cut(text, ",")
	a, err := pci.ParseAddress(strings.TrimPrefix(address, "pci:"))
	if err != nil {
		return Refuse("allow", text, "not the address of a PCI function", "write it like 0000:00:03.0")
	}
	p := &port{line: l, option: "allow", text: text, device: a.String()}
	if err := p.keys(rest, pciKeys); err != nil {
		return err
	}
	l.PCI = true
	return l.add(p)
}

func (l *Line) block(text string) error {
	a, err := pci.ParseAddress(text)
	if err != nil {
		return Refuse("block", text, "not the address of a PCI function", "write it like 0000:00:03.0")
	}
	l.Blocked = append(l.Blocked, a)
	return nil
}
