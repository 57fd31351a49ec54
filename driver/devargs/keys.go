package devargs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// key is a key of a port.
type key struct {
	name string
	// set reads a value into s.
	set func(s *Spec, key, value string) *Error
	// text returns the value that s has, "" if the key was not given.
	text func(s *Spec) string
	// controlled says that the key takes a control queue, which vhost-user has not.
	controlled bool
}

// keyGroup is keys that are explained together.
type keyGroup struct {
	keys []key
	help string
}

// keyGroups are all keys, in the order in which they are explained and written.
var keyGroups = []keyGroup{
	{[]key{numberKey("queues", func(s *Spec) *int { return &s.Queues }, 1, virtio.MaxQueuePairs,
		"use between 1 and what the device has")},
		"queue pairs to use, 1 to 32768"},
	{[]key{numberKey("pairs", func(s *Spec) *int { return &s.Pairs }, 1, virtio.MaxQueuePairs,
		"use between 1 and the number of queues")},
		"how many of them the device uses at first, where a program changes that; without it all"},
	{[]key{
		numberKey("rx_queue_size", func(s *Spec) *int { return &s.RxQueueSize }, 1, virtio.MaxQueueSize, sizeRemedy),
		numberKey("tx_queue_size", func(s *Spec) *int { return &s.TxQueueSize }, 1, virtio.MaxQueueSize, sizeRemedy)},
		"descriptors of a receive and of a transmit queue, 1 to 32768; a split ring has a power of two"},
	{[]key{
		switchKey("packed", virtio.RingPacked), switchKey("mrg_rxbuf", virtio.NetMrgRxbuf),
		switchKey("in_order", virtio.InOrder), switchKey("event_idx", virtio.RingEventIdx),
		switchKey("indirect", virtio.RingIndirectDesc), switchKey("announce", virtio.NetAnnounce)},
		"0 refuses the feature, 1 (default) allows it: it is used if the device offers it, as a device in " +
			"software does"},
	{[]key{{name: "mac", set: (*Spec).mac, text: func(s *Spec) string {
		if s.MAC == nil {
			return ""
		}
		return s.MAC.String()
	}}},
		"address of the port, when the device has none or another is wanted; a device with a control queue " +
			"receives by it"},
	{[]key{numberKey("mtu", func(s *Spec) *int { return &s.MTU }, virtio.MinMTU, 65535,
		"use 1500, or 9000 for jumbo frames")},
		"largest payload of a frame, 68 to 65535"},
	{[]key{
		settingKey("promisc", func(s *Spec) **bool { return &s.Promiscuous }),
		settingKey("allmulti", func(s *Spec) **bool { return &s.AllMulticast })},
		"1: receive every packet, every multicast packet; 0: those for the port's addresses only. Without " +
			"the key the device does as it likes"},
	{[]key{{name: "mac_filter", set: (*Spec).macs, text: (*Spec).macText, controlled: true}},
		"unicast and multicast addresses whose packets the device lets through beside those for the port's " +
			"own, as 02:00:00:00:00:05+33:33:00:00:00:01; give promisc=0 as well"},
	{[]key{{name: "vlan", set: (*Spec).vlans, text: (*Spec).vlanText, controlled: true}},
		"IDs of the VLANs whose packets the device lets through beside untagged ones, as 100 or 100+200. In " +
			"promiscuous mode, in which most devices begin, it lets all through: give promisc=0 as well"},
	{[]key{{name: "rss", set: (*Spec).rssTypes, text: (*Spec).rssText, controlled: true}},
		"packets that are spread over the queues by a hash of their flow: all, or some of ip, tcp, udp, ipv4, " +
			"ipv4-tcp, ipv4-udp, ipv6, ipv6-tcp, ipv6-udp, ipv6-ex, ipv6-tcp-ex, ipv6-udp-ex, joined by +"},
	{[]key{{name: "rss_key", set: (*Spec).rssKey, text: func(s *Spec) string { return hexText(s.RSSKey) }, controlled: true}},
		"key of that hash in hexadecimal; without it a random one"},
	{[]key{{name: "rss_table", set: (*Spec).rssTable, text: func(s *Spec) string { return joined(s.RSSTable) }, controlled: true}},
		"queues of the entries of its table, whose number is a power of two, as 0+0+1+2; without it all " +
			"queues in turn"},
	{[]key{flagKey("hash", func(s *Spec) *bool { return &s.Hash }, true)},
		"1: the device reports the hash with each packet"},
	{[]key{{name: "inner_hash", set: (*Spec).tunnels, text: (*Spec).tunnelText, controlled: true}},
		"tunnels inside which the hash is computed, so that the flows in one are told apart: all, or some of gre, " +
			"gre-2784, gre-2890, gre-7676, gre-udp, vxlan, vxlan-gpe, geneve, ipip, nvgre, joined by +"},
	{[]key{{name: "csum", set: (*Spec).csum, text: (*Spec).csumText}},
		"1: the device completes checksums of what is sent and checks those of what is received; tx or rx: " +
			"one of both"},
	{[]key{offloadKey("tso", TSO), offloadKey("uso", USO)},
		"1: the device cuts long TCP segments, or UDP messages, that a program sends"},
	{[]key{offloadKey("lro", LRO)},
		"1: the device may deliver TCP segments, and UDP messages if it can, joined to longer ones"},
	{[]key{offloadKey("rsc", RSC)},
		"1: as lro=1, for TCP, and the device says of how many segments it has made a packet"},
	{[]key{flagKey("intr", func(s *Spec) *bool { return &s.Interrupts }, false)},
		"1: a goroutine can sleep until the device interrupts, as with l2fwd --adaptive"},
	{[]key{{name: "coalesce", set: (*Spec).coalesce, text: (*Spec).coalesceText, controlled: true}},
		"packets/time after which the device interrupts at the latest, as 32/50us"},
	{[]key{{name: "record_limit", set: func(s *Spec, _, value string) *Error { return s.recordLimit(value) },
		text: func(s *Spec) string { return numberText(s.RecordLimit) }}},
		"bytes that emu:pcap= records at most, also like 100M or 10G; later frames are not recorded"},
	{[]key{
		percentageKey("loss", func(s *Spec) *float64 { return &s.Impair.Loss }),
		percentageKey("reorder", func(s *Spec) *float64 { return &s.Impair.Reorder }),
		percentageKey("duplicate", func(s *Spec) *float64 { return &s.Impair.Duplicate })},
		"percentage of the frames that come out of emu:cable= or emu:loop at this port that are lost, leave " +
			"after the next one, leave twice: 0.1. It is random, and the same in each run"},
	{[]key{
		delayKey("delay", func(s *Spec) *time.Duration { return &s.Impair.Delay }),
		delayKey("jitter", func(s *Spec) *time.Duration { return &s.Impair.Jitter })},
		"how long each of them takes, 50us or 1ms, and how much longer or shorter at most"},
	{[]key{flagKey("noiommu", func(s *Spec) *bool { return &s.NoIOMMU }, false)},
		"1: work without an IOMMU, where nothing confines the device"},
	{[]key{{name: "server", set: func(s *Spec, _, value string) *Error { return s.server(value) },
		text: (*Spec).serverText}},
		"1: listen at the socket, where vhost-user: waits for the back end; 0: connect to a peer that listens " +
			"there. The default is 0 with vhost-user: and 1 with emu:vhost=; other ports have no socket and " +
			"refuse the key"},
	{[]key{{name: "server_timeout", set: func(s *Spec, _, value string) *Error { return s.serverTimeout(value) },
		text: func(s *Spec) string { return spanText(s.ServerTimeout) }}},
		"how long vhost-user: with server=1 waits for its first back end: 30s, 5m, or a number of seconds; " +
			"without it there is no limit"},
	{[]key{{name: "socket_mode", set: func(s *Spec, _, value string) *Error { return s.socketMode(value) },
		text: (*Spec).socketModeText}},
		"permissions of a socket that is listened on, 0660; connecting takes write permission"},
	{[]key{{name: "socket_group", set: func(s *Spec, _, value string) *Error { return s.socketGroup(value) },
		text: func(s *Spec) string { return s.SocketGroup }}},
		"and its group: a name or a number"},
}

