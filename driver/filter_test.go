package driver

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// frameFor is a frame to an address, with a VLAN tag unless vlan is negative.
func frameFor(to net.HardwareAddr, vlan int) []byte {
	f := make([]byte, 64)
	copy(f, to)
	copy(f[6:], mac(0xee))
	f[12], f[13] = 0x88, 0xb5
	if vlan >= 0 {
		f[12], f[13], f[14], f[15] = 0x81, 0, byte(vlan>>8), byte(vlan)
	}
	return f
}

// passes sends the port a frame for each address and returns which of them arrive. The
// device is stepped by the test.
func (r *rig) passes(vlan int, to ...net.HardwareAddr) string {
	r.t.Helper()
	var frames [][]byte
	for i, a := range to {
		frames = append(frames, append(frameFor(a, vlan), byte(i)))
	}
	r.wire.deliver(0, frames...)
	arrived := ""
	for _, f := range r.receive(0) {
		arrived += fmt.Sprint(f[len(f)-1])
	}
	return arrived
}

// With filters a port receives what it asked for and nothing else, frame by frame, before a
// recovery and after it. net/announce and the like aside, this is what commands are for.
func TestFilters(t *testing.T) {
	everyone := net.HardwareAddr{255, 255, 255, 255, 255, 255}
	to := []net.HardwareAddr{mac(1), mac(2), mac(3), group(1), group(2), everyone}
	r := newControlRig(t, vdev.Config{Pairs: 1, MAC: mac(1)}, Config{Recovery: eager})
	step := func(what, want string, f func() error) {
		t.Helper()
		r.dev.Start()
		if err := f(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r.dev.Stop()
		if got := r.passes(-1, to...); got != want {
			t.Errorf("%s: %s arrive, want %s", what, got, want)
		}
	}
	ctx := soon(t)
	step("nothing set", "012345", func() error { return nil })
	step("not promiscuous", "05", func() error { return r.port.SetPromiscuous(ctx, false) })
	step("more addresses", "0135", func() error {
		return r.port.SetMACFilter(ctx, []net.HardwareAddr{mac(2)}, []net.HardwareAddr{group(1)})
	})
	step("one more", "012345", func() error {
		return errors.Join(r.port.AddMAC(ctx, mac(3)), r.port.AddMAC(ctx, group(2)))
	})
	step("two fewer", "0245", func() error {
		return errors.Join(r.port.RemoveMAC(ctx, mac(2)), r.port.RemoveMAC(ctx, group(1)))
	})
	step("another address", "1245", func() error { return r.port.SetMAC(ctx, mac(2)) })
	if got := r.port.MAC(); !slices.Equal(got, mac(2)) {
		t.Errorf("the port's address is %v", got)
	}
	step("all multicast", "12345", func() error { return r.port.SetAllMulticast(ctx, true) })
	step("after a reset", "12345", func() error {
		r.dev.NeedReset()
		r.recovered(1)
		return nil
	})
	step("no broadcast, no multicast", "12", func() error {
		return r.port.SetRxMode(ctx, RxMode{AllMulticast: true, NoMulticast: true, NoBroadcast: true})
	})
	step("all unicast", "0125", func() error { return r.port.SetRxMode(ctx, RxMode{AllUnicast: true, NoMulticast: true}) })
	step("promiscuous", "012345", func() error { return r.port.SetPromiscuous(ctx, true) })
}

// x/net/vlan: a filter that was accepted starts empty, and lets those VLANs pass that were
// added, also after a recovery.
func TestVLANFilter(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1, MAC: mac(1)}, Config{Recovery: eager})
	check := func(what string, want ...int) {
		t.Helper()
		r.dev.Stop()
		defer r.dev.Start()
		var got []int
		for _, vlan := range []int{-1, 0, 5, 64, MaxVLAN} {
			if r.passes(vlan, mac(1)) != "" {
				got = append(got, vlan)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v arrive, want %v", what, got, want)
		}
	}
	ctx := soon(t)
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	do(r.port.SetPromiscuous(ctx, false))
	check("an empty filter", -1)
	do(r.port.AddVLAN(ctx, 5))
	do(r.port.AddVLAN(ctx, MaxVLAN))
	check("two VLANs", -1, 5, MaxVLAN)
	do(r.port.RemoveVLAN(ctx, 5))
	do(r.port.AddVLAN(ctx, 64))
	r.dev.NeedReset()
	r.recovered(1)
	check("after a reset", -1, 64, MaxVLAN)
	if got := r.port.VLANs(); !slices.Equal(got, []uint16{64, MaxVLAN}) {
		t.Errorf("VLANs are %v", got)
	}
}

