package inuse

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// processes is what the processes of the machine have open. Only root sees those of other users,
// and only root can bind.
type processes struct {
	proc string
	open map[string][]string // by what is open: the links below fd
}

// scan reads which files are open, once.
func (f *Finder) scan() *processes {
	if f.processes != nil {
		return f.processes
	}
	p := &processes{proc: f.file("/proc"), open: map[string][]string{}}
	f.processes = p
	fds, _ := filepath.Glob(p.proc + "/[0-9]*/fd/*")
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue
		}
		if strings.HasPrefix(target, "/dev/") || strings.HasPrefix(target, "socket:[") || isNetNS(target) {
			p.open[target] = append(p.open[target], fd)
		}
	}
	return p
}

// holding returns in words which processes have something open.
func (p *processes) holding(what string) []string {
	var all []string
	seen := map[string]bool{}
	for _, fd := range p.open[what] {
		pid := pidOf(p.proc, fd)
		if !seen[pid] {
			seen[pid] = true
			all = append(all, p.name(pid))
		}
	}
	return all
}

// name returns "process 4242 (l2fwd)".
func (p *processes) name(pid string) string {
	comm, _ := os.ReadFile(filepath.Join(p.proc, pid, "comm"))
	return "process " + pid + " (" + strings.TrimSpace(string(comm)) + ")"
}

// pidOf returns the process that a path below proc belongs to.
func pidOf(proc, path string) string {
	pid, _, _ := strings.Cut(strings.TrimPrefix(path, proc+"/"), "/")
	return pid
}

// mounts are those of one mount namespace.
type mounts struct {
	all   []*mountinfo.Info
	pid   string // a process in it; "self" for that of this process
	where string // "" for that of this process
	dir   string // where its root directory is
}

// mountSpaces reads the mounts of all mount namespaces, this process's first; err is why those of
// this process cannot be read.
func (f *Finder) mountSpaces() (spaces []mounts, err error) {
	p := f.scan()
	read := func(pid string) ([]*mountinfo.Info, error) {
		file, err := os.Open(filepath.Join(p.proc, pid, "mountinfo"))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		return mountinfo.GetMountsFromReader(file, nil)
	}
	own, err := read("self")
	spaces = append(spaces, mounts{all: own, pid: "self", dir: f.file("/")})
	seen := identities{}
	seen.add(filepath.Join(p.proc, "self/ns/mnt"))
	namespaces, _ := filepath.Glob(p.proc + "/[0-9]*/ns/mnt")
	for _, path := range namespaces {
		pid := pidOf(p.proc, path)
		if !seen.add(path) {
			continue
		}
		if all, err := read(pid); err == nil { // it may have ended
			spaces = append(spaces, mounts{all: all, pid: pid, where: "the mount namespace of " + p.name(pid),
				dir: filepath.Join(p.proc, pid, "root")})
		}
	}
	return spaces, err
}
