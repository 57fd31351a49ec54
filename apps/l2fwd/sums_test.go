package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
)

// TestSums: what was received was sent, dropped or refused, and what the devices dropped
// instead of delivering it is counted, also if they want resets and the link goes down and
// up while packets flow.
func TestSums(t *testing.T) {
	p := emulated(t, "", "emu:gen", "emu:null")
	p.options.XStats, p.options.Info = true, true
	functions := ownFunctions(p)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	done := make(chan error, 1)
	go func() { done <- p.run(ctx, &stdout, &stderr) }()
	devices := []*vdev.Device{(<-functions).Device(), (<-functions).Device()}
	for i, d := range devices {
		sees := func(what string, more func(vdev.Stats) uint64) {
			t.Helper()
			from := more(d.Stats())
			for deadline := time.Now().Add(hang); more(d.Stats()) <= from; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("device %d: nothing is %s", i, what)
				}
			}
		}
		sent := func(s vdev.Stats) uint64 { return s.TxFrames }
		sees("sent", sent)
		d.NeedReset()
		sees("sent after the reset", sent)
		d.SetLink(false)
		sees("dropped while the link is down", func(s vdev.Stats) uint64 { return s.TxDropped })
		d.SetLink(true)
		sees("sent when the link is up again", sent)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	o := decode(t, stdout.Bytes())
	for i, in := range o.Ports {
		out := o.Ports[i^1]
		if in.Resets == 0 {
			t.Errorf("port %d was not reset", i)
		}
		if in.RxPackets == 0 || in.RxPackets != out.TxPackets+out.TxDropped+out.TxErrors {
			t.Errorf("port %d received %d; port %d sent %d, dropped %d, refused %d",
				i, in.RxPackets, i^1, out.TxPackets, out.TxDropped, out.TxErrors)
		}
	}
	for i, d := range devices {
		s := d.Stats()
		if missed := s.RxDropped + s.RxErrors; missed != o.Ports[i].RxMissed {
			t.Errorf("device %d dropped %d, the port says %d", i, missed, o.Ports[i].RxMissed)
		}
	}
	for i, d := range devices {
		if n := d.Stats().RxFiltered; n != o.Ports[i].RxFiltered {
			t.Errorf("device %d has filtered %d, the port says %d", i, n, o.Ports[i].RxFiltered)
		}
	}
	for i, p := range o.Ports {
		x := p.XStats
		for name, want := range map[string]uint64{
			"rx_good_packets": p.RxPackets, "tx_good_packets": p.TxPackets, "rx_missed_errors": p.RxMissed, "rx_filtered": p.RxFiltered,
			"tx_dropped": p.TxDropped - p.Unsent.Full, "tx_errors": p.TxErrors, "kicks": p.Kicks,
			"kicks_suppressed": p.Suppressed, "resets": p.Resets, "faults": p.Faults,
			"tx_q0_packets": p.TxPackets + x["tx_device_drops"], "fault_needs_reset": p.Resets,
		} {
			if got, ok := x[name]; !ok || got != want {
				t.Errorf("port %d: %s is %d, want %d", i, name, got, want)
			}
		}
		if info, ok := p.Info.(map[string]any); !ok || info["transport"] != "PCI" || len(info["features"].([]any)) == 0 {
			t.Errorf("port %d is described as %v", i, p.Info)
		}
	}
	if all := o.Total; all.RxPackets != all.TxPackets+all.TxDropped+all.TxErrors {
		t.Errorf("the totals do not add up: %+v", all)
	}
}
