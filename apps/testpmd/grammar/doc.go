// Package grammar describes the commands of a prompt by their forms, and reads lines, completes
// words and lists help by them.
//
// A form is written as people know it from DPDK's testpmd:
//
//	set burst N
//	show port (info|stats|xstats) (PORT|all)
//	start [tx_first [N]]
//	set raw_encap ...
//
// A word stands for itself, one in capitals for a value of that [Kind], parentheses for one of
// several, brackets for what may be left out at the end, and "..." for any further words.
package grammar
