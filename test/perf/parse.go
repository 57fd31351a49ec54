package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// summary is what dpdk-testpmd prints when it ends.
type summary struct {
	RxPackets, TxPackets, TxDropped uint64  // of all ports
	CyclesPerPacket                 float64 // 0 if not recorded
	RxBursts                        uint64  // 0 if not recorded
	EmptyShare                      float64 // of RxBursts, 0 to 1
}

var (
	summaryStart  = regexp.MustCompile(`\+ Accumulated forward statistics for all ports\+`)
	summaryRx     = regexp.MustCompile(`(?m)^  RX-packets: (\d+) +RX-dropped: (\d+) +RX-total: (\d+)`)
	summaryTx     = regexp.MustCompile(`(?m)^  TX-packets: (\d+) +TX-dropped: (\d+) +TX-total: (\d+)`)
	summaryCycles = regexp.MustCompile(`CPU cycles/packet=([0-9.]+) \(`)
	summaryBursts = regexp.MustCompile(`(?m)^  RX-bursts : (\d+) \[(.*)\]`)
	burstShare    = regexp.MustCompile(`(\d+)% of 0 pkts`)
)

// parseSummary reads the summary at the end of what dpdk-testpmd wrote. A
// *parseError says that it has none, as when it was killed.
func parseSummary(text string) (summary, error) {
	at := summaryStart.FindStringIndex(text)
	if at == nil {
		return summary{}, &parseError{"dpdk-testpmd",
			"no accumulated forward statistics", tail(text)}
	}
	rx, tx := summaryRx.FindStringSubmatch(text[at[1]:]), summaryTx.FindStringSubmatch(text[at[1]:])
	if rx == nil || tx == nil {
		return summary{}, &parseError{"dpdk-testpmd",
			"no totals of packets in the summary", tail(text)}
	}
	s := summary{RxPackets: number(rx[1]), TxPackets: number(tx[1]), TxDropped: number(tx[2])}
	if m := summaryCycles.FindStringSubmatch(text); m != nil {
		s.CyclesPerPacket, _ = strconv.ParseFloat(m[1], 64) // the pattern lets numbers in
	}
	if m := summaryBursts.FindStringSubmatch(text); m != nil {
		s.RxBursts = number(m[1])
		if share := burstShare.FindStringSubmatch(m[2]); share != nil {
			s.EmptyShare = float64(number(share[1])) / 100
		}
	}
	return s, nil
}

// screenCounters reads the last screen of this project's commands: the packets
// received and sent by all ports. ok is false if there is no complete screen.
func screenCounters(text string) (rx, tx uint64, ok bool) {
	for _, m := range screenLine.FindAllStringSubmatch(text, -1) {
		if m[1] == "RX" {
			rx = number(m[2])
		} else {
			tx, ok = number(m[2]), true
		}
	}
	return rx, tx, ok
}

var screenLine = regexp.MustCompile(`(?m)^ +(RX|TX)-packets: (\d+) .*\n`)

// number reads digits that a pattern let in.
func number(digits string) uint64 {
	n, _ := strconv.ParseUint(digits, 10, 64)
	return n
}

// tail is the end of a program's output, for a message.
func tail(text string) string {
	const most = 2000
	text = strings.TrimSpace(text)
	if len(text) > most {
		text = "..." + text[len(text)-most:]
	}
	return text
}

// parseError says that a program's output is not what it was to be.
type parseError struct {
	program string
	reason  string
	output  string // the end of it
}

func (e *parseError) Error() string {
	return fmt.Sprintf("%s: %s; its output ends:\n%s", e.program, e.reason, e.output)
}
