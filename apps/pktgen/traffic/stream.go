package traffic

// Stream describes packets that are alike: their headers, what varies in them from
// packet to packet, their sizes, and how they are sent. [Stream.Compile] makes a
// [Program] of it.
type Stream struct {
	Name    string    `yaml:"name" json:"name,omitempty" doc:"name of the stream in reports"`
	Port    int       `yaml:"port" json:"port" max:"255" doc:"number of the port that sends it, from 0 in the order of the command line"`
	Rate    string    `yaml:"rate" json:"rate,omitempty" doc:"how fast: 100kpps, 10Gbps, 9.5GbpsL2, 50%, max; missing: what --rate says"`
	Pattern Pattern   `yaml:"pattern" json:"pattern" doc:"how packets follow one another"`
	Packet  Layers    `yaml:"packet" json:"packet,omitempty" doc:"the headers, outermost first"`
	Replay  *Playback `yaml:"replay" json:"replay,omitempty" doc:"a capture file whose frames are sent; it stands in place of packet, size, payload, fields and track"`
	Size    Size      `yaml:"size" json:"size" default:"60" doc:"bytes of a frame without FCS"`
	Payload Payload   `yaml:"payload" json:"payload" default:"counter" doc:"what follows the headers"`
	Fields  []Field   `yaml:"fields" json:"fields,omitempty" doc:"what varies from packet to packet"`
	Track   Track     `yaml:"track" json:"track" default:"auto" oneof:"auto true false" doc:"packets carry a signature, by which loss, reordering and duplicates are counted; auto: if they have room"`
	Latency bool      `yaml:"latency" json:"latency" doc:"the receiver measures how long each packet took; the stream is to be slow"`
}

// Track is how the packets of a stream are counted: by a signature in them, or by port.
type Track uint8

const (
	// TrackAuto: they carry one if the smallest of them has room for it.
	TrackAuto Track = iota
	// TrackOn: they carry one; a stream whose packets have no room is an error.
	TrackOn
	// TrackOff: they carry none, and are counted by port only.
	TrackOff
)

// Options is what a stream is compiled for.
type Options struct {
	// ID is the number of the stream in the signatures of its packets. A stream that
	// several queues send has one for each of them.
	ID uint16
	// Queue is added to the seeds of random fields and sizes, so that the queues of a
	// stream do not send the same packets.
	Queue int
	// MaxLen is the longest frame that the port sends, without FCS; 0: 65,549 bytes,
	// which is the longest IPv4 packet.
	MaxLen int
}

// maxFrame is the longest frame there is: an Ethernet header and the longest IPv4 packet.
const maxFrame = 14 + 65535

// MinFrame is the shortest frame, without FCS.
const MinFrame = 60

// portFlows is how many flows differ in their source ports, from 1024 on. More differ in
// their source addresses.
const portFlows = 1<<16 - 1024

// Flows returns a stream of UDP packets of one size that belong to the given number of
// flows, in turn. Up to 64,512 differ in their source ports, 1024 and up, and more, up to
// 16,777,214, in their source addresses, 10.0.0.1 and up. Other addresses are those that
// are set aside for benchmarks.
func Flows(size, flows int) *Stream {
	s := &Stream{
		Name:   "udp",
		Packet: Layers{Default[Ethernet](), Default[IPv4](), Default[UDP]()},
		Size:   FixedSize(size),
	}
	switch {
	case flows > portFlows:
		s.Fields = []Field{{Name: "ipv4.src", Op: Increment, Min: "10.0.0.1", Count: uint64(flows)}}
	case flows > 1:
		s.Fields = []Field{{Name: "udp.src", Op: Increment, Min: "1024", Count: uint64(flows)}}
	}
	return s
}
