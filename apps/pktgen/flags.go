package main

import "github.com/urfave/cli/v2"

// Defaults of options.
const (
	defaultRate    = "100kpps"
	defaultLatency = "1kpps"
)

// flags are the options of pktgen beside the common ones.
func flags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "rate", Value: defaultRate,
			Usage: "`RATE` of each port: 1Mpps, 10Gbps (layer 1), 9.5GbpsL2, 50% of --line-rate, or max"},
		&cli.StringFlag{Name: "line-rate", DefaultText: "none is assumed",
			Usage: "`RATE` of the link, which % is of and no rate may exceed: 10Gbps"},
		&cli.StringFlag{Name: "pattern", Value: "continuous",
			Usage: "`PATTERN`: how packets follow each other: continuous, poisson, burst:PACKETS or " +
				"multi-burst:PACKETS:COUNT:GAP, like multi-burst:32:1000:1ms"},
		&cli.StringFlag{Name: "size", Value: "60",
			Usage: "`SIZE`: bytes of a frame without FCS: 60, 60-1514, 60-1514+64, imix, imix 60:7,590:4,1514:1, " +
				"genome aafg, and random behind it"},
		&cli.StringFlag{Name: "sizes",
			Usage: "`LIST` of sizes, of which each is measured by itself, for --duration: rfc2544 or 60,1514"},
		&cli.IntFlag{Name: "flows", Value: 1, Usage: "`N` flows that packets belong to in turn: up to 64512 differ in " +
			"their source ports, more in their source addresses"},
		&cli.BoolFlag{Name: "ipv6", Usage: "send IPv6"},
		&cli.StringFlag{Name: "l4", Value: "udp", Usage: "`PROTOCOL`: udp, tcp or icmp"},
		&cli.StringFlag{Name: "vlan", Usage: "`ID` of a VLAN tag, or of two: 100 or 100,200"},
		&cli.StringFlag{Name: "dst-mac", Usage: "destination `ADDRESS`", DefaultText: "that of the port where it is to arrive"},
		&cli.StringFlag{Name: "src-mac", Usage: "source `ADDRESS`", DefaultText: "that of the port"},
		&cli.StringFlag{Name: "src-ip", Usage: "source `ADDRESS`", DefaultText: "198.18.0.1 or 2001:2::1"},
		&cli.StringFlag{Name: "dst-ip", Usage: "destination `ADDRESS`", DefaultText: "198.19.0.1 or 2001:2:0:1::1"},
		&cli.IntFlag{Name: "src-port", Value: 1024, Usage: "source `PORT` of the first flow"},
		&cli.IntFlag{Name: "dst-port", Value: 9, Usage: "destination `PORT`"},
		&cli.StringFlag{Name: "payload", Value: "counter",
			Usage: "`WHAT` follows the headers: counter, zeros, random, text TEXT, hex BYTES or keep"},
		&cli.StringFlag{Name: "scenario", Usage: "YAML `FILE` of streams, in place of the options above: help scenario"},
		&cli.StringFlag{Name: "latency", Value: defaultLatency,
			Usage: "`RATE` of the stream beside the load whose latency is measured, 0 for none"},
		&cli.BoolFlag{Name: "one-way", Usage: "only the first port of each pair sends"},
		&cli.BoolFlag{Name: "verify", Usage: "check checksums, lengths and payload of what is received"},
		&cli.StringFlag{Name: "max-loss", Usage: "fail if the `SHARE` of lost packets is larger: 0, 0.1%, 0.001"},
		&cli.StringFlag{Name: "max-p99", Usage: "fail if 99 % of latencies are not within `TIME`: 50us"},
		&cli.StringSliceFlag{Name: "report",
			Usage: "write the report to `FILE`, whose name ends in .html, .json or .csv; may be repeated"},
		&cli.StringFlag{Name: "search",
			Usage: "`PRESETS` of RFC 9971 searches for the throughput, done together: rfc2544, tst009, csit-ndr, " +
				"csit-pdr; and mrr, the receive rate at --max-rate: help search"},
		&cli.StringFlag{Name: "max-rate", DefaultText: "what the ports send",
			Usage: "`RATE` of each port that a search does not exceed"},
		&cli.StringFlag{Name: "min-rate", Value: "1kpps", Usage: "`RATE` of each port below which a search does not look"},
		&cli.StringFlag{Name: "trial-duration", DefaultText: "that of the preset",
			Usage: "`TIME` of a search's full-length trials; its other times change with it"},
		&cli.IntFlag{Name: "repeat", Value: 1, Usage: "`N` searches of each size, whose spread the report shows"},
		&cli.BoolFlag{Name: "latency-at-load", Usage: "after a search, measure latency at 10, 50 and 90 % of the rate found"},
		&cli.BoolFlag{Name: "loss-curve", Usage: "measure loss from --max-rate downwards, as RFC 2544, 26.3 does"},
		&cli.IntFlag{Name: "back-to-back", Usage: "search `N` times for the longest burst without loss, as RFC 9004 does"},
		&cli.BoolFlag{Name: "self-test", Value: true,
			Usage: "measure the latency, and for a search the rate, of pktgen itself over a cable first; --self-test=false saves the time"},
		&cli.StringFlag{Name: "topology", Usage: "`WORDS` for the report: what is between the ports, like pvp"},
		&cli.StringFlag{Name: "dut", Usage: "`WORDS` for the report: what is tested, with its version"},
		&cli.BoolFlag{Name: "dry-run", Usage: "print packets of each stream, and open no port"},
		&cli.StringFlag{Name: "write", Usage: "write the packets of --dry-run to `FILE`, pcap or pcapng"},
		&cli.IntFlag{Name: "packets", Value: 4, Usage: "`N` packets of each stream that --dry-run prints or writes"},
	}
}
