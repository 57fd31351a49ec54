package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/internal/pollers"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/driver/lcore"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/vhostback"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// options are what a command line asks for, checked.
type options struct {
	socket       string
	client       bool
	socketMode   fs.FileMode // 0: what the umask leaves
	socketGroup  string
	state        string // the file; "": none
	backend, arg string
	raw          bool
	strict       bool
	queues       int
	size, mtu    int
	mac          net.HardwareAddr
	offloads     *devargs.Offload // nil: what suits the back end
	recordLimit  int64
	cpu          int // lcore.AnyCPU: none given

	command.Options // of these, what OutputFlags offers
}

const (
	// maxQueues is as many as the 8 bits for the number of a ring allow.
	maxQueues = 128
	minSize   = 60
	maxSize   = 65535
	// ringSize is the largest ring; the front end chooses what it uses.
	ringSize = virtio.MaxQueueSize
)

func read(c *cli.Context) (*options, error) {
	o := &options{
		socket: c.String("socket"), state: c.String("state"), client: c.Bool("client"), raw: c.Bool("raw"), strict: c.Bool("strict"),
		socketGroup: c.String("socket-group"), queues: c.Int("queues"), size: c.Int("size"), mtu: c.Int("mtu"),
	}
	o.XStats = c.Bool("xstats")
	if c.NArg() > 0 {
		return nil, &command.UsageError{Reason: fmt.Sprintf("%q is no option", c.Args().First())}
	}
	for _, err := range []error{
		o.readSocket(), o.readAccess(c.String("socket-mode")), o.readBackend(c.String("backend")),
		o.readRecordLimit(c.String("record-limit")), o.readMAC(c.String("mac")), o.readCPU(c.String("cpus")),
		o.readOffloads(c.String("offloads")),
		between("queues", o.queues, 1, maxQueues), between("size", o.size, minSize, maxSize),
		between("mtu", o.mtu, virtio.MinMTU, 65535), o.ReadOutput(c),
	} {
		if err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (o *options) readSocket() error {
	switch {
	case o.socket == "":
		return &command.UsageError{Reason: "no socket: give --socket PATH"}
	case o.state != "" && o.raw:
		return &command.UsageError{Option: "state", Value: o.state, Reason: "--raw keeps no positions",
			Remedy: "leave out one of them"}
	case o.strict && o.raw:
		return &command.UsageError{Reason: "--strict: --raw looks at no rules; leave out one of them"}
	}
	return nil
}

func (o *options) readAccess(mode string) error {
	if o.client && (mode != "" || o.socketGroup != "") {
		return &command.UsageError{Reason: "--socket-mode and --socket-group are those of a socket that " +
			"is listened on; leave them out with --client"}
	}
	if mode == "" {
		return nil
	}
	bits, err := strconv.ParseUint(mode, 8, 32)
	if err != nil || bits == 0 || bits > uint64(fs.ModePerm) {
		return &command.UsageError{Option: "socket-mode", Value: mode, Reason: "not permissions in octal",
			Remedy: "write 0660 for owner and group, or 0666 for every user"}
	}
	o.socketMode = fs.FileMode(bits)
	return nil
}

func (o *options) readBackend(text string) error {
	remedy := "give gen, null, loop, tap=IFNAME or pcap=FILE"
	if o.raw {
		remedy = "give gen or null, or leave out --raw"
	}
	bad := func(reason string) error {
		return &command.UsageError{Option: "backend", Value: text, Reason: reason, Remedy: remedy}
	}
	name, arg, takes := strings.Cut(text, "=")
	o.backend, o.arg = strings.ToLower(name), arg
	switch o.backend {
	case "gen", "null", "loop":
		if takes {
			return bad(o.backend + " takes no argument")
		}
	case "tap", "pcap":
		if o.arg == "" {
			return bad(o.backend + " needs an argument")
		}
	default:
		return bad("unknown back end")
	}
	if o.raw && o.backend != "gen" && o.backend != "null" {
		return bad("--raw has no such back end")
	}
	if _, err := devargs.Parse("emu:" + o.backend + text[len(name):]); err != nil && !strings.Contains(arg, ",") {
		return asUsage("backend", text, err) // with a comma it is not the text of a port
	}
	return nil
}

// readRecordLimit reads the bound of a recording as that of a port.
func (o *options) readRecordLimit(text string) error {
	if text == "" {
		return nil
	}
	port := "emu:null"
	if _, record := wire.CaptureFiles(o.arg); o.backend == "pcap" && record != "" {
		port = "emu:pcap=:recording"
	}
	spec, err := devargs.Parse(port + ",record_limit=" + text)
	if err != nil {
		return asUsage("record-limit", text, err)
	}
	o.recordLimit = spec.RecordLimit
	return nil
}

func (o *options) readMAC(text string) error {
	if text == "" {
		return nil
	}
	address, _, more := strings.Cut(text, ",")
	spec, err := devargs.Parse("emu:null,mac=" + address)
	switch {
	case err != nil:
		return asUsage("mac", text, err)
	case more:
		return &command.UsageError{Option: "mac", Value: text, Reason: "more than an address",
			Remedy: "write it like 02:00:00:00:00:01"}
	}
	o.mac = spec.MAC
	return nil
}

// asUsage makes the error about a part of a port one about an option.
func asUsage(option, text string, err error) error {
	e := &command.UsageError{Option: option, Value: text, Reason: err.Error(), Err: err}
	var part *devargs.Error
	if errors.As(err, &part) {
		e.Reason, e.Remedy = part.Reason, part.Remedy
	}
	return e
}

func (o *options) readCPU(text string) error {
	o.cpu = lcore.AnyCPU
	cpus, err := command.ParseCPUs(text)
	switch {
	case err != nil:
		return err
	case len(cpus) > 1:
		return &command.UsageError{Option: "cpus", Value: text, Reason: "the device is one goroutine",
			Remedy: "give one CPU"}
	case len(cpus) == 1:
		o.cpu = cpus[0]
	}
	return pollers.Check(cpus)
}

func between(option string, v, least, most int) error {
	if v < least || v > most {
		return &command.UsageError{Option: option, Value: strconv.Itoa(v), Reason: "out of range",
			Remedy: fmt.Sprintf("give %d to %d", least, most)}
	}
	return nil
}

// wire returns what the device's wire ends in.
func (o *options) wire() (vdev.Backend, error) {
	switch o.backend {
	case "gen":
		return wire.Gen(o.size), nil
	case "tap":
		return wire.TAP(o.arg)
	case "pcap":
		play, record := wire.CaptureFiles(o.arg)
		return wire.OpenCapture(wire.CaptureConfig{Play: play, Record: record,
			RecordLimit: o.recordLimit, Logger: o.Logger})
	case "null":
		return wire.Null(), nil
	}
	return wire.Loop(), nil
}

// config returns the configuration of the back end.
func (o *options) config() (vhostback.Config, error) {
	cfg := vhostback.Config{Client: o.client, SocketMode: o.socketMode, SocketGroup: o.socketGroup, StateFile: o.state,
		Logger: o.Logger, Stepped: o.cpu != lcore.AnyCPU,
		Device: vdev.Config{Pairs: o.queues, MTU: o.mtu, MAC: o.mac, QueueSize: ringSize, Hold: true}}
	if o.raw {
		cfg.Raw = &vhostback.RawConfig{Generate: o.backend == "gen", Size: o.size, Offloads: o.rawOffloads()}
		return cfg, nil
	}
	o.offer(&cfg.Device)
	var err error
	cfg.Device.Backend, err = o.wire()
	return cfg, err
}
