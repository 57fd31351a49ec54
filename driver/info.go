package driver

import (
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// Info describes a port: its device, what was negotiated with it, and its virtqueues. It is
// for people who look for a fault, and for logs; [Info.Fprint] prints it as a page.
type Info struct {
	Name      string `json:"name"`      // as [Port.Name] returns it
	Transport string `json:"transport"` // "PCI" or "vhost-user"
	// Details are what the transport says about itself.
	Details []transport.Detail `json:"details,omitempty"`
	// State is "running", "recovering", which includes waiting for a back end, or why the
	// port ended.
	State string `json:"state"`

	// DeviceStatus is the device status as it was read for this Info, DriverStatus as the
	// driver wrote it last (2.1).
	DeviceStatus virtio.Status `json:"device_status"`
	DriverStatus virtio.Status `json:"driver_status"`
	// Unread says why the status and the configuration could not be read, "" if they were.
	Unread string `json:"unread,omitempty"`

	// Features are those that the device offers or the configuration asks for, in the order
	// of their bits.
	Features []FeatureInfo `json:"features"`
	Path     Path          `json:"path"`
	Link     Link          `json:"link"`
	MAC      string        `json:"mac"`
	MTU      int           `json:"mtu"`
	Pairs    int           `json:"queue_pairs"`     // in use
	MaxPairs int           `json:"max_queue_pairs"` // that the device has, as far as that was read
	// Config are the fields of the device configuration that the device has, by the features
	// that it offers (5.1.4).
	Config []ConfigField `json:"config"`
	// Settings is what the application has set, as far as a port does not begin with it:
	// receive modes, filters, RSS, offloads.
	Settings []ConfigField `json:"settings,omitempty"`
	Pool     PoolInfo      `json:"pool"`
	Queues   []QueueInfo   `json:"queues"` // in the order of their virtqueues
}

// FeatureInfo is a feature bit of one device.
type FeatureInfo struct {
	Feature    virtio.Feature `json:"name"`
	Bit        int            `json:"bit"`
	Offered    bool           `json:"offered"`    // by the device
	Wanted     bool           `json:"wanted"`     // by the driver and the configuration
	Negotiated bool           `json:"negotiated"` // accepted
	Reason     string         `json:"reason"`     // why it was not accepted, or what it is for
}

// ConfigField is a field of the device configuration, or a setting.
type ConfigField struct {
	Name  string `json:"name"` // of a field as the specification has it: "max_virtqueue_pairs"
	Value string `json:"value"`
}

// PoolInfo describes the pool that received packets go to.
type PoolInfo struct {
	Buffers  int `json:"buffers"`
	DataRoom int `json:"data_room"` // bytes
	Free     int `json:"free"`      // counts cached buffers as of their last flush
}

// QueueInfo describes a virtqueue.
type QueueInfo struct {
	Virtqueue int    `json:"virtqueue"`
	Name      string `json:"name"` // "rx 0", "tx 0" or "control"
	// State is "in use", or in words why the queue is not: it was stopped, or its pair is not
	// active.
	State string `json:"state"`
	// Size is in descriptors. It is 0, like what follows, while the queue has no ring: the
	// port is being recovered or was closed.
	Size   int    `json:"size"`
	Format string `json:"format"` // "split" or "packed"
	// Vector is the MSI-X vector, -1 for none.
	Vector int `json:"vector"`
	// DescriptorArea, DriverArea and DeviceArea are the device addresses of the parts of the
	// ring (2.7, 2.8).
	DescriptorArea uint64 `json:"descriptor_area"`
	DriverArea     uint64 `json:"driver_area"`
	DeviceArea     uint64 `json:"device_area"`
	Kicks          uint64 `json:"kicks"`            // notifications sent
	Suppressed     uint64 `json:"kicks_suppressed"` // notifications that the device did not ask for
	Posted         int    `json:"posted"`           // buffers that the device has
	Broken         string `json:"broken,omitempty"` // why the queue stopped, "" while it works
	// Positions is nil without a ring, and if its poller stays inside a burst for as long as
	// Info waits: its thread has lost the CPU.
	Positions *RingPositions `json:"positions,omitempty"`
	// Descriptors are there if [Port.Inspect] was called.
	Descriptors []Descriptor `json:"descriptors,omitempty"`
}

// RingPositions says where the driver and the device are in a ring.
//
// On a split ring Avail and Used are the free-running indices up to which the driver has
// made buffers available, and up to which it has taken used ones back; DeviceUsed is the
// index that the device has published. On a packed ring Avail and Used are the descriptors
// where the driver makes the next buffer available and expects the next used one, each
// with its wrap counter, and there is no DeviceUsed.
type RingPositions struct {
	Avail      uint16 `json:"avail"`
	Used       uint16 `json:"used"`
	AvailWrap  bool   `json:"avail_wrap"`
	UsedWrap   bool   `json:"used_wrap"`
	DeviceUsed uint16 `json:"device_used"`
	InUse      int    `json:"in_use"` // descriptors that the device has, a table counted as one

	// What each side asks of the other (2.7.7, 2.8.14): on a split ring flags, whose lowest
	// bit asks not to be notified, and with EVENT_IDX the index at which to notify; on a
	// packed ring 0 for ENABLE, 1 for DISABLE, or 2 for DESC, with a descriptor and its wrap
	// counter.
	DriverFlags uint16 `json:"driver_flags"`
	DriverEvent uint16 `json:"driver_event"`
	DriverWrap  bool   `json:"driver_wrap"`
	DeviceFlags uint16 `json:"device_flags"`
	DeviceEvent uint16 `json:"device_event"`
	DeviceWrap  bool   `json:"device_wrap"`
}

// Descriptor is a descriptor of a ring as it reads (2.7.5, 2.8.13).
type Descriptor struct {
	Address uint64 `json:"address"`
	Len     uint32 `json:"len"`
	Flags   uint16 `json:"flags"`
	ID      uint16 `json:"id"` // of the next descriptor on a split ring, of the buffer on a packed one
}

// Info returns what the port is and how it is set up. It may be called from any goroutine,
// also while packets flow. It reads the device status and configuration, which takes as
// long as the transport takes, and for a moment each queue in turn takes and gives
// nothing, so that its positions can be read.
func (p *Port) Info() Info { return p.inspect(false) }

// Inspect is [Port.Info] with the descriptors of all rings. A queue stands still for some
// microseconds longer.
func (p *Port) Inspect() Info { return p.inspect(true) }

func (p *Port) inspect(descriptors bool) Info {
	info := p.device.info(descriptors)
	p.device.service.resume() // a sleeper that found a gate closed would sleep without an interrupt
	info.Link, info.Path, info.Settings = p.Link(), p.Path(), p.settingsInfo()
	if err := p.Err(); err != nil {
		info.State = err.Error()
	}
	return info
}

// info returns what the device knows.
func (d *device) info(descriptors bool) Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.current.Load()
	info := Info{
		Name: d.name, DriverStatus: d.status, MAC: n.mac.String(), MTU: n.mtu,
		Pairs: n.pairs, MaxPairs: n.maxPairs, Features: d.featureInfo(n), State: "recovering",
		Pool: PoolInfo{Buffers: d.pool.Size(), DataRoom: d.pool.DataRoom(), Free: d.pool.Free()},
	}
	if t, ok := d.t.(transport.Describer); ok {
		info.Transport, info.Details = t.Describe()
	}
	d.gateMu.Lock()
	if d.gatesOpen {
		info.State = "running"
	}
	d.gateMu.Unlock()
	var err error
	if info.DeviceStatus, err = d.t.Status(); err == nil {
		info.Config, err = readConfigFields(d.t, n.offered)
	}
	if err != nil {
		info.Unread = err.Error()
	}
	for i := range d.rx {
		info.Queues = append(info.Queues, d.rx[i].info(d, i, descriptors), d.tx[i].info(d, i, descriptors))
	}
	if d.ctrl != nil && !d.closed {
		info.Queues = append(info.Queues, d.controlInfo(descriptors))
	}
	return info
}

// pollerLimit is how long Info waits for a poller to leave its burst. A burst takes
// microseconds, unless its thread lost the CPU.
const pollerLimit = 10 * time.Millisecond
