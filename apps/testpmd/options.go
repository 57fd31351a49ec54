package main

import (
	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
)

// option is one option of the command. Those of dpdk-testpmd 22.11 are all here: some are
// accepted and have no effect, some are refused.
type option struct {
	name, alias string
	arg         string // names the value, "" if there is none
	usage       string
	ignored     string // why it is accepted and has no effect
	refused     string // why it is not accepted; and what to use instead
}

const (
	noThresholds = "a virtio queue has no such register"
	noHairpin    = "a virtio device has no hairpin queues; use two ports and --forward-mode io"
	noSplit      = "a virtio device does not split packets; mrg_rxbuf=1 spreads long ones over buffers"
	noFlowTable  = "a virtio device has no flow table"
)

// options are the options of testpmd beside those that all commands have.
var options = []option{
	{name: "interactive", alias: "i", usage: "read commands: a prompt on a terminal, lines from a pipe or a file"},
	{name: "cmdline-file", arg: "FILE", usage: "commands that are carried out before the first is read"},
	{name: "auto-start", alias: "a", usage: "start forwarding before the first command is read"},
	{name: "tx-first", arg: "N", usage: "bursts of txonly's packets that every transmit queue sends first"},
	{name: "forward-mode", arg: "MODE", usage: "what is done with packets: " + modeNames()},
	{name: "txpkts", arg: "LENGTH", usage: "length of the packets that are made, or of each of their segments: 64 or 64,128"},
	{name: "record-core-cycles", usage: "count the CPU cycles of bursts, shown for each packet at the end"},
	{name: "record-burst-stats", usage: "count the lengths of bursts"},
	{name: "nb-cores", arg: "N", usage: "how many of the CPUs poll"},
	{name: "nb-ports", arg: "N", usage: "how many of the ports take part, from the first on"},
	{name: "coremask", arg: "MASK", usage: "which of the CPUs poll, hexadecimal"},
	{name: "portmask", arg: "MASK", usage: "which ports take part, hexadecimal"},
	{name: "portlist", arg: "LIST", usage: "which ports take part, like 0,2"},
	{name: "port-topology", arg: "HOW", usage: "paired (0 with 1), chained (each to the next) or loop (each to itself)"},
	{name: "eth-peer", arg: "PORT,MAC", usage: "where mac and txonly send the packets of a port"},
	{name: "eth-peers-configfile", arg: "FILE", usage: "a file with such an address for each port, a line each"},
	{name: "rxq", arg: "N", usage: "receive queues of each port"},
	{name: "txq", arg: "N", usage: "transmit queues of each port"},
	{name: "rxd", arg: "N", usage: "descriptors of a receive queue"},
	{name: "txd", arg: "N", usage: "descriptors of a transmit queue"},
	{name: "total-num-mbufs", arg: "N", usage: "packet buffers, as --pool-size; more if the rings need them"},
	{name: "mbuf-size", arg: "BYTES", usage: "size of a packet buffer, with 128 bytes of headroom"},
	{name: "max-pkt-len", arg: "BYTES", usage: "longest frame of the ports: their mtu=, with 18 bytes of headers"},
	{name: "no-flush-rx", usage: "keep what was received before the start"},
	{name: "txonly-multi-flow", usage: "txonly makes packets of many flows"},
	{name: "tx-ip", arg: "SRC,DST", usage: "IPv4 addresses of the packets of txonly"},
	{name: "tx-udp", arg: "SRC[,DST]", usage: "ports of the packets of txonly"},
	{name: "flowgen-flows", arg: "N", usage: "flows of flowgen, 1024 unless given"},
	{name: "display-xstats", arg: "NAME,...", usage: "extended statistics that are shown behind those of a port"},
	{name: "disable-device-start", usage: "ports are stopped at first: port start starts them"},
	{name: "enable-lro", usage: "large receive: lro=1 for every port"},
	{name: "enable-rx-cksum", usage: "the device checks checksums of what is received: csum=rx for every port"},
	{name: "enable-hw-vlan-strip", usage: "take VLAN tags out of received packets"},
	{name: "rss-ip", usage: "spread packets by their IP addresses: rss=ip for every port; with -i, for those whose device can"},
	{name: "rss-udp", usage: "... and ports of UDP: rss=ip+udp"},
	{name: "enable-hw-vlan-filter", usage: "filter VLAN tags, from the start on: vlan set filter on for every port; see rx_vlan add"},
	{name: "tx-offloads", arg: "MASK", usage: "offloads of DPDK for all transmit queues: csum=, tso= and uso= of the ports"},
	{name: "rx-offloads", arg: "MASK", usage: "offloads of DPDK for all receive queues: csum=, lro= and hash= of the ports"},
	{name: "noisy-tx-sw-buffer-size", arg: "N", usage: "packets that noisy holds back"},
	{name: "noisy-tx-sw-buffer-flushtime", arg: "MS", usage: "for how long at most, in milliseconds; 0 for no limit"},
	{name: "noisy-lkup-memory", arg: "MB", usage: "memory that noisy reads and writes"},
	{name: "noisy-lkup-num-writes", arg: "N", usage: "writes of noisy for each packet"},
	{name: "noisy-lkup-num-reads", arg: "N", usage: "reads of noisy for each packet"},
	{name: "noisy-lkup-num-reads-writes", arg: "N", usage: "reads of noisy for each packet that are followed by a write"},
	{name: "disable-rss", usage: "no RSS", ignored: "a port without rss= leaves it to the device"},
	{name: "enable-hw-vlan", usage: "filter, strip and extend VLAN tags", refused: "a virtio device has no extended VLAN; use --enable-hw-vlan-strip and --enable-hw-vlan-filter"},
	{name: "disable-link-check", usage: "do not wait for links", ignored: "no start waits for a link"},
	{name: "numa", usage: "memory near the devices", ignored: "memory is taken near the devices"},
	{name: "no-numa", usage: "memory of any node", ignored: "memory is taken near the devices"},
	{name: "port-numa-config", arg: "LIST", usage: "nodes of ports", ignored: "memory is taken near the devices"},
	{name: "ring-numa-config", arg: "LIST", usage: "nodes of rings", ignored: "memory is taken near the devices"},
	{name: "socket-num", arg: "N", usage: "node of all memory", ignored: "memory is taken near the devices"},
	{name: "num-procs", arg: "N", usage: "processes", refused: "a port belongs to one process; start one testpmd with all ports"},
	{name: "proc-id", arg: "N", usage: "which process", refused: "a port belongs to one process; start one testpmd with all ports"},
	{name: "disable-crc-strip", usage: "keep the checksum of frames", refused: "a virtio device strips it; leave the option out"},
	{name: "enable-scatter", usage: "long packets take several buffers", ignored: "mrg_rxbuf=1 does that by default"},
	{name: "enable-rx-timestamp", usage: "time stamps", refused: "a virtio device has none; pktgen measures latency"},
	{name: "enable-hw-vlan-extend", usage: "extended VLAN", refused: "a virtio device has no such mode; leave the option out"},
	{name: "enable-hw-qinq-strip", usage: "strip QinQ", refused: "a virtio device has no such mode; leave the option out"},
	{name: "enable-drop-en", usage: "drop packets of full queues", ignored: "a full receive queue does not hold up the others"},
	{name: "max-lro-pkt-size", arg: "BYTES", usage: "longest packet of large receive", ignored: "it has no limit but 64 KiB"},
	{name: "rss-level-inner", usage: "hash of inner headers", refused: "the hash is that of the outer headers; leave the option out"},
	{name: "rss-level-outer", usage: "hash of outer headers", ignored: "it always is"},
	{name: "hairpinq", arg: "N", usage: "hairpin queues", refused: noHairpin},
	{name: "hairpin-mode", arg: "MODE", usage: "mode of hairpin queues", refused: noHairpin},
	{name: "flowgen-clones", arg: "N", usage: "copies of flowgen", ignored: "every packet of flowgen is made"},
	{name: "mbcache", arg: "N", usage: "buffers in a cache", ignored: "a cache has 256"},
	{name: "rxpt", arg: "N", usage: "prefetch threshold", ignored: noThresholds},
	{name: "rxht", arg: "N", usage: "host threshold", ignored: noThresholds},
	{name: "rxwt", arg: "N", usage: "write-back threshold", ignored: noThresholds},
	{name: "rxfreet", arg: "N", usage: "free threshold", ignored: "queues are refilled at each burst"},
	{name: "txpt", arg: "N", usage: "prefetch threshold", ignored: noThresholds},
	{name: "txht", arg: "N", usage: "host threshold", ignored: noThresholds},
	{name: "txwt", arg: "N", usage: "write-back threshold", ignored: noThresholds},
	{name: "txfreet", arg: "N", usage: "free threshold", ignored: "what was sent is freed when many are"},
	{name: "txrst", arg: "N", usage: "RS bit threshold", ignored: noThresholds},
	{name: "rxoffs", arg: "LIST", usage: "offsets of split packets", refused: noSplit},
	{name: "rxpkts", arg: "LIST", usage: "sizes of split packets", refused: noSplit},
	{name: "rxhdrs", arg: "LIST", usage: "headers of split packets", refused: noSplit},
	{name: "multi-rx-mempool", usage: "several pools", refused: "a port receives into one pool; leave the option out"},
	{name: "eth-link-speed", arg: "MBPS", usage: "speed of the link", refused: "the speed of a virtio link cannot be set; leave the option out"},
	{name: "rxq-share", arg: "[N]", usage: "queues of several ports in one", refused: "a receive queue belongs to one port; leave the option out"},
	{name: "no-lsc-interrupt", usage: "no interrupt for links", ignored: "the link is asked for as well"},
	{name: "no-rmv-interrupt", usage: "no interrupt for removal", ignored: "a device that is gone is noticed without"},
	{name: "bitrate-stats", arg: "CORE", usage: "a core for bit rates", ignored: "Rx-bps and Tx-bps are always there"},
	{name: "latencystats", arg: "CORE", usage: "a core for latency", refused: "forwarding adds no time stamps; pktgen measures latency"},
	{name: "print-event", arg: "EVENT", usage: "events that are shown", ignored: "all are, at the log level of messages"},
	{name: "mask-event", arg: "EVENT", usage: "events that are not shown", ignored: "--log-level error hides them"},
	{name: "flow-isolate-all", usage: "isolated flows", refused: noFlowTable + "; leave the option out"},
	{name: "hot-plug", usage: "notice devices that come and go", ignored: "a device that goes is noticed; port attach adds one"},
	{name: "vxlan-gpe-port", arg: "N", usage: "port of a tunnel", ignored: "tunnels are not looked into"},
	{name: "geneve-parsed-port", arg: "N", usage: "port of a tunnel", ignored: "tunnels are not looked into"},
	{name: "mlockall", usage: "lock memory", ignored: "buffers and rings are locked anyway"},
	{name: "no-mlockall", usage: "do not lock memory", ignored: "buffers and rings are locked anyway"},
	{name: "mp-alloc", arg: "HOW", usage: "how pools are allocated", ignored: "--no-huge chooses ordinary pages"},
	{name: "no-iova-contig", usage: "pools in pieces", ignored: "there is no need for contiguous memory"},
	{name: "rx-mq-mode", arg: "MASK", usage: "modes of several queues", ignored: "the modes of a virtio device are automatic and RSS"},
}

// flags returns the options as flags of the command line. Those that have no effect or are
// refused are not in its help: testpmd help dpdk lists them.
func flags() []cli.Flag {
	var list []cli.Flag
	for _, o := range options {
		hidden := o.ignored != "" || o.refused != ""
		var aliases []string
		if o.alias != "" {
			aliases = []string{o.alias}
		}
		if o.arg == "" {
			list = append(list, &cli.BoolFlag{Name: o.name, Aliases: aliases, Usage: o.usage, Hidden: hidden})
			continue
		}
		list = append(list, &cli.StringFlag{Name: o.name, Aliases: aliases, Usage: "`" + o.arg + "`: " + o.usage, Hidden: hidden})
	}
	return list
}

// sleepFlags are those of l2fwd about sleeping.
func sleepFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "adaptive", Usage: "have pollers sleep until a device interrupts while no packets " +
			"come, instead of using a whole CPU each (intr=1 for every port)"},
		command.TimeFlag("idle", lcore.DefaultIdle, "without packets after which a poller sleeps with --adaptive, 0 for never"),
	}
}
