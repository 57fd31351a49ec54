package driver

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/internal/ctrlq"
	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/transport/vpci"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/pcifn"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

// basic/status/1, basic/init/1, basic/init/3, basic/cleanup/2: one bit after the
// other, features before FEATURES_OK only, reset at the end.
func TestStatusSequence(t *testing.T) {
	r := newRig(t, pcifn.Config{}, Config{})
	want := []virtio.Status{0, 1, 3, 11, 15}
	if got := statusWrites(r.fn); !slices.Equal(got, want) {
		t.Errorf("status was written as %v, want %v", got, want)
	}
	if err := r.port.Close(); err != nil {
		t.Fatal(err)
	}
	if got := statusWrites(r.fn); !slices.Equal(got, append(want, 0)) {
		t.Errorf("after Close status was written as %v", got)
	}
	fixed := false
	for _, a := range r.fn.Log() {
		if a.Write && a.Register == "device_status" && a.Value == 11 {
			fixed = true
		}
		if fixed && a.Write && strings.HasPrefix(a.Register, "driver_feature") {
			t.Errorf("after FEATURES_OK: %v", a)
		}
	}
}

// basic/init/7: filling the receive queue rings no doorbell before DRIVER_OK.
func TestNoDoorbellBeforeDriverOK(t *testing.T) {
	for _, c := range []Config{{}, refuse(virtio.RingPacked), refuse(virtio.RingEventIdx)} {
		r := newRig(t, pcifn.Config{}, c)
		ready := false
		rung := 0
		for _, a := range r.fn.Log() {
			ready = ready || a.Write && a.Register == "device_status" && a.Value == 15
			if a.Write && a.Register == "notify" {
				rung++
				if !ready {
					t.Errorf("before DRIVER_OK: %v", a)
				}
			}
		}
		if rung == 0 {
			t.Error("the device was never told about the receive buffers")
		}
	}
}

// basic/init/5, basic/init/6, basic/features/7: whatever goes wrong, FAILED is
// set, nothing more is initialised, and everything is released.
func TestFailureAtEachStep(t *testing.T) {
	const modern = 4
	for name, c := range map[string]struct {
		fn   pcifn.Config
		cfg  Config
		want any
		// phrase is in the message, for types that stand for several errors.
		phrase string
	}{
		"no VERSION_1":        {fn: pcifn.Config{Device: vdev.Config{Refuse: virtio.FeatureSet(virtio.Version1)}}, want: new(*Error), phrase: "legacy device"},
		"VERSION_1 refused":   {cfg: refuse(virtio.Version1), want: new(*Error), phrase: "VERSION_1 cannot be refused"},
		"no ACCESS_PLATFORM":  {fn: pcifn.Config{Device: vdev.Config{Refuse: virtio.FeatureSet(virtio.AccessPlatform)}}, want: new(*transport.FeatureError)},
		"FEATURES_OK refused": {fn: pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{RefuseFeatures: true}}}, want: new(*Error), phrase: "FEATURES_OK"},
		"generation flaps":    {fn: pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{GenerationFlaps: -1}}}, want: new(*transport.Error), phrase: "config_generation changed"},
		"no RX queue":         {fn: pcifn.Config{Device: vdev.Config{QueueSizes: map[int]int{0: 0}}}, want: new(*Error), phrase: "virtqueue 0 0"},
		"no TX queue":         {fn: pcifn.Config{Device: vdev.Config{QueueSizes: map[int]int{1: 0}}}, want: new(*Error), phrase: "virtqueue 1 0"},
		"RX queue too large":  {cfg: Config{RxQueueSize: 512}, want: new(*Error), phrase: "RxQueueSize 512"},
		"TX queue too large":  {cfg: Config{TxQueueSize: 32768}, want: new(*Error), phrase: "TxQueueSize 32768"},
		"split size 3":        {fn: pcifn.Config{Device: vdev.Config{Refuse: virtio.FeatureSet(virtio.RingPacked)}}, cfg: Config{TxQueueSize: 3}, want: new(*Error), phrase: "TxQueueSize 3"},
		"doorbell outside":    {fn: pcifn.Config{NotifyOff: func(int) uint16 { return 0xffff }}, want: new(*vpci.Error)},
		"queue not enabled": {fn: pcifn.Config{Hooks: pcifn.Hooks{Write: func(bar int, off uint64, width int, v uint32) (uint32, bool) {
			return v, bar != modern || off != 28
		}}}, want: new(*transport.Error), phrase: "queue_enable is 0"},
		"pairs refused": {fn: pcifn.Config{Device: vdev.Config{Pairs: 2}, Hooks: pcifn.Hooks{Write: func(bar int, off uint64, width int, v uint32) (uint32, bool) {
			return v, bar != modern || off < 0x3000 // no doorbell arrives, so the command is never seen
		}}}, cfg: Config{Queues: 2, ControlTimeout: 50 * time.Millisecond}, want: new(*ctrlq.Error), phrase: "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(t, c.fn)
			port, err := openPort(fn, c.cfg)
			if err == nil {
				t.Error("the port opened")
				if err := port.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, c.want) || !strings.Contains(err.Error(), c.phrase) {
				t.Errorf("error is %v (%T), want %T with %q", err, err, c.want, c.phrase)
			}
			t.Log(err)
			writes := statusWrites(fn)
			failed := slices.IndexFunc(writes, func(s virtio.Status) bool { return s.Has(virtio.StatusFailed) })
			if failed < 0 {
				t.Fatalf("FAILED was not set: %v", writes)
			}
			for _, s := range writes[failed+1:] {
				if s != 0 {
					t.Errorf("after FAILED the status was written as %v", s)
				}
			}
		})
	}
}

