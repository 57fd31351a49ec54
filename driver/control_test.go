package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// everyOffload are the receive offloads, and what can be asked for besides them.
var everyOffload = virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO4, virtio.NetGuestTSO6,
	virtio.NetCtrlVLAN)

// commands are the commands that a device has answered, as the tests write them:
// "class/command: data ack".
type commands struct {
	mu  sync.Mutex
	log []string
}

func (c *commands) add(v vdev.Command) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.log = append(c.log, fmt.Sprintf("%d/%d: %x %d", v.Class, v.Command, v.Data, v.Ack))
}

// take returns the commands since the last call.
func (c *commands) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log
	c.log = nil
	return log
}

// controlRig is a port whose device runs, and writes down the commands that it answers.
type controlRig struct {
	*rig
	commands
}

func newControlRig(t *testing.T, dev vdev.Config, c Config) *controlRig {
	t.Helper()
	r := &controlRig{}
	if dev.Pairs == 0 {
		dev.Pairs = 2
	}
	dev.Command = r.add
	dev.Offer = vdev.Implemented().Minus(dev.Refuse)
	if dev.Pairs == 1 {
		dev.Offer = dev.Offer.Without(virtio.NetMQ)
	}
	c.Queues, c.Request = dev.Pairs, c.Request.Or(everyOffload)
	r.rig = newRig(t, functionWith(dev), c)
	r.dev.Start()
	t.Cleanup(r.dev.Stop)
	r.take()
	return r
}

// within returns a context that ends after d.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// until returns a context that ends soon after ok, which the device makes true.
func until(t *testing.T, ok func() bool) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	go func() {
		defer cancel()
		for ctx.Err() == nil && !ok() {
			time.Sleep(100 * time.Microsecond)
		}
	}()
	return ctx
}

// soon is a context for a command that the device answers.
func soon(t *testing.T) context.Context { return within(t, patience) }

func mac(last byte) net.HardwareAddr   { return net.HardwareAddr{2, 0, 0, 0, 0, last} }
func group(last byte) net.HardwareAddr { return net.HardwareAddr{1, 0, 0x5e, 0, 0, last} }

// ways are the calls that send commands, with what they need, and the commands as the
// specification has them, byte for byte.
var ways = map[string]struct {
	needs virtio.Features
	call  func(ctx context.Context, p *Port) error
	sent  []string
}{
	"promiscuous": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.SetPromiscuous(ctx, true) },
		[]string{"0/0: 01 0"}},
	"not promiscuous": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.SetPromiscuous(ctx, false) },
		[]string{"0/0: 00 0"}},
	"all multicast": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.SetAllMulticast(ctx, true) },
		[]string{"0/1: 01 0"}},
	"receive mode": {virtio.FeatureSet(virtio.NetCtrlRxExtra),
		func(ctx context.Context, p *Port) error {
			return p.SetRxMode(ctx, RxMode{AllUnicast: true, NoBroadcast: true})
		},
		[]string{"0/0: 00 0", "0/1: 00 0", "0/2: 01 0", "0/3: 00 0", "0/4: 00 0", "0/5: 01 0"}},
	"address": {virtio.FeatureSet(virtio.NetCtrlMACAddr),
		func(ctx context.Context, p *Port) error { return p.SetMAC(ctx, mac(9)) },
		[]string{"1/1: 020000000009 0"}},
	"address without CTRL_RX": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.SetMAC(ctx, mac(9)) },
		[]string{"1/1: 020000000009 0"}},
	"address filter": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error {
			return p.SetMACFilter(ctx, []net.HardwareAddr{mac(7), mac(8), mac(7)}, []net.HardwareAddr{group(1)})
		},
		[]string{"1/0: 02000000" + "020000000007" + "020000000008" + "01000000" + "01005e000001 0"}},
	"no addresses": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.SetMACFilter(ctx, nil, nil) },
		[]string{"1/0: 0000000000000000 0"}},
	"one address": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.AddMAC(ctx, group(2)) },
		[]string{"1/0: 00000000" + "01000000" + "01005e000002 0"}},
	"no such address": {virtio.FeatureSet(virtio.NetCtrlRx),
		func(ctx context.Context, p *Port) error { return p.RemoveMAC(ctx, mac(2)) },
		[]string{"1/0: 0000000000000000 0"}},
	"VLAN": {virtio.FeatureSet(virtio.NetCtrlVLAN),
		func(ctx context.Context, p *Port) error { return p.AddVLAN(ctx, 0x123) },
		[]string{"2/0: 2301 0"}},
	"no VLAN": {virtio.FeatureSet(virtio.NetCtrlVLAN),
		func(ctx context.Context, p *Port) error { return p.RemoveVLAN(ctx, MaxVLAN) },
		[]string{"2/1: fe0f 0"}},
	"receive offloads": {virtio.FeatureSet(virtio.NetCtrlOffloads),
		func(ctx context.Context, p *Port) error {
			return p.SetReceiveOffloads(ctx, virtio.FeatureSet(virtio.NetGuestCSUM, virtio.NetGuestTSO6))
		},
		[]string{"5/0: 0201000000000000 0"}},
	"coalescing of all that is sent": {virtio.FeatureSet(virtio.NetNotfCoal),
		func(ctx context.Context, p *Port) error {
			return p.SetTxCoalescing(ctx, Coalescing{Packets: 0x10, Delay: 0x20 * time.Microsecond})
		},
		[]string{"6/0: 1000000020000000 0"}},
	"coalescing of all that is received": {virtio.FeatureSet(virtio.NetNotfCoal),
		func(ctx context.Context, p *Port) error {
			return p.SetRxCoalescing(ctx, Coalescing{Packets: 1<<32 - 1, Delay: time.Microsecond + 1})
		},
		[]string{"6/1: ffffffff02000000 0"}},
	"coalescing of a receive queue": {virtio.FeatureSet(virtio.NetVQNotfCoal),
		func(ctx context.Context, p *Port) error {
			return p.SetRxQueueCoalescing(ctx, p.Queues()-1, Coalescing{Packets: 3, Delay: time.Millisecond})
		},
		[]string{"6/2: 0200000003000000e8030000 0"}},
	"coalescing of a transmit queue": {virtio.FeatureSet(virtio.NetVQNotfCoal),
		func(ctx context.Context, p *Port) error {
			return p.SetTxQueueCoalescing(ctx, p.Queues()-1, Coalescing{})
		},
		[]string{"6/2: 030000000000000000000000 0"}},
	"coalescing asked for": {virtio.FeatureSet(virtio.NetVQNotfCoal),
		func(ctx context.Context, p *Port) error { _, err := p.RxQueueCoalescing(ctx, p.Queues()-1); return err },
		[]string{"6/3: 02000000 0"}},
	"statistics": {virtio.FeatureSet(virtio.NetDeviceStats),
		func(ctx context.Context, p *Port) error { _, err := p.DeviceStats(ctx); return err },
		[]string{"8/0:  0",
			"8/1: 00000000000000000700000000000000 0", "8/1: 01000000000000000000010000000000 0",
			"8/1: 02000000000000000700000000000000 0", "8/1: 03000000000000000000010000000000 0",
			"8/1: 04000000000000000000000001000000 0"}},
}

