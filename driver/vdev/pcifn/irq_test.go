package pcifn

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/pci"
	"github.com/virtio-pmd/virtio-pmd/test/fdtest"
)

func TestMSIX(t *testing.T) {
	h := newHost(t, Config{RefuseVector: func(v uint16) bool { return v == 2 }})
	if n, _ := h.f.Vectors(pci.MSIX); n != 4 {
		t.Fatalf("%d vectors", n)
	}
	fds := []int{fdtest.Eventfd(t), fdtest.Eventfd(t), fdtest.Eventfd(t), -1}
	if err := h.f.SetIRQ(pci.MSIX, fds); err != nil {
		t.Fatal(err)
	}
	if caps, _ := pci.Capabilities(h.f); true {
		c, _ := pci.First(caps, pci.CapabilityMSIX)
		if m, err := pci.ReadMSIX(h.f, c); err != nil || !m.Enabled || m.Vectors != 4 || m.TableBAR != msixBAR {
			t.Errorf("MSI-X %+v, %v", m, err)
		}
	}
	h.put(cConfigVector, 2, 0)
	h.negotiate(minimal)
	h.put(cConfigVector, 2, 0)
	h.put(cQueueSelect, 2, 1)
	h.put(cQueueVector, 2, 2)
	if v := h.get(cQueueVector, 2); v != virtio.NoVector {
		t.Errorf("the refused vector reads as %#x", v)
	}
	h.put(cQueueVector, 2, 1)
	if v := h.get(cQueueVector, 2); v != 1 {
		t.Errorf("the vector reads as %#x", v)
	}
	h.queue(0)
	h.queue(1)
	h.status(15)
	h.f.Device().SetLink(false)
	h.f.Device().NeedReset()
	if a, b := fdtest.Signals(fds[0]), fdtest.Signals(fds[1]); a != 2 || b != 0 {
		t.Errorf("%d config interrupts, %d of the queue", a, b)
	}
	if h.f.irq.Masked(1) || !h.f.irq.Masked(0) {
		t.Error("queue 1 has a vector, queue 0 has none")
	}
	h.f.irq.Queue(1)
	if n := fdtest.Signals(fds[1]); n != 1 {
		t.Errorf("%d queue interrupts", n)
	}
	// A reset unmaps the vectors; after they are disconnected no eventfd is signalled.
	h.status(0)
	if h.get(cConfigVector, 2) != virtio.NoVector {
		t.Error("the config vector survived a reset")
	}
	if err := h.f.SetIRQ(pci.MSIX, nil); err != nil {
		t.Fatal(err)
	}
	h.f.irq.setConfigVector(0)
	h.f.irq.Config()
	if n := fdtest.Signals(fds[0]); n != 0 {
		t.Error("an interrupt after MSI-X was switched off")
	}
	wantRules(t, h.f.Device())
}

func TestINTxAndISR(t *testing.T) {
	h := newHost(t, Config{Vectors: NoMSIX})
	if n, _ := h.f.Vectors(pci.MSIX); n != 0 {
		t.Errorf("%d vectors", n)
	}
	fd := fdtest.Eventfd(t)
	if err := h.f.SetIRQ(pci.INTx, []int{fd}); err != nil {
		t.Fatal(err)
	}
	h.up(minimal)
	h.f.Device().SetLink(false)
	h.f.irq.Queue(0)
	if n := fdtest.Signals(fd); n != 2 {
		t.Errorf("%d interrupts", n)
	}
	if v := h.get(isrOff, 1); v != isrQueue|isrConfig {
		t.Errorf("ISR %#x", v)
	}
	if v := h.get(isrOff, 1); v != 0 {
		t.Errorf("reading the ISR does not clear it: %#x", v)
	}
	wantRules(t, h.f.Device())
}

func TestISRWithMSIX(t *testing.T) {
	h := newHost(t, Config{})
	if err := h.f.SetIRQ(pci.MSIX, []int{fdtest.Eventfd(t)}); err != nil {
		t.Fatal(err)
	}
	h.get(isrOff, 1)
	wantRules(t, h.f.Device(), "pci/isr/1")
}

func TestIRQErrors(t *testing.T) {
	h := newHost(t, Config{Vectors: 1})
	var e *Error
	if err := h.f.SetIRQ(pci.MSIX, []int{-1, -1}); !errors.As(err, &e) || !strings.Contains(e.Reason, "it has 1") {
		t.Errorf("%v", err)
	}
	if err := h.f.SetIRQ(pci.MSIX, []int{1 << 20}); !errors.Is(err, unix.EBADF) {
		t.Errorf("%v", err)
	}
	fd := fdtest.Eventfd(t)
	if err := h.f.SetIRQ(pci.MSIX, []int{fd}); err != nil {
		t.Fatal(err)
	}
	// The caller may close its descriptor; -1 leaves the vector as it is.
	if err := h.f.SetIRQ(pci.MSIX, []int{-1}); err != nil {
		t.Fatal(err)
	}
	h.f.irq.setConfigVector(0)
	h.f.irq.Config()
	if fdtest.Signals(fd) != 1 {
		t.Error("-1 changed the vector")
	}
}

// A function that is unplugged reads as all ones, does no DMA, and has raised the
// removal request.
func TestUnplug(t *testing.T) {
	h := newHost(t, Config{Device: vdev.Config{Backend: wire.Gen(64)}})
	fd := fdtest.Eventfd(t)
	if err := h.f.SetIRQ(pci.Removal, []int{fd}); err != nil {
		t.Fatal(err)
	}
	h.up(minimal)
	h.f.RequestRemoval()
	if fdtest.Signals(fd) != 1 || h.get(cStatus, 1) != 15 {
		t.Error("a request alone removes the function, or it was not raised")
	}
	h.f.Unplug()
	if fdtest.Signals(fd) != 1 {
		t.Error("no removal request")
	}
	for off, want := range map[int]uint32{pci.RegVendorID: 0x10411af4, pci.RegCommand: 0xffffffff, pci.RegRevisionID: 0xffffffff} {
		if v, err := h.f.ReadConfig(off, 4); v != want || err != nil {
			t.Errorf("configuration space at %#x: %#x, %v", off, v, err)
		}
	}
	if h.get(cStatus, 1) != 0xff || h.get(cQueueSize, 2) != 0xffff || h.get(cDeviceFeature, 4) != 0xffffffff {
		t.Error("registers do not read as all ones")
	}
	h.put(cStatus, 1, 0)
	h.put(notifyOff, 2, 0)
	if h.f.Device().Status() != 15 || h.f.Device().Poll() != 0 {
		t.Error("a register write has an effect, or the device reaches memory")
	}
	if err := h.f.Close(); err != nil {
		t.Error(err)
	}
	wantRules(t, h.f.Device())
}