const sizeRemedy = "use 256 or 1024, or leave it out"

// keys yields all keys in their order.
func keys(yield func(key) bool) {
	for _, g := range keyGroups {
		for _, k := range g.keys {
			if !yield(k) {
				return
			}
		}
	}
}

// Keys names the keys of a port, in the order of the package comment.
func Keys() string { return strings.Join(keyNames(), ", ") }

func keyNames() (names []string) {
	for k := range keys {
		names = append(names, k.name)
	}
	return names
}

// set applies one key.
func (s *Spec) set(name, value string) *Error {
	for k := range keys {
		if k.name == name {
			return k.set(s, name, value)
		}
	}
	return unknownKey(name, value)
}

// checkControl refuses what takes a control queue for a port that has none.
func (s *Spec) checkControl() *Error {
	if s.Kind != VhostUser {
		return nil
	}
	for k := range keys {
		if value := k.text(s); k.controlled && value != "" {
			return &Error{Key: k.name, Value: value, Reason: "a vhost-user back end has no control queue for it",
				Remedy: "leave it out, or use a PCI port; what the back end passes on is settled there"}
		}
	}
	return nil
}

func numberKey(name string, field func(*Spec) *int, least, most int, remedy string) key {
	return key{name: name,
		set:  func(s *Spec, key, value string) *Error { return number(field(s), key, value, least, most, remedy) },
		text: func(s *Spec) string { return numberText(int64(*field(s))) }}
}

