package sysfs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

const (
	one, two     = "0000:00:03.0", "0000:00:04.0"
	vfioBind     = "/sys/bus/pci/drivers/vfio-pci/bind"
	vfioUnbind   = "/sys/bus/pci/drivers/vfio-pci/unbind"
	virtioBind   = "/sys/bus/pci/drivers/virtio-pci/bind"
	virtioUnbind = "/sys/bus/pci/drivers/virtio-pci/unbind"
	probe        = "/sys/bus/pci/drivers_probe"
	oneOverride  = "/sys/bus/pci/devices/" + one + "/driver_override"
	twoOverride  = "/sys/bus/pci/devices/" + two + "/driver_override"
)

// isolated returns a virtio network function in an IOMMU group of its own.
func isolated(a string, group int) sysfstest.Function {
	f := sysfstest.VirtioNet(a, 0x1041, "eth0")
	f.Group = group
	return f
}

// pairs lists writes as path and value, which is all that a reader sees.
func pairs(writes []sysfs.Write) [][2]string {
	var all [][2]string
	for _, w := range writes {
		all = append(all, [2]string{w.Path, w.Value})
	}
	return all
}

func expectWrites(t *testing.T, what string, got []sysfs.Write, want ...[2]string) {
	t.Helper()
	if !reflect.DeepEqual(pairs(got), want) {
		t.Errorf("%s:\ngot  %v\nwant %v", what, pairs(got), want)
	}
}

func expectState(t *testing.T, m *sysfstest.Machine, a, driver, override string) {
	t.Helper()
	if m.Driver(a) != driver || m.Override(a) != override {
		t.Errorf("%s: driver %q, override %q; want %q and %q", a, m.Driver(a), m.Override(a), driver,
			override)
	}
}

func TestBindAndRestore(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1))
	bind, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "bind", bind.Writes(), [2]string{virtioUnbind, one},
		[2]string{oneOverride, "vfio-pci"}, [2]string{vfioBind, one})
	if bind[0].From != "virtio-pci" || bind[0].To != "vfio-pci" {
		t.Errorf("change: %+v", bind[0])
	}
	expectState(t, m, one, "virtio-pci", "") // a plan alone changes nothing
	if err := m.FS().Apply(t.Context(), bind); err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "applied", m.Writes, pairs(bind.Writes())...)
	expectState(t, m, one, "vfio-pci", "vfio-pci")

	again, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil || len(again) != 1 || again.Writes() != nil {
		t.Errorf("bound already: %+v, %v", again, err)
	}

	restore, err := m.FS().Restore("", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "restore", restore.Writes(), [2]string{vfioUnbind, one},
		[2]string{oneOverride, ""}, [2]string{virtioBind, one})
	if err := m.FS().Apply(t.Context(), restore); err != nil {
		t.Fatal(err)
	}
	expectState(t, m, one, "virtio-pci", "")
	info, err := m.FS().Function(address(t, one))
	if err != nil || !reflect.DeepEqual(info.Netdevs, []string{"eth0"}) {
		t.Errorf("interfaces after restore: %v, %v", info.Netdevs, err)
	}
	restore, err = m.FS().Restore("", address(t, one))
	if err != nil || restore.Writes() != nil {
		t.Errorf("restored already: %v, %v", restore, err)
	}
}

func TestUnbind(t *testing.T) {
	f := isolated(one, 1)
	f.Driver, f.Override = "vfio-pci", "vfio-pci"
	g := isolated(two, 2)
	g.Override = "other"
	m := sysfstest.New(t, f, g)
	plan, err := m.FS().Unbind(address(t, one), address(t, two))
	if err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "unbind", plan.Writes(), [2]string{vfioUnbind, one}, [2]string{oneOverride, ""},
		[2]string{virtioUnbind, two})
	if err := m.FS().Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	expectState(t, m, one, "", "")
	expectState(t, m, two, "", "other")
	if plan, err = m.FS().Unbind(address(t, one)); err != nil || plan.Writes() != nil {
		t.Errorf("unbound already: %v, %v", plan, err)
	}
}

