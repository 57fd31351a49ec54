package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// unprivileged is the id of a user without privileges.
const unprivileged = 65534

// TestUnprivileged: the built command forwards between software devices for a
// user without privileges, on whose path is no program: with live rates, a
// summary, and status 0.
func TestUnprivileged(t *testing.T) {
	file := buildCommand(t)
	stdout := runUnprivileged(t, file, "--stats-period=50ms", "emu:gen", "emu:null")
	for _, want := range []string{"Forward statistics for port 0", "Accumulated forward statistics", `RX-packets: [1-9]`, `TX-packets: [1-9]`} {
		if !regexp.MustCompile(want).MatchString(stdout) {
			t.Errorf("no %q in the summary:\n%s", want, stdout)
		}
	}
	stdout = runUnprivileged(t, file, "--no-huge", "--json", "--stats-period=50ms", "emu:gen", "emu:null")
	lines := strings.SplitAfter(strings.TrimSpace(stdout), "\n")
	o := decode(t, []byte(lines[len(lines)-1]))
	if len(o.Ports) != 2 || o.Ports[0].RxPackets == 0 || o.Ports[1].TxPackets == 0 {
		t.Errorf("nothing was forwarded: %s", stdout)
	}
	t.Logf("%s", lines[len(lines)-1])
}

// buildCommand builds the command as users do and returns the file.
func buildCommand(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "l2fwd") // that of the test is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "l2fwd")
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", file, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// runUnprivileged runs the command until it has shown what it forwards, as another user where
// the test is root, and checks which privileges and pages it has while it runs.
func runUnprivileged(t *testing.T, file string, args ...string) (stdout string) {
	t.Helper()
	cmd := exec.Command(file, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH="}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: unprivileged, Gid: unprivileged}}
	}
	out, stderr := newWatcher(`Rx-pps: +[1-9][0-9]* +Rx-bps|"tx_packets":[1-9].*\n`), newWatcher("l2fwd: port 1")
	p := launchCommand(t, cmd, out, stderr)
	<-stderr.found // both ports are open
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	<-out.found
	p.send(t, syscall.SIGTERM)
	p.ends(t, 0)
	wanted := []string{"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n"}
	if slices.Contains(args, "--no-huge") { // otherwise it takes those that this machine may have
		wanted = append(wanted, "HugetlbPages:\t       0 kB\n")
	}
	for _, want := range wanted {
		if !bytes.Contains(status, []byte(want)) {
			t.Errorf("not %q in\n%s", want, status)
		}
	}
	return out.String()
}