// net/ctrl-mac/3, net/coal/1, x/net/ctrl-length and their like: each call sends its
// commands as the specification has them, on split and packed rings.
func TestCommands(t *testing.T) {
	for _, refused := range []virtio.Features{{}, virtio.FeatureSet(virtio.RingPacked)} {
		r := newControlRig(t, vdev.Config{}, Config{Refuse: refused})
		for _, name := range slices.Sorted(maps.Keys(ways)) {
			way := ways[name]
			if err := way.call(soon(t), r.port); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := r.take(); !slices.Equal(got, way.sent) {
				t.Errorf("%s: sent %q, want %q", name, got, way.sent)
			}
		}
	}
}

// net/ctrl-rx/1, net/ctrl-rx/2, net/ctrl-mac/1, net/coal/2, net/coal/3, x/net/ctrl-feature:
// without its feature no command touches the device, and the error says why: the device
// does not offer it, the configuration refuses it, or there is no control queue at all.
func TestCommandsWithoutTheirFeature(t *testing.T) {
	none := newControlRig(t, vdev.Config{Pairs: 1, Refuse: virtio.FeatureSet(virtio.NetCtrlVQ)}, Config{})
	notOffered, refused := map[virtio.Features]*controlRig{}, map[virtio.Features]*controlRig{}
	for _, name := range slices.Sorted(maps.Keys(ways)) {
		way := ways[name]
		if notOffered[way.needs] == nil {
			notOffered[way.needs] = newControlRig(t, vdev.Config{Pairs: 1, Refuse: way.needs}, Config{})
			refused[way.needs] = newControlRig(t, vdev.Config{Pairs: 1}, Config{Refuse: way.needs})
		}
		for reason, r := range map[string]*controlRig{"does not offer": notOffered[way.needs],
			"configuration refuses": refused[way.needs], "": none} {
			before := r.dev.Stats().Doorbells
			err := way.call(soon(t), r.port)
			var why *Error
			if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &why) || why.Remedy == "" || !strings.Contains(why.Reason, reason) {
				t.Errorf("%s, %s: %v", name, reason, err)
			}
			if got := r.take(); got != nil || r.dev.Stats().Doorbells != before {
				t.Errorf("%s, %s: the device was sent %q", name, reason, got)
			}
		}
	}
}

