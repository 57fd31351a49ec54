package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/dpdk"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/usage"
)

// dpdkOptions are the options of DPDK's l2fwd that are not written here as they are there.
type dpdkOptions struct {
	mask   []int // ports that take part
	queues int   // ports a core polls at most
	every  bool  // -P
}

func (o *dpdkOptions) table() []dpdk.Option {
	pass := func(name string) func(*dpdk.Line, string) error {
		return func(l *dpdk.Line, v string) error {
			l.Args = append(l.Args, strings.TrimSuffix(name+"="+v, "="))
			return nil
		}
	}
	return []dpdk.Option{
		{Names: "p", Arg: "PORTMASK", Usage: "ports that take part, hexadecimal", Set: func(_ *dpdk.Line, v string) (err error) {
			if o.mask, err = dpdk.Mask(v); err != nil {
				err = dpdk.Refuse("p", v, "not a hexadecimal mask of ports", "write it like 3, for the ports 0 and 1")
			}
			return err
		}},
		{Names: "q", Arg: "NQ", Usage: "ports that a core polls at most", Set: func(_ *dpdk.Line, v string) (err error) {
			if o.queues, err = strconv.Atoi(v); err != nil || o.queues < 1 || o.queues > 15 {
				err = dpdk.Refuse("q", v, "not between 1 and 15", "1 gives each port a core")
			}
			return err
		}},
		{Names: "T", Arg: "PERIOD", Usage: "seconds between two screens, 0 for none", Set: pass("--stats-period")},
		{Names: "P", Usage: "receive every packet, on PCI functions", Set: func(*dpdk.Line, string) error { o.every = true; return nil }},
		{Names: "mac-updating", Usage: "write addresses, as by default", Set: func(*dpdk.Line, string) error { return nil }},
		{Names: "no-mac-updating", Usage: "leave the addresses of packets as they are", Set: pass("--no-mac-updating")},
		{Names: "portmap", Arg: "PAIRS", Usage: "pairs of ports: (0,1)(2,3)", Set: pass("--portmap")},
		{Names: "duration", Arg: "TIME", Usage: "how long packets flow", Set: pass("--duration")},
		{Names: "json", Usage: "print one JSON object at the end", Set: pass("--json")},
	}
}

// queuesKey is the key of a port that says how many queues it has: here it has one pair.
var queuesKey = regexp.MustCompile(`,queues=[0-9]+`)

// fromDPDK makes a command line of DPDK's l2fwd one of this command. Another is returned as it
// is.
func fromDPDK(args []string, messages io.Writer) ([]string, error) {
	if !dpdk.Is(args[1:]) {
		return args, nil
	}
	before, behind := dpdk.Split(args[1:])
	line, err := dpdk.Parse(before)
	if err != nil {
		return args[:1], err
	}
	var o dpdkOptions
	if err := line.Options(o.table(), behind); err != nil {
		return args[:1], err
	}
	own := append([]string{args[0], "--stats-period=10"}, line.Args...)
	ports := line.AllPorts()
	if o.mask != nil {
		pairs, err := o.pairs(len(ports))
		if err != nil {
			return args[:1], err
		}
		if !slices.ContainsFunc(own, func(a string) bool { return strings.HasPrefix(a, "--portmap=") }) {
			own = append(own, "--portmap="+pairs)
		}
	}
	if cpus := line.AllCPUs(); len(cpus) > 0 {
		polling := len(cpus)
		if o.queues > 0 {
			polling = min(polling, max((len(ports)+o.queues-1)/o.queues, 1))
		}
		own = append(own, "--cpus="+strings.Trim(strings.ReplaceAll(fmt.Sprint(cpus[:polling]), " ", ","), "[]"))
	}
	for i := range ports {
		// With the other transports there is no filter that would have to be opened.
		if o.every && !strings.HasPrefix(ports[i], "emu:") && !strings.HasPrefix(ports[i], "vhost-user:") {
			ports[i] += ",promisc=1"
		}
		ports[i] = queuesKey.ReplaceAllString(ports[i], "") + ",queues=1"
	}
	for _, r := range line.Remarks() {
		fmt.Fprintf(messages, "l2fwd: %s\n", r)
	}
	return append(own, ports...), nil
}

// pairs pairs the ports of the mask in their order, an odd last one with itself.
func (o *dpdkOptions) pairs(ports int) (string, error) {
	text := ""
	for i := 0; i < len(o.mask); i += 2 {
		one, other := o.mask[i], o.mask[min(i+1, len(o.mask)-1)]
		if other >= ports {
			return "", dpdk.Refuse("p", fmt.Sprint(other), fmt.Sprintf("no port %d among the %d of the command line", other, ports), "leave out the bits of others")
		}
		text += fmt.Sprintf("(%d,%d)", one, other)
	}
	return text, nil
}

// dpdkHelp lists what of the command lines of DPDK's l2fwd is understood.
func dpdkHelp() string {
	var b strings.Builder
	b.WriteString("A command line of DPDK's l2fwd is understood: options of the EAL, then --, then\n")
	var o dpdkOptions
	for _, option := range o.table() {
		b.WriteString(usage.Entry(strings.TrimRight(option.Name()+" "+option.Arg, " "), option.Usage, usage.PageWidth))
	}
	b.WriteString("A port has one pair of queues, and the main core polls too, as there. Unlike\n" +
		"there ports are dealt to cores in turn, and counters are drawn in place.\n")
	dpdk.WriteHelp(&b)
	return b.String()
}
