package devargs

import (
	"fmt"
	"strings"
)

// Topic is something of a port that is explained: a device, or keys.
type Topic struct {
	Words []string // as they are written
	Help  string
}

// devices are the devices of ports. An emulated one needs an argument if its word has one.
var devices = []Topic{
	{[]string{"[pci:]0000:00:03.0"}, "a function bound to vfio-pci; domain 0 may be left out"},
	{[]string{"vhost-user:SOCKET"}, "a device behind a vhost-user socket: a switch, a virtual machine"},
	{[]string{"emu:gen"}, "a device in software that always has a frame to receive"},
	{[]string{"emu:null"}, "... that drops what is sent"},
	{[]string{"emu:loop"}, "... that gives back what is sent"},
	{[]string{"emu:cable=NAME"}, "... whose wire ends in the other port of that name"},
	{[]string{"emu:tap=IFNAME"}, "... whose wire is a TAP interface of the kernel: the link is up while that is, and " +
		"the port ends when it is deleted"},
	{[]string{"emu:pcap=FILE"}, "... that plays the frames of a capture; FILE:RECORD also records what is sent, " +
		":RECORD does only that. FILE is pcap or pcapng, also with gzip, RECORD is pcap"},
	{[]string{"emu:vhost=SOCKET"}, "... whose wire leads to another such device, behind a vhost-user socket: a virtual " +
		"machine, DPDK or another process connects there and gets it"},
}

// Devices explains the devices of ports.
func Devices() []Topic { return devices }

// KeyTopics explains the keys of ports, those together that belong together.
func KeyTopics() []Topic {
	var list []Topic
	for _, g := range keyGroups {
		t := Topic{Help: g.help}
		for _, k := range g.keys {
			t.Words = append(t.Words, k.name)
		}
		list = append(list, t)
	}
	return list
}

const (
	grammarHead = `PORT = DEVICE { "," KEY "=" VALUE }`

	quoting = `In SOCKET, NAME, FILE and RECORD a comma is written \, and a backslash before
one \\; in FILE a colon is written \: too. A shell wants quotes around that.`

	defaults = `A feature with the value 1 is not required: packed=1 on a device without packed
rings opens a port with split ones. The port's Path, which the commands print,
says which it has, and of what is missing whether it was refused or is not
offered. What promisc, allmulti, mac_filter, vlan, rss, hash, inner_hash, csum,
tso, uso, lro, rsc, intr and coalesce ask for is required: if the device or the
transport cannot do it, the port is not opened.`
)

// The columns of an explanation.
const (
	helpIndent = 26
	helpWidth  = 80
)

// Grammar returns the grammar of a port, for a command that explains its ports. The package
// comment has the same.
func Grammar() string {
	var b strings.Builder
	b.WriteString(grammarHead + "\n\n")
	writeTopic(&b, Topic{[]string{"DEVICE"}, "what it is"})
	for _, d := range devices {
		writeTopic(&b, d)
	}
	b.WriteString("\n" + quoting + "\n\n")
	writeTopic(&b, Topic{[]string{"KEY"}, "VALUE"})
	for _, k := range KeyTopics() {
		writeTopic(&b, k)
	}
	b.WriteString("\n" + defaults + "\n")
	return b.String()
}

// writeTopic writes a topic in two columns.
func writeTopic(b *strings.Builder, t Topic) {
	left := fold(strings.Join(t.Words, ", "), helpIndent-1)
	right := fold(t.Help, helpWidth-helpIndent)
	for i := range max(len(left), len(right)) {
		var l, r string
		if i < len(left) {
			l = left[i]
		}
		if i < len(right) {
			r = right[i]
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s%s", helpIndent, l, r), " ") + "\n")
	}
}

// fold breaks words into lines of at most width bytes, unless a word is longer.
func fold(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		if last := len(lines) - 1; last >= 0 && len(lines[last])+1+len(word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}