// remembered returns everything that the getters of a port say of what was set.
func remembered(p *Port) string {
	unicast, multicast := p.MACFilter()
	return fmt.Sprint(p.RxMode(), p.MAC(), unicast, multicast, p.VLANs(), p.ReceiveOffloads(),
		p.RxCoalescing(), p.TxCoalescing())
}

// fault/45, fault/46: what a device refuses, or answers with an unknown value or not at
// all, is an error that says which, and is not remembered. The port goes on and so does the
// next command.
func TestCommandsThatAreNotCarriedOut(t *testing.T) {
	for fault, is := range map[vdev.CtrlFault]error{
		vdev.CtrlRefuse: ErrRefused, vdev.CtrlUnknownAck: ErrRefused, vdev.CtrlShort: ErrRefused,
		vdev.CtrlSilent: context.DeadlineExceeded, vdev.CtrlLate: context.DeadlineExceeded,
	} {
		r := newControlRig(t, vdev.Config{}, Config{})
		for i, name := range slices.Sorted(maps.Keys(ways)) {
			before := remembered(r.port)
			r.dev.SetFaults(vdev.Faults{Ctrl: fault, CtrlTimes: 1})
			ctx := soon(t)
			if is == context.DeadlineExceeded {
				ctx = within(t, 3*time.Millisecond)
			}
			err := ways[name].call(ctx, r.port)
			var what *Error
			if !errors.Is(err, is) || !errors.As(err, &what) || what.Op == "" {
				t.Errorf("%s, fault %d: %v", name, fault, err)
			}
			if now := remembered(r.port); now != before && name != "receive mode" {
				t.Errorf("%s, fault %d: %s is remembered, want %s", name, fault, now, before)
			}
			r.dev.SetFaults(vdev.Faults{})
			if err := r.port.SetPromiscuous(soon(t), true); err != nil {
				t.Fatalf("%s, fault %d: the next command: %v", name, fault, err)
			}
			if n := i % 3; fault == vdev.CtrlSilent && n == 2 { // it keeps the memory of commands for good
				r = newControlRig(t, vdev.Config{}, Config{})
			}
		}
		// With IN_ORDER a command without an answer confuses the ring when later ones have one.
		if s := r.port.Stats(); s.Resets != 0 && fault != vdev.CtrlSilent {
			t.Errorf("fault %d: %d resets", fault, s.Resets)
		}
		if fault == vdev.CtrlLate || fault == vdev.CtrlShort {
			r.dev.ClearViolations() // of the memory of commands that were given up
		}
	}
}

// A device that answers twice breaks the queue, one that resets itself or asks for a reset
// loses its state: each is reset, what was set is set again, and the next command works.
func TestCommandsAndRecovery(t *testing.T) {
	for _, refused := range []virtio.Features{{}, virtio.FeatureSet(virtio.RingPacked)} {
		for _, fault := range []vdev.CtrlFault{vdev.CtrlTwice, vdev.CtrlReset, vdev.CtrlNeedsReset} {
			r := newControlRig(t, vdev.Config{}, Config{Refuse: refused, Recovery: eager})
			if err := r.port.SetAllMulticast(soon(t), true); err != nil {
				t.Fatal(err)
			}
			r.take()
			r.dev.SetFaults(vdev.Faults{Ctrl: fault, CtrlTimes: 1})
			ctx := soon(t)
			if fault == vdev.CtrlReset { // nothing else tells the driver
				ctx = until(t, func() bool { return r.dev.Status() == 0 })
			}
			err := r.port.SetRxCoalescing(ctx, Coalescing{Packets: 7, Delay: time.Second})
			// Of two answers the first one may be seen before the second is there.
			var what *Error
			done := err == nil && fault == vdev.CtrlTwice
			if !done && !errors.As(err, &what) {
				t.Errorf("fault %d: %v", fault, err)
			}
			r.dev.SetFaults(vdev.Faults{})
			if err := r.port.SetPromiscuous(soon(t), false); err != nil {
				t.Errorf("fault %d: the next command: %v", fault, err)
			}
			const carriedOut = "6/1: 0700000040420f00 0"
			want := []string{"4/0: 0200 0", "0/1: 01 0", "0/0: 00 0"}
			if done {
				want = slices.Insert(want, 2, carriedOut)
			}
			if fault == vdev.CtrlTwice {
				want = slices.Insert(want, 0, carriedOut)
			}
			if got := r.take(); !slices.Equal(got, want) {
				t.Errorf("fault %d: sent %q, want %q", fault, got, want)
			}
			r.recovered(1) // the command may have been sent before that was counted
			if s := r.port.Stats(); s.Resets != 1 {
				t.Errorf("fault %d: %d resets", fault, s.Resets)
			}
			r.dev.ClearViolations() // of a device that was reset while its driver ran
		}
	}
}

