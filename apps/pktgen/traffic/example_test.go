package traffic_test

import (
	"fmt"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// Packets of two flows, as bytes. A transmit queue has them written into its buffers by
// Fill.
func Example() {
	stream := &traffic.Stream{
		Name: "dns",
		Packet: traffic.Layers{
			traffic.Default[traffic.Ethernet](),
			traffic.VLAN{ID: 100},
			traffic.Default[traffic.IPv4](),
			traffic.UDP{Src: 2000, Dst: 53},
		},
		Size:   traffic.FixedSize(80),
		Fields: []traffic.Field{{Name: "udp.src", Op: traffic.Increment, Count: 2}},
	}
	program, err := stream.Compile(traffic.Options{ID: 7})
	if err != nil {
		fmt.Println(err)
		return
	}
	packet := make([]byte, program.MaxLen())
	for now := range int64(3) {
		n := program.Next(packet, now)
		signature, _ := traffic.ReadSignature(packet[:n])
		fmt.Printf("%d bytes, ports %x, %+v\n", n, packet[38:42], signature)
	}
	// Output:
	// 80 bytes, ports 07d00035, {Stream:7 Sequence:0 Time:0}
	// 80 bytes, ports 07d10035, {Stream:7 Sequence:1 Time:1}
	// 80 bytes, ports 07d00035, {Stream:7 Sequence:2 Time:2}
}

// What is wrong in a scenario is named with its place and a remedy.
func ExampleParse() {
	scenario := `
streams:
  - name: load
    rate: 1Mpps
    packet:
      - ethernet
      - vlan: {id: 5000}
      - arp
`
	_, err := traffic.Parse("load.yaml", []byte(scenario))
	fmt.Println(err)
	// Output:
	// load.yaml:7: streams[0].packet[1].vlan.id: 5000: not a number from 0 to 4095; use one
}