// basic/features/1, basic/features/2, basic/features/4, basic/features/5 and
// basic/features/8: of everything that can be offered only what is implemented,
// and only with its prerequisites, is accepted.
func TestOfferOfEverything(t *testing.T) {
	all := virtio.Features{^uint64(0), ^uint64(0)}
	beyond := featuresBy(ByDefault).Minus(vdev.Implemented()) // of this device
	r := newRig(t, pcifn.Config{Device: vdev.Config{Offer: all, Pairs: 2}}, Config{Queues: 2, Refuse: beyond})
	accepted := r.port.Features()
	if extra := accepted.Minus(featuresBy(ByDefault)); !extra.Empty() {
		t.Errorf("accepted without knowing them: %v", extra)
	}
	// CTRL_GUEST_OFFLOADS is of no use without a receive offload.
	wanted := featuresBy(ByDefault).Minus(beyond).Without(virtio.NetCtrlOffloads)
	if missing := wanted.Minus(accepted); !missing.Empty() {
		t.Errorf("offered, implemented and not accepted: %v", missing)
	}
	if accepted != accepted.Closure() {
		t.Errorf("accepted without prerequisites: %v", accepted.Minus(accepted.Closure()))
	}
	if r.dev.Accepted() != accepted {
		t.Errorf("the device was told %v", r.dev.Accepted())
	}
}

// basic/features/3: MQ requires CTRL_VQ.
func TestOfferWithoutPrerequisite(t *testing.T) {
	offer := vdev.Implemented().Without(virtio.NetCtrlVQ)
	r := newRig(t, pcifn.Config{Device: vdev.Config{Offer: offer, Pairs: 2}}, Config{Queues: 2})
	if f := r.port.Features(); f.Has(virtio.NetMQ) || f.Has(virtio.NetCtrlVQ) {
		t.Errorf("accepted %v", f)
	}
	if r.port.Queues() != 1 {
		t.Errorf("%d queue pairs", r.port.Queues())
	}
}

// basic/features/6: every feature but two can be missing.
func TestOfferWithoutOneFeature(t *testing.T) {
	for _, f := range vdev.Implemented().List() {
		if f == virtio.Version1 || f == virtio.AccessPlatform {
			continue // TestFailureAtEachStep
		}
		t.Run(f.String(), func(t *testing.T) {
			r := newRig(t, pcifn.Config{Device: vdev.Config{Offer: vdev.Implemented().Without(f), Pairs: 2}}, Config{Queues: 2})
			if r.port.Features().Has(f) {
				t.Errorf("%v was accepted", f)
			}
			sent := frametest.Series(0, 40, 60, 1514)
			r.send(0, sent...)
			r.settle()
			frametest.Equal(t, r.wire.transmitted(0), sent)
			r.wire.deliver(0, sent...)
			frametest.Equal(t, r.receive(0), sent)
		})
	}
}

// basic/reserved/1, basic/reserved/3, basic/reserved/6, basic/reserved/7,
// basic/reserved/9, basic/reserved/11, net/config/2 and net/config/7: accepted
// because offered.
func TestFeaturesAcceptedByDefault(t *testing.T) {
	r := newRig(t, pcifn.Config{Device: vdev.Config{Offer: vdev.Implemented().With(virtio.SRIOV)}}, Config{})
	for _, f := range []virtio.Feature{virtio.Version1, virtio.AccessPlatform, virtio.RingPacked, virtio.OrderPlatform,
		virtio.NotifConfigData, virtio.NetMAC, virtio.NetMTU} {
		if !r.port.Features().Has(f) {
			t.Errorf("%v was not accepted", f)
		}
	}
	if r.port.Features().Has(virtio.SRIOV) {
		t.Error("SR_IOV was accepted")
	}
}

// scattered is a transport on which pages that follow each other in memory do
// not at the device, as without an IOMMU.
type scattered struct {
	*vpci.Device
	fn     *pcifn.Function
	next   uint64
	mapped map[*hugepages.Memory][]uint64
}

func (s *scattered) DMA() transport.DMA { return transport.DMA{Physical: true, Last: math.MaxUint64} }

