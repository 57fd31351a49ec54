package dpdk

import (
	"maps"
	"slices"
	"strings"
)

// port is the text of a port that is put together from a device of DPDK.
type port struct {
	line         *Line
	option, text string   // what it is made of
	device       string   // "vhost-user:/run/vm0.sock"
	more         []string // "packed=1"
	values       map[string]string
}

// String returns the text of the port.
func (p *port) String() string { return strings.Join(append([]string{p.device}, p.more...), ",") }

func (p *port) refuse(reason, remedy string) error {
	return Refuse(p.option, p.text, reason, remedy)
}

// key says what a key of a DPDK device becomes: key=value of a port, for each name in To. With
// no name it is left to the kind of device, which finds it in port.values, or is named in a
// note.
type key struct {
	To     []string
	Note   string // the key has no effect
	Inside bool   // the kind of device uses it
}

var (
	pciKeys = map[string]key{
		"vdpa": {Note: "there is no vDPA mode"}, "speed": {Note: "the device says its speed"},
		"vectorized": {Note: "the path is chosen by what was negotiated"},
	}
	virtioUserKeys = map[string]key{
		"path": {Inside: true}, "iface": {Inside: true}, "packed_vq": {Inside: true}, "mac": {To: []string{"mac"}},
		"queues": {To: []string{"queues"}}, "queue_size": {To: []string{"rx_queue_size", "tx_queue_size"}},
		"server": {To: []string{"server"}}, "mrg_rxbuf": {To: []string{"mrg_rxbuf"}}, "in_order": {To: []string{"in_order"}},
		"cq": {Note: "vhost-user has no control queue"}, "speed": {Note: "the device says its speed"},
		"vectorized": {Note: "the path is chosen by what was negotiated"},
	}
	vhostKeys = map[string]key{
		"iface": {Inside: true}, "queues": {To: []string{"queues"}}, "client": {Inside: true},
		"iommu-support": {Note: "addresses are those of the front end's memory"}, "postcopy-support": {Note: "memory is mapped as a whole"},
		"linear-buffer": {Note: "long frames are chains"}, "ext-buffer": {Note: "long frames are chains"},
		"legacy-ol-flags": {Note: "there are no such flags"}, "tso": {Note: "the front end negotiates it"},
	}
	nullKeys = map[string]key{
		"size": {Inside: true}, "copy": {Note: "frames are written once"}, "no-rx": {Inside: true},
	}
	pcapKeys = map[string]key{
		"rx_pcap": {Inside: true}, "tx_pcap": {Inside: true}, "infinite_rx": {Inside: true},
		"rx_iface": {Inside: true}, "rx_iface_in": {Inside: true}, "tx_iface": {Inside: true}, "iface": {Inside: true},
		"phy_mac": {Note: "mac= sets an address"},
	}
	tapKeys = map[string]key{
		"iface": {Inside: true}, "mac": {Inside: true}, "remote": {Inside: true}, "persist": {Inside: true},
	}
	ringKeys = map[string]key{"nodeaction": {Note: "the frames that are sent come back"}}
)

// kinds are the virtual devices that have a counterpart, by their driver, with and without
// "net_".
var kinds = []struct {
	driver string
	keys   map[string]key
	make   func(*port) error
}{
	{"virtio_user", virtioUserKeys, (*port).virtioUser},
	{"vhost", vhostKeys, (*port).vhost},
	{"null", nullKeys, (*port).null},
	{"pcap", pcapKeys, (*port).pcap},
	{"tap", tapKeys, (*port).tap},
	{"ring", ringKeys, func(p *port) error { p.device = "emu:loop"; return nil }},
}

// others are virtual devices that have no counterpart.
var others = map[string]string{
	"af_packet": "use emu:tap=IFNAME, or a virtio function of the machine",
	"af_xdp":    "use emu:tap=IFNAME, or a virtio function of the machine",
	"bonding":   "use one port, or l2fwd with several",
	"memif":     "use vhost-user:SOCKET or emu:vhost=SOCKET, with a vhost-user device at the other end",
	"kni":       "use emu:tap=IFNAME",
	"failsafe":  "a port waits for its back end by itself",
	"softnic":   "there is no traffic management",
}

// device adds the port of a virtual device: net_virtio_user0,path=/run/vm0.sock,queues=2.
func (l *Line) device(text string) error {
	p, err := l.build(text)
	if err != nil {
		return err
	}
	return l.add(p)
}

// Device returns the port that a device of DPDK is: the address of a PCI function, or a virtual
// device. It reports false for a text that is neither.
func Device(text string) (port string, notes []string, ok bool, err error) {
	driver, _, _ := strings.Cut(text, ",")
	if kind(driver) < 0 && !strings.HasPrefix(driver, "net_") {
		return "", nil, false, nil
	}
	l := &Line{}
	err = l.device(text)
	return strings.Join(l.Ports, ""), l.Notes, true, err
}

// kind returns the place in kinds of a device, -1 if it has none there.
func kind(name string) int {
	name = strings.TrimPrefix(strings.TrimRight(name, "0123456789"), "net_")
	for i := range kinds {
		if kinds[i].driver == name || "eth_"+kinds[i].driver == name {
			return i
		}
	}
	return -1
}