// Everything that was set is set again after a reset, once and in the same order.
func TestSettingsSurviveARecovery(t *testing.T) {
	r := newControlRig(t, vdev.Config{}, Config{Recovery: eager})
	for _, name := range []string{"receive mode", "promiscuous", "address", "address filter", "one address", "VLAN", "no VLAN",
		"receive offloads", "coalescing of a receive queue", "coalescing of all that is received",
		"coalescing of all that is sent", "coalescing of a transmit queue"} {
		if err := ways[name].call(soon(t), r.port); err != nil {
			t.Fatal(err)
		}
	}
	before := remembered(r.port)
	r.take()
	for n := range uint64(2) {
		r.dev.NeedReset()
		r.recovered(n + 1)
		want := []string{"4/0: 0200 0", "1/1: 020000000009 0",
			"1/0: 02000000" + "020000000007" + "020000000008" + "02000000" + "01005e000001" + "01005e000002 0", "2/0: 2301 0",
			"0/0: 01 0", "0/1: 00 0", "0/2: 01 0", "0/3: 00 0", "0/4: 00 0", "0/5: 01 0",
			"5/0: 0201000000000000 0", "6/0: 1000000020000000 0", "6/1: ffffffff02000000 0",
			"6/2: 030000000000000000000000 0"}
		if got := r.take(); !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		if now := remembered(r.port); now != before {
			t.Errorf("%s is remembered, want %s", now, before)
		}
	}
}

// A recovery takes as long as all commands take together, however many they are: the
// timeout is that of each.
func TestManySettingsSurviveARecovery(t *testing.T) {
	const vlans, long = 250, 200 * time.Millisecond
	r := &controlRig{}
	var slow atomic.Bool
	dev := vdev.Config{Offer: vdev.Implemented().Without(virtio.NetMQ), Command: func(c vdev.Command) {
		r.add(c)
		if slow.Load() {
			time.Sleep(2 * long / vlans)
		}
	}}
	r.rig = newRig(t, functionWith(dev), Config{Request: everyOffload, Recovery: eager, ControlTimeout: long})
	r.dev.Start()
	t.Cleanup(r.dev.Stop)
	for id := range uint16(vlans) {
		if err := r.port.AddVLAN(soon(t), id); err != nil {
			t.Fatal(err)
		}
	}
	r.take()
	slow.Store(true)
	r.dev.NeedReset()
	r.recovered(1)
	if got := r.take(); len(got) < vlans {
		t.Errorf("%d commands were sent, want %d", len(got), vlans)
	}
}

// A device that refuses what it had accepted before goes on without it; one that does not
// answer is set up again, and if that never helps the port ends.
func TestSettingsThatCannotBeRestored(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{Recovery: eager})
	if err := r.port.SetPromiscuous(soon(t), false); err != nil {
		t.Fatal(err)
	}
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlRefuse})
	r.dev.NeedReset()
	r.recovered(1)
	r.dev.SetFaults(vdev.Faults{})
	if err := r.port.SetAllMulticast(soon(t), true); err != nil {
		t.Error(err)
	}
	if mode := r.port.RxMode(); !mode.AllMulticast {
		t.Errorf("%+v", mode)
	}
	r = newControlRig(t, vdev.Config{Pairs: 1}, Config{
		Recovery: Recovery{MaxResets: 2, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}})
	if err := r.port.SetPromiscuous(soon(t), false); err != nil {
		t.Fatal(err)
	}
	r.port.device.cfg.ControlTimeout = 20 * time.Millisecond // no command is answered any more
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlSilent})
	r.dev.NeedReset()
	if err := finished(t, r.port); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the port ended with %v", err)
	}
	var failed *Error
	if err := r.port.SetPromiscuous(soon(t), false); !errors.As(err, &failed) || failed.Err == nil {
		t.Errorf("a command on a port that failed: %v", err)
	}
}

// A command that waits for the end of a recovery, or for another command, ends with its
// context, and with the port.
func TestCommandsThatWait(t *testing.T) {
	r := newControlRig(t, vdev.Config{Pairs: 1}, Config{})
	r.dev.SetFaults(vdev.Faults{Ctrl: vdev.CtrlSilent})
	first := make(chan error)
	go func() { first <- r.port.SetPromiscuous(context.Background(), true) }()
	await(t, "the command is under way", func() bool {
		r.port.device.control.mu.Lock()
		defer r.port.device.control.mu.Unlock()
		return r.port.device.control.busy
	})
	if err := r.port.SetAllMulticast(within(t, time.Millisecond), true); !errors.Is(err, errWaiting) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind another command: %v", err)
	}
	if err := r.port.Close(); err != nil {
		t.Error(err)
	}
	if err := <-first; !errors.Is(err, os.ErrClosed) {
		t.Errorf("a command under way when the port was closed: %v", err)
	}
	if err := r.port.SetPromiscuous(soon(t), true); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a command on a closed port: %v", err)
	}
}
