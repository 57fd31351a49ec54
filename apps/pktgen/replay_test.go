package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/traffic"
)

// recordedFrames is how many frames the capture has that is replayed.
const recordedFrames = 10_000

// longGap is the least time between two frames that is compared, and tolerance the share
// that it may differ by.
const (
	longGap   = 100 * time.Microsecond
	tolerance = 0.05
)

// TestReplay: a capture of what a network carries leaves as it was captured, byte for byte,
// and with the distances in time that it has, as the device at the other end records it; and
// comes back through a loop.
func TestReplay(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "in.pcapng")
	scenario := filepath.Join(dir, "replay.yaml")
	writeCapture(t, file)
	text := "streams:\n  - name: capture\n    replay: {file: in.pcapng}\n"
	if err := os.WriteFile(scenario, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Run("recorded", func(t *testing.T) {
		const attempts = 6
		for n := 1; ; n++ {
			out := filepath.Join(dir, "out.pcap")
			waited := watchDelay(t)
			start := time.Now()
			r := reportOf(t, "--self-test=false", "--duration=2s", "--scenario", scenario, "emu:pcap=:"+out)
			busy := float64(waited()) / float64(time.Since(start))
			if r.Trials[0].Sent != recordedFrames {
				t.Fatalf("%d packets sent, and not %d", r.Trials[0].Sent, recordedFrames)
			}
			if n == 1 {
				sameFrames(t, file, out)
				sameByTshark(t, file, out)
			}
			if timed(t, file, out) || busy > mostBusy && n > 1 {
				return
			}
			if n == attempts {
				t.Fatalf("in no attempt was half of the gaps within %.0f %%", 100*tolerance)
			}
		}
	})
	t.Run("loop", func(t *testing.T) {
		r := reportOf(t, "--self-test=false", "--duration=2s", "--scenario", scenario, "emu:loop")
		trial := &r.Trials[0]
		checkSums(t, trial)
		if p := trial.Ports[0]; trial.Sent != recordedFrames || p.RxPackets != recordedFrames || p.RxBytes != p.TxBytes || trial.Lost != 0 {
			t.Errorf("sent %d, lost %d: %+v", trial.Sent, trial.Lost, p)
		}
	})
}

// writeCapture writes a capture of mixed traffic: bursts, in which a few microseconds are
// between two frames, with pauses of up to a millisecond.
func writeCapture(t *testing.T, file string) {
	t.Helper()
	c, err := traffic.NewCapture(file)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(2544, 9))
	at := time.Unix(1_700_000_000, 123_456_789)
	for i := range recordedFrames {
		c.Add(at, mixedFrame(t, r, i))
		gap := time.Microsecond + rand.N(20*time.Microsecond)
		if r.IntN(5) == 0 {
			gap = longGap + time.Duration(r.Int64N(int64(900*time.Microsecond)))
		}
		at = at.Add(gap)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// mixedFrame returns frame i of mixed traffic.
func mixedFrame(t *testing.T, r *rand.Rand, i int) []byte {
	t.Helper()
	hosts := [2]net.HardwareAddr{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	ethernet := &layers.Ethernet{SrcMAC: hosts[i&1], DstMAC: hosts[i&1^1], EthernetType: layers.EthernetTypeIPv4}
	stack := []gopacket.SerializableLayer{ethernet}
	if r.IntN(8) == 0 {
		ethernet.EthernetType = layers.EthernetTypeDot1Q
		stack = append(stack, &layers.Dot1Q{VLANIdentifier: uint16(r.IntN(4095)), Priority: uint8(r.IntN(8)), Type: layers.EthernetTypeIPv4})
	}
	ipv4 := &layers.IPv4{Version: 4, TTL: 64, Id: uint16(i), SrcIP: net.IPv4(10, 0, byte(i>>8), byte(i)), DstIP: net.IPv4(10, 1, 0, byte(r.Uint32()))}
	payload := make(gopacket.Payload, r.IntN(1400))
	for i := range payload {
		payload[i] = byte(r.Uint32())
	}
	switch r.IntN(10) {
	case 0: // ARP, as short as a sender's own capture has it
		ethernet.EthernetType, stack = layers.EthernetTypeARP, stack[:1]
		stack = append(stack, &layers.ARP{AddrType: layers.LinkTypeEthernet, Protocol: layers.EthernetTypeIPv4, HwAddressSize: 6,
			ProtAddressSize: 4, Operation: 1, SourceHwAddress: hosts[0], SourceProtAddress: ipv4.SrcIP.To4(),
			DstHwAddress: make([]byte, 6), DstProtAddress: ipv4.DstIP.To4()})
	case 1, 2:
		ipv4.Protocol = layers.IPProtocolICMPv4
		stack = append(stack, ipv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: 7, Seq: uint16(i)}, payload)
	case 3, 4:
		ethernet.EthernetType, stack = layers.EthernetTypeIPv6, stack[:1]
		ipv6 := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolUDP, SrcIP: net.ParseIP("2001:db8::1"), DstIP: net.ParseIP("2001:db8::2")}
		udp := &layers.UDP{SrcPort: 5353, DstPort: layers.UDPPort(1024 + r.IntN(1000))}
		_ = udp.SetNetworkLayerForChecksum(ipv6)
		stack = append(stack, ipv6, udp, payload)
	case 5, 6, 7:
		ipv4.Protocol = layers.IPProtocolTCP
		tcp := &layers.TCP{SrcPort: 443, DstPort: layers.TCPPort(1024 + r.IntN(60000)), Seq: r.Uint32(), ACK: true, PSH: true, Window: 512}
		_ = tcp.SetNetworkLayerForChecksum(ipv4)
		stack = append(stack, ipv4, tcp, payload)
	default:
		ipv4.Protocol = layers.IPProtocolUDP
		udp := &layers.UDP{SrcPort: 4000, DstPort: layers.UDPPort(1024 + r.IntN(60000))}
		_ = udp.SetNetworkLayerForChecksum(ipv4)
		stack = append(stack, ipv4, udp, payload)
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(buffer.Bytes())
}

// packets reads a capture file by another implementation than pktgen's.
func packets(t *testing.T, file string) (frames [][]byte, times []time.Time) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var reader gopacket.PacketDataSource
	if strings.HasSuffix(file, ".pcapng") {
		reader, err = pcapgo.NewNgReader(f, pcapgo.DefaultNgReaderOptions)
	} else {
		reader, err = pcapgo.NewReader(f)
	}
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := reader.ReadPacketData()
		if err != nil {
			return frames, times
		}
		frames, times = append(frames, data), append(times, info.Timestamp)
	}
}