func (s *scattered) MapDMA(mem *hugepages.Memory) ([]uint64, error) {
	if pages := s.mapped[mem]; pages != nil {
		return pages, nil
	}
	size := mem.PageSize()
	var pages []uint64
	for b := mem.Bytes(); len(b) > 0; b = b[size:] {
		s.next -= uint64(3 * size)
		if err := s.fn.MapDMA(s.next, b[:size]); err != nil {
			return nil, err
		}
		pages = append(pages, s.next)
	}
	s.mapped[mem] = pages
	return pages, nil
}

func (s *scattered) UnmapDMA(mem *hugepages.Memory) error {
	var errs []error
	for _, page := range s.mapped[mem] {
		errs = append(errs, s.fn.UnmapDMA(page, mem.PageSize()))
	}
	delete(s.mapped, mem)
	return errors.Join(errs...)
}

func openScattered(t *testing.T, fn *pcifn.Function, c Config) (*Port, error) {
	t.Helper()
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c.Memory = smallPages
	return Open(&scattered{Device: dev, fn: fn, next: 1 << 45, mapped: map[*hugepages.Memory][]uint64{}}, c)
}

// basic/reserved/4, basic/reserved/5: every address that the device is given was
// mapped for it, also where pages are scattered.
func TestScatteredPages(t *testing.T) {
	for _, size := range []int{64, 16} {
		// Commands have no room in a page this small.
		for _, c := range []Config{refuse(virtio.RingIndirectDesc, virtio.NetCtrlVQ),
			refuse(virtio.RingIndirectDesc, virtio.NetCtrlVQ, virtio.RingPacked)} {
			fn := newFunction(t, functionWith(vdev.Config{Backend: wire.Loop(), MTU: 9000, Hold: true}))
			c.RxQueueSize, c.TxQueueSize = size, size
			port, err := openScattered(t, fn, c)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, fn: fn, dev: fn.Device(), port: port}
			sent := frametest.Series(0, 100, 60, 1514, 9014)
			var got [][]byte
			for i := range sent {
				r.send(0, sent[i])
				got = append(got, r.receive(0)...)
			}
			frametest.Equal(t, got, sent)
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// Pages may turn out smaller than those that rings were first placed for.
func TestScatteredPagesSmallerThanAssumed(t *testing.T) {
	fn := newFunction(t, pcifn.Config{})
	dev, err := vpci.Open(fn, vpci.Options{})
	if err != nil {
		t.Fatal(err)
	}
	port, err := Open(&scattered{Device: dev, fn: fn, next: 1 << 45, mapped: map[*hugepages.Memory][]uint64{}},
		Config{RxQueueSize: 128, TxQueueSize: 128, Refuse: virtio.FeatureSet(virtio.RingIndirectDesc), Memory: hugepages.Options{SmallPages: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := port.Close(); err != nil {
		t.Error(err)
	}
}

// A ring that does not fit into one page is refused, with a remedy.
func TestRingLargerThanAPage(t *testing.T) {
	fn := newFunction(t, pcifn.Config{})
	_, err := openScattered(t, fn, Config{RxQueueSize: 256})
	var bad *Error
	if !errors.As(err, &bad) || bad.Op != "virtqueue 0" || bad.Value.(int) <= smallPages.PageSize ||
		!strings.Contains(bad.Reason, fmt.Sprintf("one page of %d bytes", smallPages.PageSize)) {
		t.Errorf("error is %v", err)
	}
}

// basic/reset/1, pci/common/5: a reset is finished when the status reads 0, and the
// wait for that is bounded.
func TestResetThatTakesTime(t *testing.T) {
	r := newRig(t, pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{ResetReads: 50}}}, Config{})
	if r.port.Queues() != 1 {
		t.Error("no queues")
	}
}

func TestResetThatNeverCompletes(t *testing.T) {
	fn := newFunction(t, pcifn.Config{Device: vdev.Config{Faults: vdev.Faults{ResetReads: -1}}})
	_, err := openPort(fn, Config{ResetTimeout: 50 * time.Millisecond})
	var bad *transport.ResetError
	if !errors.As(err, &bad) {
		t.Fatalf("error is %v", err)
	}
}

// The device is not touched if the Config is invalid.
func TestInvalidConfigTouchesNothing(t *testing.T) {
	for _, c := range []Config{{RxQueueSize: 65536}, {TxQueueSize: -1}, {MTU: 1}, {Queues: -3},
		{RxQueueSize: 3, Refuse: virtio.FeatureSet(virtio.RingPacked)}} {
		fn := newFunction(t, pcifn.Config{})
		port, err := openPort(fn, c)
		if err == nil {
			t.Errorf("%+v opened", c)
			port.Close()
			continue
		}
		if writes := statusWrites(fn); len(writes) != 0 {
			t.Errorf("%v: the status was written as %v", err, writes)
		}
	}
}
