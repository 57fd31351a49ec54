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

// Options say how Open is to work. The zero value is a good choice.
type Options struct {
	// NoIOMMU accepts a function that no IOMMU confines. Where there is an
	// IOMMU it is used all the same.
	NoIOMMU bool
	// Root is where dev and sys are; "" is "/".
	Root string
	// Logger is told what is of interest to people; nil is silent.
	Logger *slog.Logger
}

// Open takes over the function at an address. It must be bound to vfio-pci.
// Its memory and I/O decoding are on afterwards, its bus mastering is off: the
// owner turns that on in the command register once the device was reset.
//
// The error is a *NotFoundError, *NotBoundError, *NoIOMMUError,
// *NotViableError, *BusyError, *OpenError, *CallError or *ReplyError.
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
	f := &Function{address: address.String(), physical: at.pretended, log: o.Logger}
	if err := f.open(o.Root, at); err != nil {
		_ = f.Close() // err is what matters
		return nil, err
	}
	if at.pretended {
		o.Logger.Warn("no IOMMU: the device can reach all of memory", "function", f.address)
	}
	return f, nil
}

// check looks the function up and tells whether it may be opened.
func (o *Options) check(address string) (place, error) {
	at, err := find(o.Root, address)
	if err != nil {
		return place{}, err
	}
	if !isVFIO(at.driver) {
		return place{}, &NotBoundError{Address: address, Driver: at.driver}
	}
	if at.group < 0 {
		return place{}, &NoIOMMUError{Address: address}
	}
	if at.pretended && !o.NoIOMMU {
		return place{}, &NoIOMMUError{Address: address, Group: true}
	}
	return at, nil
}

// open goes from the group to the device in the order that the kernel demands:
// a group must be viable to get a container, a container must have a group to
// get its IOMMU, and only then does the group give the device away.
func (f *Function) open(root string, at place) error {
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
	if err := attach(f.container, f.group, at.pretended); err != nil {
		return err
	}
	if !at.pretended {
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

// openGroup opens the node of a group.
func openGroup(root string, at place) (*os.File, error) {
	name := strconv.Itoa(at.group)
	paths := []string{filepath.Join(root, "dev/vfio", name)}
	if at.pretended {
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
		return nil, &BusyError{Group: at.group, Path: path}
	case errors.Is(err, fs.ErrNotExist):
		return nil, &OpenError{Path: paths[0], Err: unix.ENOENT, Remedy: "in a container, hand this node into it"}
	case errors.Is(err, unix.EPERM) && at.pretended:
		return nil, &OpenError{Path: path, Err: unix.EPERM, Remedy: "no-IOMMU mode needs root or CAP_SYS_RAWIO"}
	}
	return nil, &OpenError{Path: path, Err: cause(err), Remedy: "as root: chown USER " + path}
}

// checkGroup tells whether the group can be used.
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
		return &NotViableError{Group: number, Members: list}
	}
	if status.Flags&groupContainerSet != 0 {
		return &BusyError{Group: number, Path: group.Name()}
	}
	return nil
}

// openContainer opens a new container and checks that its ABI is ours.
func openContainer(root string) (*os.File, error) {
	path := filepath.Join(root, "dev/vfio/vfio")
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, &OpenError{Path: path, Err: cause(err), Remedy: "as root: modprobe vfio-pci; in a container, hand this node into it"}
	}
	version, err := ioctl(file, getAPIVersion, 0)
	if err == nil && version != apiVersion {
		err = &ReplyError{Call: getAPIVersion.String(), Value: uint64(version), Reason: "it is another version of VFIO"}
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// attach puts the group into the container and chooses the container's IOMMU.
func attach(container, group *os.File, pretended bool) error {
	fd := encode(int32(container.Fd()))
	if _, err := ioctlBytes(group, setContainer, fd); err != nil {
		return remedy(err, map[unix.Errno]string{
			unix.EPERM: "no-IOMMU mode needs root or CAP_SYS_RAWIO",
			unix.EBUSY: "a kernel driver or another program uses a function of the group",
		})
	}
	kinds := []uintptr{type1v2IOMMU, type1IOMMU}
	if pretended {
		kinds = []uintptr{noIOMMU}
	}
	for _, kind := range kinds {
		if has, err := ioctl(container, checkExtension, kind); err != nil || has == 0 {
			continue
		}
		_, err := ioctl(container, setIOMMU, kind)
		return remedy(err, map[unix.Errno]string{
			unix.EPERM: "this machine cannot remap interrupts; if its devices are trusted, as root: " +
				"echo 1 > /sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
		})
	}
	if pretended {
		return &CallError{Call: checkExtension.String(), Err: unix.ENODEV,
			Remedy: "as root: echo 1 > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"}
	}
	return &CallError{Call: checkExtension.String(), Err: unix.ENODEV, Remedy: "as root: modprobe vfio_iommu_type1"}
}

// openDevice gets the file of a function from its group. The kernel resets the
// function on the way, and says EAGAIN if it is being looked at meanwhile.
func openDevice(group *os.File, address string) (*os.File, error) {
	name := append([]byte(address), 0)
	var fd int
	err := again(func() (err error) {
		fd, err = ioctlBytes(group, getDeviceFD, name)
		return err
	})
	if err != nil {
		return nil, remedy(err, map[unix.Errno]string{
			unix.EAGAIN: "something else keeps resetting or reconfiguring the function; try again",
			unix.ENODEV: "the function has gone or has just lost its driver",
		})
	}
	return os.NewFile(uintptr(fd), "vfio "+address), nil
}

// remedy adds advice to what the kernel refused.
func remedy(err error, advice map[unix.Errno]string) error {
	var call *CallError
	var number unix.Errno
	if errors.As(err, &call) && errors.As(call.Err, &number) {
		call.Remedy = advice[number]
	}
	return err
}

// cause returns what is wrong without the path, which the caller knows.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