func (l *Line) build(text string) (*port, error) {
	name, rest, _ := strings.Cut(text, ",")
	p := &port{line: l, option: "vdev", text: text}
	i := kind(name)
	if i < 0 {
		driver := strings.TrimPrefix(strings.TrimRight(name, "0123456789"), "net_")
		if remedy, known := others[driver]; known {
			return nil, p.refuse("there is no driver "+driver, remedy)
		}
		var names []string
		for _, k := range kinds {
			names = append(names, "net_"+k.driver)
		}
		return nil, p.refuse("there is no driver "+driver, "there are "+strings.Join(names, ", "))
	}
	if err := p.keys(rest, kinds[i].keys); err != nil {
		return nil, err
	}
	return p, kinds[i].make(p)
}

// keys reads key=value pairs, and translates those that have names here.
func (p *port) keys(text string, known map[string]key) error {
	p.values = map[string]string{}
	for field := range strings.SplitSeq(text, ",") {
		if field == "" {
			continue
		}
		name, value, has := strings.Cut(field, "=")
		k, ok := known[name]
		switch {
		case !ok || !has:
			return p.refuse(field+": unknown key", "the keys are "+strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case k.Inside:
			p.values[name] = value
		case k.Note != "":
			p.line.note("%s=%s has no effect: %s", name, value, k.Note)
		}
		for _, to := range k.To {
			p.more = append(p.more, to+"="+value)
		}
	}
	return nil
}

// escape writes a path as a port has it.
func escape(path string) string {
	return strings.NewReplacer(`\`, `\\`, ",", `\,`).Replace(path)
}

// virtioUser is a front end of vhost-user, or one of the kernel's back end, whose TAP interface
// the software device serves as well.
func (p *port) virtioUser() error {
	path, iface := p.values["path"], p.values["iface"]
	switch {
	case path == "":
		return p.refuse("path= is missing", "give the socket of the back end")
	case path == "/dev/vhost-net":
		if iface == "" {
			iface = "tap0"
		}
		p.device = "emu:tap=" + escape(iface)
		p.line.note("path=/dev/vhost-net: the interface %s is served by the software device", iface)
		p.more = slices.DeleteFunc(p.more, func(m string) bool { return strings.HasPrefix(m, "server=") })
	case strings.HasPrefix(path, "/dev/vhost-vdpa"):
		return p.refuse("this build has no vdpa transport", "use the function or the vhost-user socket of the device")
	default:
		p.device = "vhost-user:" + escape(path)
	}
	// Without packed_vq DPDK's driver does not offer to use a packed ring.
	packed := "0"
	if v, ok := p.values["packed_vq"]; ok {
		packed = v
	}
	p.more = append(p.more, "packed="+packed)
	return nil
}

// vhost is a back end, behind which DPDK is the device: what this end of the port sends, the
// front end receives.
func (p *port) vhost() error {
	path := p.values["iface"]
	if path == "" {
		return p.refuse("iface= is missing", "give the path of the socket")
	}
	p.device = "emu:vhost=" + escape(path)
	if p.values["client"] == "1" {
		p.more = append(p.more, "server=0")
	}
	return nil
}

func (p *port) null() error {
	p.device = "emu:gen"
	if p.values["no-rx"] == "1" {
		p.device = "emu:null"
	}
	if size := p.values["size"]; size != "" && size != "64" {
		p.line.note("size=%s has no effect: frames of emu:gen have 64 bytes", size)
	}
	return nil
}

func (p *port) tap() error {
	for _, name := range []string{"remote", "persist"} {
		if v, ok := p.values[name]; ok && v != "" {
			return p.refuse(name+"= is not served", "set the interface up with ip and name it: emu:tap=IFNAME")
		}
	}
	iface := p.values["iface"]
	if iface == "" {
		iface = "dtap" + strings.TrimLeft(strings.SplitN(p.text, ",", 2)[0], "abcdefghijklmnopqrstuvwxyz_")
	}
	p.device = "emu:tap=" + escape(iface)
	if mac := p.values["mac"]; mac != "" && mac != "fixed" {
		p.more = append(p.more, "mac="+mac)
	}
	return nil
}

func (p *port) pcap() error {
	for _, name := range []string{"rx_iface", "rx_iface_in", "tx_iface", "iface"} {
		if v, ok := p.values[name]; ok {
			return p.refuse(name+"="+v+": interfaces are not captured", "use emu:tap=IFNAME, or capture with tcpdump and play the file")
		}
	}
	if p.values["infinite_rx"] == "1" {
		return p.refuse("infinite_rx=1: a capture is played once", "use pktgen to repeat it")
	}
	rx, tx := p.values["rx_pcap"], p.values["tx_pcap"]
	if rx == "" && tx == "" {
		return p.refuse("neither rx_pcap= nor tx_pcap=", "give one of them")
	}
	colon := strings.NewReplacer(`\`, `\\`, ",", `\,`, ":", `\:`)
	p.device = "emu:pcap=" + colon.Replace(rx)
	if tx != "" {
		p.device += ":" + colon.Replace(tx)
	}
	return nil
}
