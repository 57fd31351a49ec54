package unixsock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// Access says who may connect to a socket: connecting takes write permission.
type Access struct {
	// Mode is the permission bits of the file; 0 leaves them to the umask.
	Mode fs.FileMode
	// Group is the group of the file, a name or a number; "" is the process's.
	Group string
}

// owner is Access with the number of the group.
type owner struct {
	mode fs.FileMode
	gid  int // -1 for the process's
}

func (a Access) resolve() (owner, error) {
	o := owner{mode: a.Mode, gid: -1}
	if a.Mode&^fs.ModePerm != 0 {
		return o, &Error{Reason: fmt.Sprintf("the mode %v has other bits than permissions", a.Mode),
			Remedy: "use one like 0660", Err: fs.ErrInvalid}
	}
	if a.Group == "" {
		return o, nil
	}
	number := a.Group
	if g, err := user.LookupGroup(a.Group); err == nil {
		number = g.Gid
	}
	gid, err := strconv.ParseUint(number, 10, 31)
	if err != nil {
		return o, &Error{Reason: fmt.Sprintf("there is no group %q", a.Group),
			Remedy: "use a name of /etc/group or a number", Err: fs.ErrNotExist}
	}
	o.gid = int(gid)
	return o, nil
}

// apply sets mode and group of the socket at path. The descriptor makes sure that
// both are set on one file, and on no other than a socket, if another process
// replaces the file meanwhile.
func (o owner) apply(path string) error {
	if o.mode == 0 && o.gid < 0 {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return accessError("found", err)
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return accessError("examined", err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return accessError("found", unix.ENOTSOCK)
	}
	if o.gid >= 0 {
		if err := unix.Fchownat(fd, "", -1, o.gid, unix.AT_EMPTY_PATH); err != nil {
			return accessError("given to group "+strconv.Itoa(o.gid), err)
		}
	}
	if o.mode != 0 {
		// fchmod does not take such a descriptor; its name in /proc is the same file.
		if err := os.Chmod("/proc/self/fd/"+strconv.Itoa(fd), o.mode); err != nil {
			return accessError(fmt.Sprintf("given the mode %04o", o.mode), err)
		}
	}
	return nil
}

func accessError(what string, err error) error {
	e := &Error{Reason: "the socket cannot be " + what, Remedy: "take another path", Err: err}
	if errors.Is(err, fs.ErrPermission) {
		e.Remedy = "take a group that this user is a member of, or run as root"
	}
	return e
}