func TestRestoreAnotherDevice(t *testing.T) {
	f := sysfstest.Function{Address: one, Vendor: 0x8086, Device: 0x10d3, Class: 0x020000,
		Own: "e1000e", Driver: "vfio-pci", Override: "vfio-pci", Group: 1}
	m := sysfstest.New(t, f)
	plan, err := m.FS().Restore("", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "restore", plan.Writes(), [2]string{vfioUnbind, one}, [2]string{oneOverride, ""},
		[2]string{probe, one})

	m.RemoveDriver("e1000e")
	err = m.FS().Apply(t.Context(), plan)
	var unbound *sysfs.Error
	if !errors.As(err, &unbound) || !strings.Contains(unbound.Reason, "but is with no driver") ||
		!strings.Contains(unbound.Remedy, "modprobe") {
		t.Errorf("no driver takes it: %v", err)
	}
	expectState(t, m, one, "vfio-pci", "vfio-pci") // undone

	m.AddDriver("e1000e")
	if err := m.FS().Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	expectState(t, m, one, "e1000e", "")
	if plan, err = m.FS().Restore("", address(t, one)); err != nil || plan.Writes() != nil ||
		plan[0].To != "e1000e" {
		t.Errorf("restored already: %+v, %v", plan, err)
	}
	if plan, err = m.FS().Restore("vfio-pci", address(t, one)); err != nil ||
		plan[0].To != "vfio-pci" {
		t.Errorf("a driver by name: %+v, %v", plan, err)
	}
}

func TestRestoreClearsOverrideOnly(t *testing.T) {
	f := isolated(one, 1)
	f.Override = "vfio-pci" // set, but the function was not bound again
	m := sysfstest.New(t, f)
	plan, err := m.FS().Restore("", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	expectWrites(t, "restore", plan.Writes(), [2]string{oneOverride, ""})
	if err := m.FS().Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	expectState(t, m, one, "virtio-pci", "")
}

func TestBindRefused(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1), sysfstest.VirtioNet(two, 0x1041))
	var driver *sysfs.Error
	for name, meant := range map[string]string{
		"uio_pci_generic": "", "vfio_pci": "vfio-pci", "": "", "..": "", "../devices": "",
		"vfio-pci/bind": "",
	} {
		_, err := m.FS().Bind(name, address(t, one))
		if !errors.As(err, &driver) || driver.Op != "find driver" ||
			driver.Device != strconv.Quote(name) ||
			strings.Contains(driver.Remedy, "did you mean") != (meant != "") ||
			!strings.Contains(driver.Remedy, meant) {
			t.Errorf("driver %q: %v", name, err)
		}
	}
	_, err := m.FS().Bind("vfio-pci", address(t, one), address(t, "00:1f.0"))
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such function: %v", err)
	}
	m.RemoveDriver("virtio-pci")
	if _, err := m.FS().Restore("", address(t, two)); !errors.As(err, &driver) ||
		!strings.Contains(err.Error(), "modprobe virtio-pci") {
		t.Errorf("restore without virtio-pci: %v", err)
	}
	if m.Writes != nil {
		t.Errorf("written: %v", m.Writes)
	}
}

func TestBindWithoutIOMMU(t *testing.T) {
	const parameter = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
	m := sysfstest.New(t, sysfstest.VirtioNet(one, 0x1041))
	_, err := m.FS().Bind("vfio-pci", address(t, one))
	if !errors.Is(err, errors.ErrUnsupported) ||
		!strings.Contains(err.Error(), "CONFIG_VFIO_NOIOMMU") {
		t.Errorf("no parameter: %v", err)
	}
	for _, remedy := range []string{"intel_iommu=on", "amd_iommu=on", "SMMU", "iommu_platform=on",
		"noiommu=1"} {
		if !strings.Contains(err.Error(), remedy) {
			t.Errorf("%q is not in %v", remedy, err)
		}
	}
	m.Put(parameter, "N\n")
	if _, err := m.FS().Bind("vfio-pci", address(t, one)); !errors.Is(err, errors.ErrUnsupported) ||
		!strings.Contains(err.Error(), "echo 1 > "+parameter) {
		t.Errorf("parameter N: %v", err)
	}
	m.Put(parameter, "Y\n")
	plan, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.FS().Apply(t.Context(), plan); err != nil {
		t.Fatal(err)
	}
	info, err := m.FS().Function(address(t, one))
	if err != nil || info.Group == nil || !info.Group.NoIOMMU {
		t.Errorf("group %+v, %v", info.Group, err)
	}
	m.AddDriver("uio_pci_generic")
	if _, err := m.FS().Bind("uio_pci_generic", address(t, one)); err != nil {
		t.Errorf("a driver that needs no IOMMU: %v", err)
	}
}

