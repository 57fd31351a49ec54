package vfio

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/pci"
)

// Options are the options of [Open]. The zero value is the safe choice.
type Options struct {
	// NoIOMMU accepts a function without an IOMMU, which can access all of memory. An IOMMU is used
	// if there is one.
	NoIOMMU bool
	// Root is the directory that contains dev and sys; "" is "/".
	Root string
	// Logger receives warnings; nil discards them.
	Logger *slog.Logger
}

// Open opens the function at an address, which must be bound to vfio-pci. Its memory and I/O
// decoding are enabled, its bus mastering is disabled: the caller enables that in the command
// register after it has reset the device.
//
// The error is a [NotBoundError] or an [Error].
func Open(address pci.Address, o Options) (*Function, error) {
	if o.Root == "" {
		o.Root = "/"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	at, err := o.check(address.String())
	if err != nil {
		return nil, err
	}
	f := &Function{address: address.String(), physical: at.noIOMMU, log: o.Logger}
	if err := f.open(o.Root, at); err != nil {
		_ = f.Close() // err is what matters
		return nil, err
	}
	if at.noIOMMU {
		o.Logger.Warn("no IOMMU: the device can reach all of memory", "function", f.address)
	}
	return f, nil
}

// check finds the function in sysfs and returns an error if it must not be opened.
func (o *Options) check(address string) (location, error) {
	at, err := find(o.Root, address)
	if err != nil {
		return location{}, err
	}
	if !isVFIO(at.driver) {
		return location{}, &NotBoundError{Address: address, Driver: at.driver}
	}
	if at.group < 0 {
		return location{}, noIOMMUError(address, false)
	}
	if at.noIOMMU && !o.NoIOMMU {
		return location{}, noIOMMUError(address, true)
	}
	return at, nil
}

// open opens group, container and device in the order that the kernel demands: a group must be
// viable to be added to a container, a container must have a group to get its IOMMU, and only then
// does the group return the file of the device.
func (f *Function) open(root string, at location) error {
	var err error
	if f.group, err = openGroup(root, at); err != nil {
		return err
	}
	if err := checkGroup(root, at.group, f.group); err != nil {
		return err
	}
	if f.container, err = openContainer(root); err != nil {
		return err
	}
	if err := attach(f.container, f.group, at.noIOMMU); err != nil {
		return err
	}
	if !at.noIOMMU {
		reply, err := query(f.container, getIOMMUInfo, &iommuInfo{})
		if err != nil {
			return err
		}
		if f.limits, err = parseIOMMUInfo(reply); err != nil {
			return err
		}
	}
	if f.device, err = openDevice(f.group, f.address); err != nil {
		return err
	}
	return f.setUp()
}

// openGroup opens the device node of a group.
func openGroup(root string, at location) (*os.File, error) {
	name := strconv.Itoa(at.group)
	paths := []string{filepath.Join(root, "dev/vfio", name)}
	if at.noIOMMU {
		paths = []string{filepath.Join(root, "dev/vfio", "noiommu-"+name), paths[0]}
	}
	var file *os.File
	var err error
	var path string
	for _, path = range paths {
		if file, err = os.OpenFile(path, os.O_RDWR, 0); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, unix.EBUSY):
		return nil, busyError(at.group, path)
	case errors.Is(err, fs.ErrNotExist):
		return nil, openError(paths[0], unix.ENOENT,
			"in a container, pass this device node through to it")
	case errors.Is(err, unix.EPERM) && at.noIOMMU:
		return nil, openError(path, unix.EPERM, "no-IOMMU mode needs root or CAP_SYS_RAWIO")
	}
	return nil, openError(path, withoutPath(err), "as root: chown USER "+path)
}

// openError is a device node below /dev/vfio that cannot be opened.
func openError(path string, err error, remedy string) *Error {
	return &Error{Op: "open", Device: path, Err: err, Remedy: remedy}
}

// checkGroup returns an error if the group cannot be used.
func checkGroup(root string, number int, group *os.File) error {
	var status groupStatus
	if err := exchange(group, getGroupStatus, &status); err != nil {
		return err
	}
	if status.Flags&groupViable == 0 {
		list, err := members(root, number)
		if err != nil {
			return err
		}
		return notViableError(number, list)
	}
	if status.Flags&groupContainerSet != 0 {
		return busyError(number, group.Name())
	}
	return nil
}

// openContainer opens a new container and checks the version of its ABI.
func openContainer(root string) (*os.File, error) {
	path := filepath.Join(root, "dev/vfio/vfio")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, openError(path, withoutPath(err),
			"as root: modprobe vfio-pci; in a container, pass this device node through to it")
	}
	version, err := ioctl(file, getAPIVersion, 0)
	if err == nil && version != apiVersion {
		err = replyError(getAPIVersion.String(), uint64(version), "it is another version of VFIO")
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// attach adds the group to the container and selects the type of the container's IOMMU.
func attach(container, group *os.File, noIOMMUMode bool) error {
	fd := encode(int32(container.Fd()))
	if _, err := ioctlBytes(group, setContainer, fd); err != nil {
		return addRemedy(err, map[unix.Errno]string{
			unix.EPERM: "no-IOMMU mode needs root or CAP_SYS_RAWIO",
			unix.EBUSY: "a kernel driver or another program uses a function of the group",
		})
	}
	kinds := []uintptr{type1v2IOMMU, type1IOMMU}
	if noIOMMUMode {
		kinds = []uintptr{noIOMMU}
	}
	for _, kind := range kinds {
		if has, err := ioctl(container, checkExtension, kind); err != nil || has == 0 {
			continue
		}
		_, err := ioctl(container, setIOMMU, kind)
		return addRemedy(err, map[unix.Errno]string{
			unix.EPERM: "this machine cannot remap interrupts; if its devices are trusted, as root: " +
				"echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
		})
	}
	if noIOMMUMode {
		return &Error{Op: checkExtension.String(), Err: unix.ENODEV,
			Remedy: "as root: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"}
	}
	return &Error{Op: checkExtension.String(), Err: unix.ENODEV,
		Remedy: "as root: modprobe vfio_iommu_type1"}
}

// openDevice gets the file of a function from its group. The kernel resets the function, which
// fails with EAGAIN while another reset or a configuration change is in progress.
func openDevice(group *os.File, address string) (*os.File, error) {
	name := append([]byte(address), 0)
	var fd int
	err := retryEAGAIN(func() (err error) {
		fd, err = ioctlBytes(group, getDeviceFD, name)
		return err
	})
	if err != nil {
		return nil, addRemedy(err, map[unix.Errno]string{
			unix.EAGAIN: "something else keeps resetting or reconfiguring the function; try again",
			unix.ENODEV: "the function was removed or has just lost its driver",
		})
	}
	return os.NewFile(uintptr(fd), "vfio "+address), nil
}

// addRemedy sets the remedy of an [Error] by the error number of the kernel.
func addRemedy(err error, advice map[unix.Errno]string) error {
	var e *Error
	var number unix.Errno
	if errors.As(err, &e) && errors.As(e.Err, &number) {
		e.Remedy = advice[number]
	}
	return err
}

// withoutPath returns the cause of an [fs.PathError]: the caller's error names the path.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
