package inuse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// space is a network namespace other than this one.
type space struct {
	where string // "the network namespace of process 4242 (pod)"
	links []netlink.Link
	ours  int // the number by which it knows this namespace, -1 if it does not
}

// spaces are the other network namespaces that can be found.
type spaces struct {
	all []space
	err error // why not all of them could be looked into
}

// others looks into the other network namespaces, once.
func (f *Finder) others() *spaces {
	if f.spaces != nil {
		return f.spaces
	}
	f.spaces = &spaces{}
	own, err := netns.GetFromPath("/proc/thread-self/ns/net")
	if err != nil {
		f.spaces.err = err
		return f.spaces
	}
	defer own.Close()
	seen := identities{}
	seen.add("/proc/thread-self/ns/net")
	for _, c := range f.candidates() {
		if !seen.add(c.path) {
			continue
		}
		s, err := lookInto(c.path, own)
		s.where = c.where
		switch {
		case err == nil:
			f.spaces.all = append(f.spaces.all, s)
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ESRCH): // ended in the meantime
		case errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0: // and bind would fail as well
		default:
			f.spaces.err = fmt.Errorf("%s: %w", c.where, err)
		}
	}
	return f.spaces
}

// candidate is a way to a network namespace.
type candidate struct{ path, where string }

// candidates lists the ways to all network namespaces, with names that people know first.
func (f *Finder) candidates() []candidate {
	var all []candidate
	p := f.scan()
	spaces, _ := f.mountSpaces()
	for _, s := range spaces {
		for _, m := range s.all {
			if m.FSType == "nsfs" && isNetNS(m.Root) {
				where := "the network namespace " + m.Mountpoint
				if s.where != "" {
					where += " in " + s.where
				}
				all = append(all, candidate{filepath.Join(s.dir, m.Mountpoint), where})
			}
		}
	}
	for _, pattern := range []string{"/[0-9]*/ns/net", "/[0-9]*/task/*/ns/net"} {
		paths, _ := filepath.Glob(p.proc + pattern)
		for _, path := range paths {
			all = append(all, candidate{path, "the network namespace of " + p.name(pidOf(p.proc, path))})
		}
	}
	for what, fds := range p.open {
		if !isNetNS(what) {
			continue
		}
		all = append(all, candidate{fds[0],
			"the network namespace that " + p.name(pidOf(p.proc, fds[0])) + " has open"})
	}
	return all
}

// isNetNS reports whether the kernel's name of a file is that of a network namespace.
func isNetNS(name string) bool { return strings.HasPrefix(name, "net:[") }

// lookInto lists the interfaces of a network namespace. own is the one of this goroutine.
func lookInto(path string, own netns.NsHandle) (space, error) {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return space{}, err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return space{}, err
	}
	defer h.Close()
	links, err := complete(h.LinkList)
	if err != nil {
		return space{}, err
	}
	// The list gives this namespace a number there, if an interface refers to it.
	number, err := h.GetNetNsIdByFd(int(own))
	if err != nil {
		return space{}, err
	}
	return space{links: links, ours: number}, nil
}

// identities are files by device and inode.
type identities []os.FileInfo

// add adds a file, and reports whether it exists and is none of those before.
func (s *identities) add(path string) bool {
	info, err := os.Stat(path)
	if err != nil || slices.ContainsFunc(*s, func(i os.FileInfo) bool { return os.SameFile(i, info) }) {
		return false
	}
	*s = append(*s, info)
	return true
}
