package driver

import (
	"errors"
	"net"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// functionWith is a function with this device behind it.
func functionWith(c vdev.Config) pcifn.Config { return pcifn.Config{Device: c} }

// net/config/3: the device's address is the port's.
func TestMACOfTheDevice(t *testing.T) {
	mac := net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56}
	r := newRig(t, functionWith(vdev.Config{MAC: mac}), Config{})
	if got := r.port.MAC(); !slices.Equal(got, mac) {
		t.Errorf("MAC is %v, want %v", got, mac)
	}
}

// net/config/4: without MAC, or with an invalid one, a local one.
func TestLocalMAC(t *testing.T) {
	for name, c := range map[string]vdev.Config{
		"no MAC":    {Refuse: virtio.FeatureSet(virtio.NetMAC)},
		"all zero":  {MAC: make(net.HardwareAddr, 6)},
		"multicast": {MAC: net.HardwareAddr{1, 0, 0x5e, 0, 0, 1}},
		"broadcast": {MAC: net.HardwareAddr{255, 255, 255, 255, 255, 255}},
	} {
		r := newRig(t, functionWith(c), Config{})
		if got := r.port.MAC(); got[0]&3 != 2 {
			t.Errorf("%s: MAC is %v", name, got)
		}
	}
}

// net/ctrl-mac/2: with an address in the Config the device is told, and shows it. One that
// cannot be told does not get MAC accepted: that would be a promise to use its address.
func TestMACOfTheConfig(t *testing.T) {
	for _, told := range []bool{true, false} {
		c := Config{MAC: net.HardwareAddr{2, 1, 2, 3, 4, 5}}
		if !told {
			c.Refuse = virtio.FeatureSet(virtio.NetCtrlMACAddr)
		}
		r := newRig(t, pcifn.Config{}, c)
		if got := r.port.MAC(); !slices.Equal(got, c.MAC) || r.port.Features().Has(virtio.NetMAC) != told {
			t.Errorf("MAC is %v, features are %v", got, r.port.Features())
		}
		if told != (r.dev.ReadConfig(virtio.NetConfigMAC+5, 1) == 5) {
			t.Errorf("the device was told is %v", !told)
		}
		c.MAC[0], r.port.MAC()[1] = 99, 99
		if got := r.port.MAC(); got[0] != 2 || got[1] != 1 {
			t.Error("the port's address can be changed from outside")
		}
	}
}

// net/config/7, net/config/9 and fault/30.
func TestMTU(t *testing.T) {
	no := virtio.FeatureSet(virtio.NetMTU)
	for name, c := range map[string]struct {
		dev  vdev.Config
		cfg  int
		want int
	}{
		"the device's":            {dev: vdev.Config{MTU: 1400}, want: 1400},
		"smaller than the device": {dev: vdev.Config{MTU: 9000}, cfg: 2000, want: 2000},
		"larger than the device":  {dev: vdev.Config{MTU: 1400}, cfg: 1500, want: 1400},
		"largest":                 {dev: vdev.Config{MTU: 65535}, want: 65535},
		"smallest":                {dev: vdev.Config{MTU: 68}, want: 68},
		"the config's":            {dev: vdev.Config{Refuse: no}, cfg: 3000, want: 3000},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, functionWith(c.dev), Config{MTU: c.cfg})
			if got := r.port.MTU(); got != c.want {
				t.Fatalf("MTU is %d, want %d", got, c.want)
			}
			longest := frametest.Series(0, 3, c.want+l2Header)
			longest[1] = tagged(longest[1])
			r.send(0, longest...)
			r.settle()
			frametest.Equal(t, r.wire.transmitted(0), longest)
			r.send(0, frametest.Seq(3, c.want+l2Header+1), tagged(frametest.Seq(4, c.want+l2Header+1)))
			if got := r.wire.transmitted(0); len(got) != 0 {
				t.Errorf("a frame of %d bytes was sent", len(got[0]))
			}
			if s := r.port.Stats(); s.TxDropped != 2 || s.TxPackets != 3 {
				t.Errorf("statistics: %+v", s)
			}
		})
	}
}

// tagged returns the frame with a VLAN tag.
func tagged(frame []byte) []byte {
	return slices.Concat(frame[:12], []byte{0x81, 0, 0, 7}, frame[12:])
}

// Where neither the Config nor the device has an MTU, none is enforced.
func TestUnknownMTU(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Refuse: virtio.FeatureSet(virtio.NetMTU)}), Config{})
	if r.port.MTU() != DefaultMTU {
		t.Errorf("MTU is %d", r.port.MTU())
	}
	long := frametest.Series(0, 2, 5000)
	r.send(0, long...)
	r.settle()
	frametest.Equal(t, r.wire.transmitted(0), long)
}