// On a machine whose IOMMU a device tree describes, the group of a function appears when the
// function is bound for the first time: only then is it known whether it has one.
func TestBindWithLateGroup(t *testing.T) {
	for name, c := range map[string]struct {
		driver string // that the function has at the start
		group  int    // that it gets, 0 for none
		early  bool   // refused before anything is written
		bound  bool
	}{
		"never bound":          {"", 7, false, true},
		"bound by the kernel":  {"virtio-pci", 7, false, true},
		"outside the IOMMU":    {"", 0, false, false},
		"bound, and no group":  {"virtio-pci", 0, true, false},
		"bound to vfio before": {"vfio-pci", 7, false, true},
	} {
		f := sysfstest.VirtioNet(one, 0x1041)
		f.Driver, f.Group, f.LateGroup = c.driver, c.group, true
		m := sysfstest.New(t, f)
		plan, err := m.FS().Bind("vfio-pci", address(t, one))
		if c.early != (err != nil) {
			t.Errorf("%s: planned with %v", name, err)
		}
		if err == nil {
			if late := c.driver == ""; plan[0].LateGroup() != late {
				t.Errorf("%s: late group %v", name, !late)
			}
			err = m.FS().Apply(t.Context(), plan)
		}
		info, infoErr := m.FS().Function(address(t, one))
		if infoErr != nil {
			t.Fatal(infoErr)
		}
		if c.bound {
			if err != nil || info.Driver != "vfio-pci" || info.Group == nil || info.Group.Number != 7 {
				t.Errorf("%s: %v, driver %q, group %+v", name, err, info.Driver, info.Group)
			}
			continue
		}
		if !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "no IOMMU group") {
			t.Errorf("%s: %v", name, err)
		}
		expectState(t, m, one, c.driver, "")
	}
}

// The kernel takes the write and yet there is no group.
func TestBindWithoutLateGroup(t *testing.T) {
	f := sysfstest.VirtioNet(one, 0x1041)
	f.Driver, f.Group, f.LateGroup = "", 7, true
	m := sysfstest.New(t, f)
	machine := m.FS()
	machine.WriteFile = func(path, value string) error {
		err := m.WriteFile(path, value)
		if path == vfioBind {
			err = os.Remove(filepath.Join(m.Root, "/sys/bus/pci/devices", one, "iommu_group"))
		}
		return err
	}
	plan, err := machine.Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Apply(t.Context(), plan); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	expectState(t, m, one, "", "")
}

// Each write fails once, for each function; all functions end in their former state.
func TestApplyRollsBack(t *testing.T) {
	for _, broken := range []string{twoOverride, vfioBind, oneOverride, virtioUnbind} {
		old := isolated(two, 2)
		old.Override = "virtio-pci"
		m := sysfstest.New(t, isolated(one, 1), old)
		plan, err := m.FS().Bind("vfio-pci", address(t, one), address(t, two))
		if err != nil {
			t.Fatal(err)
		}
		m.Refuse[broken] = syscall.EINVAL
		err = m.FS().Apply(t.Context(), plan)
		var write *sysfs.Error
		if !errors.As(err, &write) || write.Op != "write" || write.Device != broken ||
			!errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s refused: %v", broken, err)
		}
		var stuck *sysfs.RollbackError
		if errors.As(err, &stuck) {
			t.Errorf("%s refused: %v", broken, err)
		}
		expectState(t, m, one, "virtio-pci", "")
		expectState(t, m, two, "virtio-pci", "virtio-pci")
	}
}

