package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
)

// pair is two ports between which packets are forwarded, and what is to become of those
// that leave by the second.
type pair struct {
	name, in, out string
	sent          bool   // some are sent
	lost          string // a reason why some are not, as in the object; "" if all may be
	said          string // at the end, if none is sent
}

// pairs are the kinds of ports, in good health and with the faults that a port can have.
// Packets from the generator are of 64 bytes, those of the capture file of 200.
func pairs(capture, socket string) []pair {
	list := []pair{
		{name: "healthy", in: "emu:gen", out: "emu:null", sent: true},
		{name: "queues", in: "emu:gen,queues=3", out: "emu:null,queues=2", sent: true},
		{name: "split", in: "emu:gen,packed=0", out: "emu:loop,packed=0,mrg_rxbuf=0", sent: true},
		{name: "small ring", in: "emu:gen,rx_queue_size=512", out: "emu:null,tx_queue_size=8", sent: true, lost: "queue_full"},
		{name: "cable", in: "emu:gen", out: "emu:cable=a", sent: true},
		{name: "end of the cable", in: "emu:cable=a", out: "emu:null", sent: true},
		{name: "longer than the MTU", in: "emu:pcap=" + capture, out: "emu:null,mtu=100", lost: "length",
			said: "longer than the MTU of 100, or shorter than a header; give the port a larger mtu="},
		{name: "no peer", in: "emu:gen", out: "emu:vhost=" + socket, lost: "device", said: "were dropped by the device"},
	}
	if os.Getuid() == 0 { // the interface is made in a namespace, and is down
		list = append(list, pair{name: "interface down", in: "emu:gen", out: "emu:tap=down0", lost: "device",
			said: "emu:tap=down0: not one of"})
	}
	return list
}

// TestSums: in every mode, with every kind of port and with what can be wrong with it,
// what was to leave by a port was sent, dropped or refused, the reasons add up, the totals
// are the sums of the ports, and a port that sends nothing of it is an error that says
// why.
func TestSums(t *testing.T) {
	capture := filepath.Join(t.TempDir(), "long.pcap")
	recordFrames(t, capture, 200, 100)
	for _, m := range modes() {
		if m.answers {
			continue // it sends no more than what is asked for: see TestICMPEcho
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			pairs := pairs(capture, filepath.Join(t.TempDir(), "s"))
			args := []string{"--duration", "200ms", "--no-huge", "--forward-mode", m.name}
			if m.everyRound { // makes packets of its own
				args = append(args, "--txpkts", "200")
			}
			for _, p := range pairs {
				args = append(args, p.in, p.out)
			}
			o, status, stderr := runSums(t, args)
			checkTotal(t, o)
			forwards := m.receives && m.transmits && !m.everyRound
			for i, p := range pairs {
				in, out := o.Ports[2*i], o.Ports[2*i+1]
				for from, to := range map[*report.PortObject]*report.PortObject{&in: &out, &out: &in} {
					if unsent := to.TxDropped + to.TxErrors; forwards && from.RxPackets != to.TxPackets+unsent {
						t.Errorf("%s: %s received %d; %s sent %d, dropped %d and refused %d", p.name,
							from.Port, from.RxPackets, to.Port, to.TxPackets, to.TxDropped, to.TxErrors)
					}
				}
				if !forwards {
					continue
				}
				if sent := out.TxPackets > 0; sent != p.sent {
					t.Errorf("%s: %d packets were sent", p.name, out.TxPackets)
				}
				if p.lost != "" && reasons(t, out)[p.lost] == 0 {
					t.Errorf("%s: no packet is lost by reason of %s: %+v", p.name, p.lost, out.Unsent)
				}
				if p.said != "" && (status != 1 || !strings.Contains(stderr, p.said)) {
					t.Errorf("%s: status %d, and standard error lacks %q", p.name, status, p.said)
				}
			}
			if !m.transmits && (o.Total.TxPackets+o.Total.TxDropped+o.Total.TxErrors != 0 || status != 0) {
				t.Errorf("status %d, %+v sent", status, o.Total)
			}
		})
	}
}

// reasons returns why packets were not sent, by the names in the object.
func reasons(t *testing.T, p report.PortObject) map[string]uint64 {
	t.Helper()
	text, err := json.Marshal(p.Unsent)
	if err != nil {
		t.Fatal(err)
	}
	var list map[string]uint64
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// checkTotal checks that the totals are the sums of the ports, and that all packets that
// were not sent have a reason.
func checkTotal(t *testing.T, o report.Object) {
	t.Helper()
	var sum report.Totals
	for _, p := range o.Ports {
		var unsent uint64
		for _, n := range reasons(t, p) {
			unsent += n
		}
		if unsent != p.TxDropped+p.TxErrors {
			t.Errorf("%s: %d dropped, %d refused, %d with a reason", p.Port, p.TxDropped, p.TxErrors, unsent)
		}
		sum.RxPackets += p.RxPackets
		sum.RxBytes += p.RxBytes
		sum.RxErrors += p.RxErrors
		sum.TxPackets += p.TxPackets
		sum.TxBytes += p.TxBytes
		sum.TxDropped += p.TxDropped
		sum.TxErrors += p.TxErrors
	}
	total := o.Total
	got := fmt.Sprint(total.RxPackets, total.RxBytes, total.RxErrors, total.TxPackets, total.TxBytes, total.TxDropped, total.TxErrors)
	want := fmt.Sprint(sum.RxPackets, sum.RxBytes, sum.RxErrors, sum.TxPackets, sum.TxBytes, sum.TxDropped, sum.TxErrors)
	if got != want {
		t.Errorf("the totals are %s, the sums of the ports %s", got, want)
	}
}

// runSums runs testpmd --json, in a network namespace if this user may make one.
func runSums(t *testing.T, args []string) (o report.Object, status int, stderr string) {
	t.Helper()
	argv := append([]string{"testpmd", "--json"}, args...)
	if os.Getuid() == 0 {
		argv = append([]string{"unshare", "--net"}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	var stdout, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &messages
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v\n%s", err, messages.String())
	}
	return o, cmd.ProcessState.ExitCode(), messages.String()
}

// recordFrames writes a capture file of n frames.
func recordFrames(t *testing.T, file string, size, n int) {
	t.Helper()
	out, err := wire.PCAP(":" + file)
	if err != nil {
		t.Fatal(err)
	}
	frames := make([][]byte, n)
	frames = frames[:wire.Gen(size).Receive(0, frames)]
	for taken := 0; taken < len(frames); {
		taken += out.Transmit(0, frames[taken:])
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
