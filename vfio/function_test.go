package vfio

import (
	"errors"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func TestConfigurationSpaceIsRegionSevenOfTheFile(t *testing.T) {
	file, data := registers(t, 1)
	f := &Function{device: file, config: regionLayout{size: 256, offset: 0x100}}
	copy(data[0x100:], []byte{0xf4, 0x1a, 0x41, 0x10})
	for _, c := range []struct {
		off, width int
		want       uint32
	}{{0, 4, 0x10411af4}, {2, 2, 0x1041}, {3, 1, 0x10}} {
		if v, err := f.ReadConfig(c.off, c.width); v != c.want || err != nil {
			t.Errorf("read of %d bytes at %d: %#x, %v; want %#x", c.width, c.off, v, err, c.want)
		}
	}
	if err := f.WriteConfig(2, 2, 0xffff0001); err != nil ||
		!slices.Equal(data[0x100:0x106], []byte{0xf4, 0x1a, 1, 0, 0, 0}) {
		t.Errorf("write: % x, %v", data[0x100:0x106], err)
	}
	for _, c := range [][2]int{{256, 1}, {254, 4}, {1, 2}, {-4, 4}, {0, 8}} {
		var want *pci.Error
		if _, err := f.ReadConfig(c[0], c[1]); !errors.As(err, &want) ||
			want.Field != "configuration space" {
			t.Errorf("read of %d bytes at %d: %v, want a *pci.Error", c[1], c[0], err)
		}
		if err := f.WriteConfig(c[0], c[1], 0); !errors.As(err, &want) ||
			want.Field != "configuration space" {
			t.Errorf("write of %d bytes at %d: %v, want a *pci.Error", c[1], c[0], err)
		}
	}
}

func TestCloseTurnsBusMasteringOffAndMayBeRepeated(t *testing.T) {
	file, data := registers(t, 1)
	f := &Function{device: file, config: regionLayout{size: 256}, log: discard()}
	data[pci.RegCommand] = byte(pci.CommandBusMaster | pci.CommandMemory)
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if got := uint16(data[pci.RegCommand]); got != pci.CommandMemory {
		t.Errorf("command register %#x", got)
	}
	if _, err := f.ReadConfig(0, 4); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v, want os.ErrClosed", err)
	}
	f.resets = true
	if err := f.Reset(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a request after Close: %v, want os.ErrClosed", err)
	}
}

func TestRequestToAFileThatIsNotVFIO(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	f := &Function{device: null, container: null, irqs: 5, resets: true,
		limits: iommuLimits{pageSize: 4096}}
	page := make([]byte, 2*4096)
	page = page[4096-addressOf(page)%4096:][:4096]
	for name, try := range map[string]func() error{
		"VFIO_DEVICE_RESET":        f.Reset,
		"VFIO_DEVICE_GET_IRQ_INFO": func() error { _, err := f.Vectors(pci.MSIX); return err },
		"VFIO_IOMMU_MAP_DMA":       func() error { return f.MapDMA(4096, page) },
		"VFIO_IOMMU_UNMAP_DMA":     func() error { return f.UnmapDMA(4096, 4096) },
		"VFIO_IOMMU_GET_INFO": func() error {
			_, err := query(null, getIOMMUInfo, iommuInfo{})
			return err
		},
	} {
		if call := innermost(try()); call == nil || call.Op != name || call.Err != unix.ENOTTY {
			t.Errorf("%s: %v, want an *Error with ENOTTY", name, call)
		}
	}
}

// innermost returns the last [Error] in the chain of causes.
func innermost(err error) (last *Error) {
	for e := (*Error)(nil); errors.As(err, &e); err = e.Err {
		last = e
	}
	return last
}

func TestResetThatIsNotOffered(t *testing.T) {
	var want *Error
	err := (&Function{address: "0000:00:03.0"}).Reset()
	if !errors.As(err, &want) || want.Op != "reset" || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v, want errors.ErrUnsupported", err)
	}
}

func TestOnlyEAGAINIsRetried(t *testing.T) {
	for _, c := range []struct {
		answers []error
		want    error
	}{
		{[]error{nil}, nil},
		{[]error{unix.EAGAIN, unix.EAGAIN, nil}, nil},
		{[]error{unix.EAGAIN, unix.EIO}, unix.EIO},
	} {
		n := 0
		err := retryEAGAIN(func() error { n++; return c.answers[n-1] })
		if err != c.want || n != len(c.answers) {
			t.Errorf("%v: %v after %d tries", c.answers, err, n)
		}
	}
}

func TestRemediesAreAddedToRefusals(t *testing.T) {
	advice := map[unix.Errno]string{unix.EPERM: "ask nicely"}
	err := addRemedy(&Error{Op: "X", Err: unix.EPERM}, advice)
	if !strings.Contains(err.Error(), "X: operation not permitted; ask nicely") {
		t.Errorf("got %q", err)
	}
	if err := addRemedy(&Error{Op: "X", Err: unix.EIO}, advice); strings.Contains(err.Error(), ";") {
		t.Errorf("got %q", err)
	}
	if err := addRemedy(nil, advice); err != nil {
		t.Errorf("no refusal: %v", err)
	}
}

