// Package devargs turns the text of a port, as a command line gives it, into
// an open [driver.Port]. It is the one package that knows every transport.
//
//	PORT = DEVICE { "," KEY "=" VALUE }
//
//	DEVICE                    what it is
//	[pci:]0000:00:03.0        a function bound to vfio-pci; domain 0 may be left out
//	vhost-user:SOCKET         a device behind a vhost-user socket: a switch, a
//	                          virtual machine
//	emu:gen                   a device in software that always has a frame to
//	                          receive
//	emu:null                  ... that drops what is sent
//	emu:loop                  ... that gives back what is sent
//	emu:cable=NAME            ... whose wire ends in the other port of that name
//	emu:tap=IFNAME            ... whose wire is a TAP interface of the kernel: the
//	                          link is up while that is, and the port ends when it is
//	                          deleted
//	emu:pcap=FILE             ... that plays the frames of a capture; FILE:RECORD
//	                          also records what is sent, :RECORD does only that.
//	                          FILE is pcap or pcapng, also with gzip, RECORD is pcap
//	emu:vhost=SOCKET          ... whose wire leads to another such device, behind a
//	                          vhost-user socket: a virtual machine, DPDK or another
//	                          process connects there and gets it
//
//	In SOCKET, NAME, FILE and RECORD a comma is written \, and a backslash before
//	one \\; in FILE a colon is written \: too. A shell wants quotes around that.
//
//	KEY                       VALUE
//	queues                    queue pairs to use, 1 to 32768
//	pairs                     how many of them the device uses at first, where a
//	                          program changes that; without it all
//	rx_queue_size,            descriptors of a receive and of a transmit queue, 1 to
//	tx_queue_size             32768; a split ring has a power of two
//	packed, mrg_rxbuf,        0 refuses the feature, 1 (default) allows it: it is
//	in_order, event_idx,      used if the device offers it, as a device in software
//	indirect, announce        does
//	mac                       address of the port, when the device has none or
//	                          another is wanted; a device with a control queue
//	                          receives by it
//	mtu                       largest payload of a frame, 68 to 65535
//	promisc, allmulti         1: receive every packet, every multicast packet; 0:
//	                          those for the port's addresses only. Without the key
//	                          the device does as it likes
//	mac_filter                unicast and multicast addresses whose packets the
//	                          device lets through beside those for the port's own,
//	                          as 02:00:00:00:00:05+33:33:00:00:00:01; give promisc=0
//	                          as well
//	vlan                      IDs of the VLANs whose packets the device lets through
//	                          beside untagged ones, as 100 or 100+200. In
//	                          promiscuous mode, in which most devices begin, it lets
//	                          all through: give promisc=0 as well
//	rss                       packets that are spread over the queues by a hash of
//	                          their flow: all, or some of ip, tcp, udp, ipv4,
//	                          ipv4-tcp, ipv4-udp, ipv6, ipv6-tcp, ipv6-udp, ipv6-ex,
//	                          ipv6-tcp-ex, ipv6-udp-ex, joined by +
//	rss_key                   key of that hash in hexadecimal; without it a random
//	                          one
//	rss_table                 queues of the entries of its table, whose number is a
//	                          power of two, as 0+0+1+2; without it all queues in
//	                          turn
//	hash                      1: the device reports the hash with each packet
//	inner_hash                tunnels inside which the hash is computed, so that the
//	                          flows in one are told apart: all, or some of gre,
//	                          gre-2784, gre-2890, gre-7676, gre-udp, vxlan,
//	                          vxlan-gpe, geneve, ipip, nvgre, joined by +
//	csum                      1: the device completes checksums of what is sent and
//	                          checks those of what is received; tx or rx: one of
//	                          both
//	tso, uso                  1: the device cuts long TCP segments, or UDP messages,
//	                          that a program sends
//	lro                       1: the device may deliver TCP segments, and UDP
//	                          messages if it can, joined to longer ones
//	rsc                       1: as lro=1, for TCP, and the device says of how many
//	                          segments it has made a packet
//	intr                      1: a goroutine can sleep until the device interrupts,
//	                          as with l2fwd --adaptive
//	coalesce                  packets/time after which the device interrupts at the
//	                          latest, as 32/50us
//	record_limit              bytes that emu:pcap= records at most, also like 100M
//	                          or 10G; later frames are not recorded
//	loss, reorder, duplicate  percentage of the frames that come out of emu:cable=
//	                          or emu:loop at this port that are lost, leave after
//	                          the next one, leave twice: 0.1. It is random, and the
//	                          same in each run
//	delay, jitter             how long each of them takes, 50us or 1ms, and how much
//	                          longer or shorter at most
//	noiommu                   1: work without an IOMMU, where nothing confines the
//	                          device
//	server                    1: listen at the socket, where vhost-user: waits for
//	                          the back end; 0: connect to a peer that listens there.
//	                          The default is 0 with vhost-user: and 1 with
//	                          emu:vhost=; other ports have no socket and refuse the
//	                          key
//	server_timeout            how long vhost-user: with server=1 waits for its first
//	                          back end: 30s, 5m, or a number of seconds; without it
//	                          there is no limit
//	socket_mode               permissions of a socket that is listened on, 0660;
//	                          connecting takes write permission
//	socket_group              and its group: a name or a number
//
//	A feature with the value 1 is not required: packed=1 on a device without packed
//	rings opens a port with split ones. The port's Path, which the commands print,
//	says which it has, and of what is missing whether it was refused or is not
//	offered. What promisc, allmulti, mac_filter, vlan, rss, hash, inner_hash, csum,
//	tso, uso, lro, rsc, intr and coalesce ask for is required: if the device or the
//	transport cannot do it, the port is not opened.
//
// # Errors
//
// An invalid text is an [*Error]. If the device cannot be opened, the error is that
// of the package that found out: sysfs if no function has the address, vfio if the
// function is not bound or there is no IOMMU, vpci if it is not a modern virtio device,
// and driver if the device does not support the size of a queue.
package devargs
