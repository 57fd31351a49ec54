package inuse

import (
	"net"
	"os"
	"strconv"
	"strings"
)

// connection is one that must not be lost.
type connection struct {
	peer, local net.IP // local is nil if it does not matter
	zone        string // interface that a link-local address belongs to, or ""
}

// ssh returns the connection that sshd started this login for. It reads SSH_CONNECTION. sudo takes
// it out of the environment, so that of the processes above this one counts as well, where it can
// be read.
func (f *Finder) ssh() (connection, bool) {
	if c, ok := parseSSH(f.getenv("SSH_CONNECTION")); ok {
		return c, true
	}
	pid := os.Getppid()
	for range maxAncestors {
		dir := f.file("/proc/" + strconv.Itoa(pid))
		variables, _ := os.ReadFile(dir + "/environ")
		for _, v := range strings.Split(string(variables), "\x00") {
			if value, ok := strings.CutPrefix(v, "SSH_CONNECTION="); ok {
				if c, ok := parseSSH(value); ok {
					return c, true
				}
			}
		}
		if pid = parent(dir); pid <= 1 {
			break
		}
	}
	return connection{}, false
}

// maxAncestors bounds the walk up: pids can be reused while it lasts.
const maxAncestors = 64

// parent returns the parent's pid, 0 if it cannot be read. The second field of
// stat, the name, may contain anything, so that fields are counted behind it.
func parent(dir string) int {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	pid, _ := strconv.Atoi(fields[1])
	return pid
}

// parseSSH reads "client port server port".
func parseSSH(text string) (connection, bool) {
	fields := strings.Fields(text)
	if len(fields) != 4 {
		return connection{}, false
	}
	client, zone, _ := strings.Cut(fields[0], "%")
	server, serverZone, _ := strings.Cut(fields[2], "%")
	c := connection{peer: net.ParseIP(client), local: net.ParseIP(server), zone: zone}
	if c.zone == "" {
		c.zone = serverZone
	}
	return c, c.peer != nil && c.local != nil
}