func TestRunsOfVectors(t *testing.T) {
	for _, c := range []struct {
		fds   []int
		first bool
		want  []run
	}{
		{[]int{-1, 5, -1}, true, []run{{0, 3}}},
		{[]int{-1, 5, 6, -1, 7}, false, []run{{1, 3}, {4, 5}}},
		{[]int{5}, false, []run{{0, 1}}},
		{[]int{-1, -1}, false, nil},
	} {
		if got := runs(c.fds, c.first); !slices.Equal(got, c.want) {
			t.Errorf("%v, first %v: %v, want %v", c.fds, c.first, got, c.want)
		}
	}
}

func TestInterruptsThatDoNotExist(t *testing.T) {
	f := &Function{irqs: 1}
	for _, kind := range []pci.IRQ{pci.MSIX, pci.Removal, 99} {
		if n, err := f.Vectors(kind); n != 0 || err != nil {
			t.Errorf("%s: %d, %v; want none", kind, n, err)
		}
		err := f.SetIRQ(kind, []int{0})
		var want *Error
		if !errors.As(err, &want) || want.Op != "set "+kind.String()+" interrupts (1 of 0 vectors)" {
			t.Errorf("%s: %v, want an *Error that names it", kind, err)
		}
		if err := f.SetIRQ(kind, nil); err != nil {
			t.Errorf("disabling %s: %v", kind, err)
		}
	}
}

func TestMapDMAChecksFirst(t *testing.T) {
	f := &Function{limits: iommuLimits{pageSize: 4096,
		ranges: []pci.Range{{First: 0, Last: 0xffff}, {First: 0x20000, Last: 0x2ffff}}}}
	mem := make([]byte, 4*4096)
	mem = mem[4096-addressOf(mem)%4096:][:2*4096]
	for _, c := range []struct {
		name, text string
		iova       uint64
		mem        []byte
	}{
		{"nothing", "is empty", 0, nil},
		{"wraps around", "beyond the last address", math.MaxUint64 - 0xfff, mem},
		{"unaligned for the device", "multiples", 0x1001, mem},
		{"unaligned in memory", "multiples", 0x1000, mem[1:4097]},
		{"unaligned length", "multiples", 0x1000, mem[:4095]},
		{"between the ranges", "0x0-0xffff, 0x20000-0x2ffff", 0x10000, mem},
		{"across an end", "does not accept", 0xf000, mem},
		{"beyond all", "does not accept", 1 << 40, mem},
	} {
		err := f.MapDMA(c.iova, c.mem)
		var want *Error
		if !errors.As(err, &want) || want.Value != c.iova || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v; want an *Error with the address and %q", c.name, err, c.text)
		}
	}
	if d := f.DMA(); d.Physical || len(d.Ranges) != 2 {
		t.Errorf("DMA: %+v", d)
	}
}

func TestWithoutIOMMUNothingIsMapped(t *testing.T) {
	f := &Function{physical: true}
	if err := f.MapDMA(0x1234000, make([]byte, 4096)); err != nil {
		t.Error(err)
	}
	if err := f.UnmapDMA(0x1234000, 4096); err != nil {
		t.Error(err)
	}
	if !f.DMA().Physical {
		t.Error("DMA does not say so")
	}
}

func TestMemlock(t *testing.T) {
	const status = "Name:\tx\nVmLck:\t    1024 kB\nVmPin:\t 4 kB\n" +
		"CapPrm:\tffffffffffffffff\nCapEff:\t%s\n"
	for _, c := range []struct {
		caps        string
		limit, size uint64
		short       bool
	}{
		{"0000000000000000", 3 << 20, 2 << 20, false},
		{"0000000000000000", 3 << 20, 2<<20 + 1, true},
		{"0000000000000000", 0, 1, true},
		{"0000000000000000", math.MaxUint64, math.MaxUint64 - 1, false},
		{"0000000000004000", 0, 1, false}, // CAP_IPC_LOCK
		{"ffffffffffffbfff", 0, 1, true},
	} {
		l := lockedMemory{limit: c.limit}
		l.parse(strings.Replace(status, "%s", c.caps, 1))
		err := l.check(c.size)
		if (err != nil) != c.short {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && (err.Need != 1<<20+c.size || err.Limit != c.limit) {
			t.Errorf("%+v: need %d, limit %d", c, err.Need, err.Limit)
		}
	}
}

// The limit of this process is checked before the kernel is asked to map.
func TestMapDMABeyondTheLimit(t *testing.T) {
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &before); err != nil {
		t.Fatal(err)
	}
	const limit = 64 << 10
	lowered := unix.Rlimit{Cur: limit, Max: before.Max}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &lowered); err != nil {
		t.Fatal(err)
	}
	defer unix.Setrlimit(unix.RLIMIT_MEMLOCK, &before)
	mem, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	result := make(chan error)
	go func() {
		// Capabilities belong to the thread: it is not unlocked, so that it ends with this
		// goroutine.
		runtime.LockOSThread()
		if err := dropCapabilities(); err != nil {
			result <- err
			return
		}
		f := &Function{limits: iommuLimits{pageSize: 4096}}
		result <- f.MapDMA(1<<32, mem)
	}()
	err = <-result
	var short *MemlockError
	if !errors.As(err, &short) || !errors.Is(err, fs.ErrPermission) || short.Limit != limit ||
		short.Need < 1<<20 || !strings.Contains(err.Error(), "ulimit -l") {
		t.Errorf("got %v, want a *MemlockError with the limit %d", err, limit)
	}
}

// dropCapabilities removes the effective capabilities of this thread.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[0].Effective, data[1].Effective = 0, 0
	return unix.Capset(&header, &data[0])
}