func TestMTUBelowTheMinimumIsIgnored(t *testing.T) {
	for _, mtu := range []byte{1, 67} {
		fn := newFunction(t, pcifn.Config{})
		fn.Device().SetConfig(virtio.NetConfigMTU, mtu, 0)
		port, err := openPort(fn, Config{})
		if err != nil {
			t.Fatal(err)
		}
		if port.MTU() != DefaultMTU || port.Features().Has(virtio.NetMTU) {
			t.Errorf("MTU %d: port has %d and accepted %v", mtu, port.MTU(), port.Features())
		}
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
}

// net/config/8, net/rxbuf/2: receive buffers hold what the device may send, with
// and without MRG_RXBUF.
func TestReceiveBuffersFitTheMTU(t *testing.T) {
	for _, mtu := range []int{68, 1500, 9000, 65535} {
		for _, c := range []Config{{}, refuse(virtio.NetMrgRxbuf)} {
			r := newRig(t, functionWith(vdev.Config{MTU: mtu}), c)
			longest := frametest.Series(0, 5, mtu+14)
			r.wire.deliver(0, longest...)
			frametest.Equal(t, r.receive(0), longest)
		}
	}
}

func TestPoolTooSmallForTheMTU(t *testing.T) {
	pool := newPool(t, mbuf.Config{Count: 1024})
	for name, c := range map[string]struct {
		mtu int
		cfg Config
	}{
		"not mergeable":   {9000, Config{Pool: pool, Refuse: virtio.FeatureSet(virtio.NetMrgRxbuf)}},
		"all too few":     {9000, Config{Pool: pool, RxQueueSize: 4}},
		"config's MTU":    {1500, Config{Pool: pool, MTU: 9000, Refuse: virtio.FeatureSet(virtio.NetMrgRxbuf, virtio.NetMTU)}},
		"of a tiny frame": {68, Config{Pool: newPool(t, mbuf.Config{Count: 64, DataRoom: 1024}), Refuse: virtio.FeatureSet(virtio.NetMrgRxbuf)}},
	} {
		fn := newFunction(t, functionWith(vdev.Config{MTU: c.mtu}))
		port, err := openPort(fn, c.cfg)
		var bad *PoolError
		if !errors.As(err, &bad) || bad.Value >= bad.Need || bad.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
		if port != nil {
			port.Close()
		}
	}
	if pool.Free() != pool.Size() {
		t.Errorf("%d buffers are missing", pool.Size()-pool.Free())
	}
}

// newPool makes a pool to which every buffer has to be returned in the end.
func newPool(t *testing.T, c mbuf.Config) *mbuf.Pool {
	t.Helper()
	c.Memory = smallPages
	pool, err := mbuf.NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Release(); err != nil {
			t.Error(err)
		}
	})
	return pool
}

// net/config/5, net/config/6, net/config/12: the link is what STATUS says, it is
// read again when the configuration changes, and without STATUS it is up.
func TestLinkState(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	if !r.port.Link().Up {
		t.Error("the link is down")
	}
	for _, up := range []bool{false, true, false} {
		r.dev.SetLink(up)
		await(t, "the link follows", func() bool { return r.port.Link().Up == up })
	}
	without := newRig(t, functionWith(vdev.Config{Refuse: virtio.FeatureSet(virtio.NetStatus)}), Config{})
	if !without.port.Link().Up {
		t.Error("without STATUS the link is down")
	}
}

// net/config/11, net/config/12: speed and duplex, and values that mean unknown.
func TestSpeedAndDuplex(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	for _, c := range []struct {
		bytes []byte
		want  Link
	}{
		{[]byte{0x10, 0x27, 0, 0, 1}, Link{Up: true, Speed: 10000, Duplex: FullDuplex}},
		{[]byte{0xff, 0xff, 0xff, 0x7f, 0}, Link{Up: true, Speed: 0x7fffffff, Duplex: HalfDuplex}},
		{[]byte{0, 0, 0, 0x80, 2}, Link{Up: true}},
		{[]byte{0xff, 0xff, 0xff, 0xff, 0xff}, Link{Up: true}},
	} {
		r.dev.SetConfig(virtio.NetConfigSpeed, c.bytes...)
		await(t, "the link follows", func() bool { return r.port.Link() == c.want })
	}
}

// fault/22: a device that changes its configuration all the time.
func TestConfigurationStorm(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	for i := range 5000 {
		r.dev.SetConfig(virtio.NetConfigSpeed, byte(i), byte(i>>8), 0, 0, 1)
	}
	await(t, "the last value is seen", func() bool { return r.port.Link().Speed == 4999 })
	if err := r.port.Err(); err != nil {
		t.Error(err)
	}
}

// fault/29: a generation that never settles leaves the last state.
func TestGenerationFlapsWhileRunning(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	before := r.port.Link()
	r.dev.SetFaults(vdev.Faults{GenerationFlaps: -1})
	r.dev.SetLink(false)
	for range 3 { // three events that cannot be followed
		r.dev.SetConfig(virtio.NetConfigDuplex, 0)
	}
	if got := r.port.Link(); got != before {
		t.Errorf("link became %v", got)
	}
	r.dev.SetFaults(vdev.Faults{})
	r.dev.SetConfig(virtio.NetConfigDuplex, 0)
	await(t, "the link follows again", func() bool { return !r.port.Link().Up })
	if err := r.port.Err(); err != nil {
		t.Error(err)
	}
}