// Values that no device could be told are refused before anything is sent.
func TestInvalidSettings(t *testing.T) {
	r := newControlRig(t, vdev.Config{}, Config{})
	ctx, p := soon(t), r.port
	many := make([]net.HardwareAddr, MaxMACs+1)
	for i := range many {
		many[i] = net.HardwareAddr{2, 0, 0, 1, byte(i >> 8), byte(i)}
	}
	_, noQueue := p.RxQueueCoalescing(ctx, 2)
	for what, err := range map[string]error{
		"multicast address":    p.SetMAC(ctx, group(1)),
		"short address":        p.SetMAC(ctx, mac(1)[:5]),
		"no address":           p.SetMAC(ctx, nil),
		"wrong list":           p.SetMACFilter(ctx, []net.HardwareAddr{group(1)}, nil),
		"other wrong list":     p.SetMACFilter(ctx, nil, []net.HardwareAddr{mac(1)}),
		"zero address":         p.AddMAC(ctx, make(net.HardwareAddr, 6)),
		"nothing to remove":    p.RemoveMAC(ctx, nil),
		"too many addresses":   p.SetMACFilter(ctx, many, nil),
		"VLAN 4095":            p.AddVLAN(ctx, 4095),
		"offload for sending":  p.SetReceiveOffloads(ctx, virtio.FeatureSet(virtio.NetHostTSO4)),
		"offload not accepted": p.SetReceiveOffloads(ctx, virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestUSO4)),
		"offload alone":        p.SetReceiveOffloads(ctx, virtio.FeatureSet(virtio.NetGuestTSO4)),
		"negative packets":     p.SetRxCoalescing(ctx, Coalescing{Packets: -1}),
		"too many packets":     p.SetTxCoalescing(ctx, Coalescing{Packets: 1 << 32}),
		"negative delay":       p.SetRxQueueCoalescing(ctx, 0, Coalescing{Delay: -1}),
		"long delay":           p.SetTxQueueCoalescing(ctx, 0, Coalescing{Delay: 1 << 32 * time.Microsecond}),
		"no such queue":        p.SetRxQueueCoalescing(ctx, 2, Coalescing{}),
		"nor that":             p.SetTxQueueCoalescing(ctx, -1, Coalescing{}),
		"to ask for":           noQueue,
	} {
		var why *Error
		if !errors.As(err, &why) || why.Field == "" || why.Reason == "" || why.Remedy == "" || errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := r.take(); got != nil {
		t.Errorf("sent %q", got)
	}
	if err := p.SetMACFilter(ctx, many[1:], nil); err != nil {
		t.Errorf("as many as there may be: %v", err)
	}
}

// The device is asked for its parameters, and what is set last for a queue counts.
func TestQueueCoalescing(t *testing.T) {
	r := newControlRig(t, vdev.Config{}, Config{})
	ctx, p := soon(t), r.port
	all, one := Coalescing{Packets: 32, Delay: 50 * time.Microsecond}, Coalescing{Packets: 4, Delay: time.Millisecond}
	err := errors.Join(p.SetRxQueueCoalescing(ctx, 0, one), p.SetRxCoalescing(ctx, all),
		p.SetRxQueueCoalescing(ctx, 1, one), p.SetTxCoalescing(ctx, one))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []Coalescing{all, one} {
		if got, err := p.RxQueueCoalescing(ctx, i); err != nil || got != want {
			t.Errorf("receive queue %d: %+v %v", i, got, err)
		}
		if got, err := p.TxQueueCoalescing(ctx, i); err != nil || got != one {
			t.Errorf("transmit queue %d: %+v %v", i, got, err)
		}
	}
	if p.RxCoalescing() != all || p.TxCoalescing() != one {
		t.Errorf("%+v %+v", p.RxCoalescing(), p.TxCoalescing())
	}
}

// net/coal/4: what is there of an earlier answer when the device refuses is no value.
func TestQueueCoalescingRefused(t *testing.T) {
	r := newControlRig(t, vdev.Config{}, Config{})
	ctx, p := soon(t), r.port
	one := Coalescing{Packets: 4, Delay: time.Millisecond}
	if err := p.SetRxQueueCoalescing(ctx, 0, one); err != nil {
		t.Fatal(err)
	}
	if got, err := p.RxQueueCoalescing(ctx, 0); err != nil || got != one {
		t.Errorf("%+v %v", got, err)
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse})
	if got, err := p.RxQueueCoalescing(ctx, 0); !errors.Is(err, ErrRefused) || got != (Coalescing{}) {
		t.Errorf("%+v %v", got, err)
	}
}

