package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// drive is a way in which scripts drive dpdk-testpmd. EAL is the program with options of the EAL
// and two ports, $OUT a file for what it writes.
type drive struct {
	name, script string
	want         []string // in what the script writes, or in $OUT
}

const (
	// summary is what was forwarded in the end, forwarded that it was something.
	summary   = `RX-packets: [0-9]+ +RX-dropped: 0 +RX-total: [0-9]`
	forwarded = `RX-packets: [1-9][0-9]* +RX-dropped: 0 +RX-total: [1-9]`
	// until asks until something was received, however long the program takes to start.
	until = `until grep -q 'RX-packets: [1-9]' $OUT; do echo 'show port stats 0'; sleep 0.05; done`
)

var drives = []drive{
	{"here-document", `$EAL -- -i --total-num-mbufs=2048 <<EOF
set fwd mac
start
show port stats all
stop
quit
EOF`, []string{"Set mac packet forwarding mode", "NIC statistics for port 0", "Bye..."}},
	{"--cmdline-file", `printf 'set fwd rxonly\nstart\n' >cmds
echo quit | $EAL -- -i --total-num-mbufs=2048 --cmdline-file=cmds`, []string{"Read CLI commands from cmds", "rxonly packet forwarding", "Bye..."}},
	{"a pipe with pauses", `>$OUT; (echo start; ` + until + `; echo stop; echo quit) | stdbuf -oL $EAL -- -i --total-num-mbufs=2048 >$OUT`,
		[]string{forwarded}},
	{"tail -f of a log", `>$OUT; $EAL -- --total-num-mbufs=2048 --stats-period 1 >>$OUT 2>&1 </dev/null &
timeout 50 tail -f -n +1 $OUT | grep -m1 'NIC statistics for port 1' || exit 1
kill -INT $!
wait $!`, []string{"NIC statistics for port 1", "Accumulated forward statistics"}},
	{"a service: no input, SIGTERM", `$EAL -- --total-num-mbufs=2048 --stats-period 1 >$OUT 2>&1 </dev/null &
until grep -qs 'start packet forwarding' $OUT; do sleep 0.01; done
sleep 0.1
kill -TERM $!
wait $!`, []string{"start packet forwarding", "Bye..."}},
	{"timeout -s INT", `for s in 1 4 16; do
timeout -k 10 -s INT --preserve-status $s $EAL -- --stats-period 1 --total-num-mbufs=2048 --forward-mode=macswap </dev/null >$OUT &&
grep -q 'RX-packets: [1-9]' $OUT && exit
done
exit 1`,
		[]string{"macswap packet forwarding", forwarded}},
	{"any key ends it", `>$OUT; (until grep -q 'Press enter' $OUT; do sleep 0.01; done; echo) | stdbuf -oL $EAL -- --total-num-mbufs=2048 >$OUT`,
		[]string{"Press enter to exit", summary}},
	{"a named pipe as input", `mkfifo in
stdbuf -oL $EAL -- -i --total-num-mbufs=2048 <in >$OUT 2>&1 &
exec 4>in
echo 'set fwd io' >&4
echo start >&4
until grep -qs 'io packet forwarding - ports=2' $OUT; do sleep 0.01; done
echo quit >&4
exec 4>&-
wait $!`, []string{"Set io packet forwarding mode", "Bye..."}},
	{"awk over statistics", `>$OUT; (echo start; ` + until + `; echo stop; echo quit) | stdbuf -oL $EAL -- -i --total-num-mbufs=2048 2>&1 | tee $OUT |
awk '/NIC statistics for port 0/ {on=1} on && $1 == "RX-packets:" {print "received", $2; on=0}'`, []string{`^received [1-9][0-9]*`}},
	{"--auto-start without a prompt, --tx-first", `(sleep 0.3; echo) | $EAL -- --total-num-mbufs=2048 --tx-first --forward-mode=rxonly --nb-cores=1 --rxq=1 --txq=1 --rxd=128 --txd=128`,
		[]string{"rxonly packet forwarding - ports=2 - cores=1", "Bye..."}},
}

// eal is the command line of a program up to the options of testpmd.
func eal(program string) string {
	return program + " -l 0,1 -n 2 --no-pci --no-huge -m 128 --no-shconf --no-telemetry --vdev net_null0 --vdev net_null1"
}

// TestDrives: the ways to drive dpdk-testpmd drive ours, unchanged.
func TestDrives(t *testing.T) {
	for _, program := range programs {
		for _, d := range drives {
			t.Run(program+"/"+d.name, func(t *testing.T) {
				if program == "testpmd" { // several of DPDK at once leave each other no CPU
					t.Parallel()
				}
				dir := t.TempDir()
				cmd := exec.Command("bash", "-c", d.script)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "EAL="+eal(program), "OUT=out")
				var out bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &out
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				kill := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
				timer := time.AfterFunc(3*patience, kill) // dpdk-testpmd takes long to start
				err := cmd.Wait()
				timer.Stop()
				kill() // what the script left behind
				more, _ := os.ReadFile(filepath.Join(dir, "out"))
				text := strings.ReplaceAll(out.String()+string(more), "\r", "")
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				for _, want := range d.want {
					if !regexp.MustCompile("(?m)" + want).MatchString(text) {
						t.Errorf("it does not say %q:\n%s", want, text)
					}
				}
			})
		}
	}
}

// TestExpect: a script of pexpect, which waits for the prompt, sends a line and finds the answer
// between two prompts, drives both unchanged.
func TestExpect(t *testing.T) {
	for _, program := range programs {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(program)
			if err != nil {
				t.Fatal(err)
			}
			args := append([]string{"testdata/session.py", path}, strings.Fields(eal("")+" -- -i --total-num-mbufs=4096")...)
			cmd := exec.Command("/usr/bin/python3", args...)
			cmd.Env = append(os.Environ(), "TERM=xterm", "XDG_STATE_HOME="+t.TempDir())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
