package main

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sshConnection is the connection that sshd started this login for.
type sshConnection struct {
	client, server net.IP
	zone           string // interface that a link-local address belongs to, or ""
}

// findSSH reads SSH_CONNECTION. sudo takes it out of the environment, so that
// of the processes above this one counts as well, where it can be read.
func findSSH(env environment) (sshConnection, bool) {
	if c, ok := parseSSH(env.getenv("SSH_CONNECTION")); ok {
		return c, true
	}
	pid := os.Getppid()
	for range maxAncestors {
		dir := filepath.Join("/", env.fs.Root, "proc", strconv.Itoa(pid))
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
	return sshConnection{}, false
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
func parseSSH(text string) (sshConnection, bool) {
	fields := strings.Fields(text)
	if len(fields) != 4 {
		return sshConnection{}, false
	}
	client, zone, _ := strings.Cut(fields[0], "%")
	server, serverZone, _ := strings.Cut(fields[2], "%")
	c := sshConnection{client: net.ParseIP(client), server: net.ParseIP(server), zone: zone}
	if c.zone == "" {
		c.zone = serverZone
	}
	return c, c.client != nil && c.server != nil
}

// openNodes returns, in words and by node, which processes have device nodes of vfio
// open. Only root sees the processes of other users, and only root can bind.
func openNodes(root string) map[string][]string {
	proc := filepath.Join("/", root, "proc")
	nodes := map[string][]string{}
	fds, _ := filepath.Glob(proc + "/[0-9]*/fd/*")
	seen := map[string]bool{}
	for _, fd := range fds {
		node, err := os.Readlink(fd)
		if err != nil || !strings.HasPrefix(node, "/dev/vfio/") {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid := filepath.Base(dir)
		if seen[pid+node] {
			continue
		}
		seen[pid+node] = true
		name, _ := os.ReadFile(dir + "/comm")
		nodes[node] = append(nodes[node], "process "+pid+" ("+strings.TrimSpace(string(name))+")")
	}
	return nodes
}