// switchKey allows or refuses a feature.
func switchKey(name string, f virtio.Feature) key {
	return key{name: name,
		set: func(s *Spec, key, value string) *Error { return s.feature(key, value, f) },
		text: func(s *Spec) string {
			switch {
			case s.Refuse.Has(f):
				return "0"
			case s.Allow.Has(f):
				return "1"
			}
			return ""
		}}
}

// flagKey is a key whose default is 0.
func flagKey(name string, field func(*Spec) *bool, controlled bool) key {
	return key{name: name, controlled: controlled,
		set: func(s *Spec, key, value string) (err *Error) {
			*field(s), err = flag(key, value)
			return err
		},
		text: func(s *Spec) string {
			if *field(s) {
				return "1"
			}
			return ""
		}}
}

// settingKey is a key that has no default: what is not given is left alone.
func settingKey(name string, field func(*Spec) **bool) key {
	return key{name: name, controlled: true,
		set: func(s *Spec, key, value string) *Error {
			on, err := flag(key, value)
			*field(s) = &on
			return err
		},
		text: func(s *Spec) string {
			switch on := *field(s); {
			case on == nil:
				return ""
			case *on:
				return "1"
			}
			return "0"
		}}
}

func percentageKey(name string, field func(*Spec) *float64) key {
	return key{name: name,
		set: func(s *Spec, key, value string) *Error { return percentage(field(s), key, value) },
		text: func(s *Spec) string {
			if *field(s) == 0 {
				return ""
			}
			return strconv.FormatFloat(*field(s), 'g', -1, 64)
		}}
}

func delayKey(name string, field func(*Spec) *time.Duration) key {
	return key{name: name,
		set:  func(s *Spec, key, value string) *Error { return delay(field(s), key, value) },
		text: func(s *Spec) string { return spanText(*field(s)) }}
}

func numberText(v int64) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatInt(v, 10)
}

func spanText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func joined(list []uint16) string {
	var words []string
	for _, v := range list {
		words = append(words, strconv.Itoa(int(v)))
	}
	return strings.Join(words, "+")
}

func hexText(b []byte) string { return fmt.Sprintf("%x", b) }