// sameFrames checks that two captures have the same frames.
func sameFrames(t *testing.T, in, out string) {
	t.Helper()
	want, _ := packets(t, in)
	got, _ := packets(t, out)
	if len(want) != recordedFrames || len(got) != recordedFrames {
		t.Fatalf("%d frames replayed, %d recorded", len(want), len(got))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("frame %d of %d bytes was recorded with %d bytes:\n%x\n%x", i+1, len(want[i]), len(got[i]), want[i], got[i])
		}
	}
}

// sameByTshark has tshark compare two captures: lengths, what it finds in the frames, and a
// digest of all their bytes.
func sameByTshark(t *testing.T, in, out string) {
	t.Helper()
	show := func(file string) []string {
		cmd := exec.Command("tshark", "-n", "-r", file, "-o", "frame.generate_md5_hash:TRUE", "-T", "fields",
			"-e", "frame.number", "-e", "frame.len", "-e", "frame.protocols", "-e", "frame.md5_hash", "-e", "_ws.malformed")
		text, err := cmd.Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		return strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	want, got := show(in), show(out)
	if len(want) != recordedFrames || len(got) != recordedFrames {
		t.Fatalf("tshark finds %d frames replayed, %d recorded", len(want), len(got))
	}
	kinds := map[string]int{}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("tshark:\n%s\n%s", want[i], got[i])
		}
		kinds[strings.Split(want[i], "\t")[2]]++
	}
	if len(kinds) < 8 {
		t.Errorf("tshark finds only %v", kinds)
	}
}

// mostBusy is the share of the time that the threads of this process may wait for a CPU. A
// machine that is busier can show that frames keep their order and are not early, and nothing
// more.
const mostBusy = 0.02

// timed compares the times between frames, where they are long enough, and reports whether
// at least half of them are within the tolerance.
func timed(t *testing.T, in, out string) bool {
	t.Helper()
	_, want := packets(t, in)
	_, got := packets(t, out)
	var errors []float64
	within := 0
	for i := 1; i < len(want); i++ {
		gap := want[i].Sub(want[i-1])
		if gap <= longGap {
			continue
		}
		e := float64(got[i].Sub(got[i-1])-gap) / float64(gap)
		if e = max(e, -e); e <= tolerance {
			within++
		}
		errors = append(errors, e)
	}
	slices.Sort(errors)
	median := errors[len(errors)/2]
	share := float64(within) / float64(len(errors))
	t.Logf("%d gaps over %v: %.1f %% within %.0f %%, median %.2f %% off",
		len(errors), longGap, 100*share, 100*tolerance, 100*median)
	length, played := want[len(want)-1].Sub(want[0]), got[len(got)-1].Sub(got[0])
	if played < length-length/20 {
		t.Errorf("%v were played in %v", length, played)
	}
	return median <= tolerance
}

// watchDelay returns a function that says for how long the threads of this process have
// waited for a CPU since, those that have ended included.
func watchDelay(t *testing.T) func() time.Duration {
	t.Helper()
	first := runDelays(t)
	last := maps.Clone(first)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			maps.Copy(last, runDelays(t))
			select {
			case <-over:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() (sum time.Duration) {
		close(over)
		<-ended
		for thread, waited := range last {
			sum += waited - first[thread]
		}
		return sum
	}
}

// runDelays returns for how long each thread of this process has waited for a CPU.
func runDelays(t *testing.T) map[string]time.Duration {
	t.Helper()
	files, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		t.Error(err)
	}
	delays := map[string]time.Duration{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		var ran, waited int64
		if n, _ := fmt.Sscan(string(text), &ran, &waited); n == 2 {
			delays[file] = time.Duration(waited)
		}
	}
	return delays
}