func TestApplyRollsBackWhatTheKernelIgnored(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1))
	m.Ignore[vfioBind] = true
	plan, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	err = m.FS().Apply(t.Context(), plan)
	var wrong *sysfs.Error
	if !errors.As(err, &wrong) || wrong.Device != one ||
		wrong.Reason != "it should be with vfio-pci but is with no driver" {
		t.Errorf("got %v", err)
	}
	expectState(t, m, one, "virtio-pci", "")
}

func TestApplyReportsWhatItCannotTakeBack(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1))
	plan, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	m.Refuse[vfioBind] = syscall.EINVAL
	m.Refuse[virtioBind] = syscall.ENOMEM
	err = m.FS().Apply(t.Context(), plan)
	var stuck *sysfs.RollbackError
	if !errors.As(err, &stuck) || !errors.Is(stuck.Cause, syscall.EINVAL) ||
		!errors.Is(stuck.Undo, syscall.ENOMEM) {
		t.Errorf("got %v", err)
	}
	expectState(t, m, one, "", "")
}

func TestApplyEndsWithContext(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1))
	plan, err := m.FS().Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	machine := m.FS()
	machine.WriteFile = func(path, value string) error {
		if path == oneOverride {
			cancel()
		}
		return m.WriteFile(path, value)
	}
	if err := machine.Apply(ctx, plan); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	expectState(t, m, one, "virtio-pci", "")
}

// Without a model Apply writes files: exactly value and line feed, into files that exist. It
// creates none.
func TestApplyWritesFiles(t *testing.T) {
	m := sysfstest.New(t, isolated(one, 1))
	machine := sysfs.FS{Root: m.Root}
	plan, err := machine.Bind("vfio-pci", address(t, one))
	if err != nil {
		t.Fatal(err)
	}
	// No kernel reacts to the writes: the driver stays, Apply notices it and undoes the writes.
	var wrong *sysfs.Error
	if err := machine.Apply(t.Context(), plan); !errors.As(err, &wrong) ||
		!strings.Contains(wrong.Reason, "but is with virtio-pci") {
		t.Errorf("got %v", err)
	}
	for path, want := range map[string]string{
		virtioUnbind: one + "\n", vfioBind: one + "\n", virtioBind: one + "\n", oneOverride: "\n",
	} {
		if got, err := os.ReadFile(filepath.Join(m.Root, path)); err != nil || string(got) != want {
			t.Errorf("%s: %q, %v", path, got, err)
		}
	}

	if err := os.Remove(filepath.Join(m.Root, virtioUnbind)); err != nil {
		t.Fatal(err)
	}
	var write *sysfs.Error
	if err := machine.Apply(t.Context(), plan); !errors.As(err, &write) || write.Op != "write" ||
		!errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	if _, err := os.Stat(filepath.Join(m.Root, virtioUnbind)); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
}

func TestWriteErrorRemedies(t *testing.T) {
	for number, c := range map[syscall.Errno]struct {
		word string
		is   error
	}{
		syscall.EACCES: {"root", fs.ErrPermission}, syscall.EPERM: {"root", fs.ErrPermission},
		syscall.EROFS: {"read-only", nil}, syscall.ENODEV: {"does not take", nil},
		syscall.EINVAL: {"IOMMU", nil}, syscall.EIO: {"dmesg", nil},
		syscall.EBUSY: {"holds the function", sysfs.ErrInUse},
	} {
		m := sysfstest.New(t, isolated(one, 1))
		m.Refuse[vfioBind] = number
		plan, err := m.FS().Bind("vfio-pci", address(t, one))
		if err != nil {
			t.Fatal(err)
		}
		err = m.FS().Apply(t.Context(), plan)
		if text := fmt.Sprint(err); !strings.Contains(text, c.word) ||
			!strings.Contains(text, vfioBind) ||
			!strings.Contains(text, one) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%v: %s", number, text)
		}
	}
}