// x/net/coal-reset, net/coal/1: a queue that was reset alone has its own parameters again
// when it is started or has another size, and the device is told nothing of it meanwhile.
func TestCoalescingOfAQueueThatWasReset(t *testing.T) {
	r := newControlRig(t, vdev.Config{}, Config{})
	ctx, p := soon(t), r.port
	one, other := Coalescing{Packets: 4, Delay: time.Millisecond}, Coalescing{Packets: 9, Delay: time.Second}
	check := func(what string, want Coalescing) {
		t.Helper()
		if got, err := p.RxQueueCoalescing(ctx, 1); err != nil || got != want {
			t.Errorf("%s: %+v %v", what, got, err)
		}
	}
	err := errors.Join(p.SetRxQueueCoalescing(ctx, 1, one), p.ResizeRxQueue(ctx, 1, 64))
	if err != nil {
		t.Fatal(err)
	}
	check("another size", one)
	r.take()
	err = errors.Join(p.StopRxQueue(ctx, 1), p.SetRxQueueCoalescing(ctx, 1, other))
	if sent := r.take(); err != nil || sent != nil {
		t.Errorf("of a stopped queue: %v, sent %q", err, sent)
	}
	if _, err := p.RxQueueCoalescing(ctx, 1); err == nil {
		t.Error("a stopped queue has parameters")
	}
	if err := p.StartRxQueue(ctx, 1); err != nil {
		t.Fatal(err)
	}
	check("started", other)
}

// What the device counted is what went through it.
func TestDeviceStats(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{})
	r.dev.Stop()
	r.carries()
	r.dev.Start()
	counters, err := r.port.DeviceStats(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]uint64{}
	for _, c := range counters {
		got[fmt.Sprintf("%d %s", c.Virtqueue, c.Name)] = c.Value
	}
	s := r.port.Stats()
	for name, want := range map[string]uint64{"0 rx_packets": s.RxPackets, "0 rx_bytes": s.RxBytes, "0 rx_drops": 0,
		"1 tx_packets": s.TxPackets, "1 tx_bytes": s.TxBytes, "1 tx_drop_malformed": 0, "2 command_num": 4, "2 ok_num": 4} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %d (%v), want %d", name, v, ok, want)
		}
	}
}

// net/announce/1, net/announce/2: a request is an event, and is acknowledged once; one that
// comes later is another. A request whose acknowledgement was lost is repeated.
func TestAnnounceRequest(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{})
	events := make(chan Event, 64)
	defer r.port.Notify(events)()
	for range 3 {
		if !r.dev.SetAnnounce() {
			t.Fatal("the driver has not accepted GUEST_ANNOUNCE")
		}
		nextEvent(t, events, AnnounceRequested)
		await(t, "the request is acknowledged", func() bool { return !r.dev.Announcing() })
		if got := r.take(); !slices.Equal(got, []string{"3/0:  0"}) {
			t.Errorf("sent %q", got)
		}
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse, CtrlTimes: 1})
	r.dev.SetAnnounce()
	nextEvent(t, events, AnnounceRequested)
	await(t, "the acknowledgement is sent again", func() bool { return !r.dev.Announcing() })
}

// Announcing is for transports that can; for others the error says what to do.
func TestAnnounceIsUnsupportedOnPCI(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{})
	var why *Error
	if err := r.port.Announce(soon(t)); !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &why) || why.Remedy == "" {
		t.Errorf("error is %v", err)
	}
}

// Any goroutine sends commands while packets flow and the device is reset again and again:
// none is lost without an error, and in the end the device does what was set last.
func TestCommandsFromManyGoroutines(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1, MAC: mac(1)}, Config{Recovery: eager})
	done := make(chan struct{})
	var poller, callers sync.WaitGroup
	poller.Go(func() {
		bufs := make([]*mbuf.Buf, 32)
		for {
			select {
			case <-done:
				return
			default:
				mbuf.Free(bufs[:r.port.RxQueue(0).Burst(bufs)])
			}
		}
	})
	for g := range 4 {
		callers.Go(func() {
			for i := range 40 {
				on := i%2 == 0
				var err error
				switch g {
				case 0:
					err = r.port.SetPromiscuous(soon(t), on)
				case 1:
					err = r.port.AddMAC(soon(t), mac(byte(10+i)))
				case 2:
					err = r.port.AddVLAN(soon(t), uint16(i))
				case 3:
					r.port.Inspect()
					if r.port.RxMode(); i%10 == 0 {
						resets := r.port.Stats().Resets
						r.dev.NeedReset()
						await(t, "the port has recovered", func() bool { return r.port.Stats().Resets > resets })
					}
					_, err = r.port.DeviceStats(soon(t))
				}
				var why *Error
				if err != nil && !errors.As(err, &why) {
					t.Errorf("goroutine %d: %v", g, err)
				}
			}
		})
	}
	callers.Wait()
	close(done)
	poller.Wait()
	if err := r.port.SetPromiscuous(soon(t), false); err != nil {
		t.Fatal(err)
	}
	unicast, _ := r.port.MACFilter()
	if len(unicast) == 0 || len(r.port.VLANs()) == 0 {
		t.Fatal("nothing was set")
	}
	r.dev.Stop()
	if got := r.passes(-1, mac(1), mac(9), unicast[0], unicast[len(unicast)-1]); got != "023" {
		t.Errorf("%s arrive, want 023", got)
	}
	if got := r.passes(int(r.port.VLANs()[0]), mac(1)); got != "0" {
		t.Error("a VLAN that was added does not arrive")
	}
	r.dev.ClearViolations()
}
