package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// TestMain makes the command testpmd available to scripts and tests: it is this
// test binary under another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"testpmd": main})
}

// TestScripts runs the command lines in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"await": awaitFile}})
}

// awaitFile is a command of scripts that waits for a file.
func awaitFile(ts *testscript.TestScript, _ bool, args []string) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		_, err := os.Stat(ts.MkAbs(args[0]))
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v", err)
		}
	}
}

// TestJSON: the object, and nothing else, is on standard output, and its figures
// fit together, in every mode.
func TestJSON(t *testing.T) {
	for _, m := range modes() {
		t.Run(m.name, func(t *testing.T) {
			o, stderr := runJSON(t, "--duration", "300ms", "--forward-mode", m.name, "emu:gen", "emu:null")
			if o.App != "testpmd" || o.Version == "" || o.Duration < 0.2 || o.Duration > 10 || len(o.Ports) != 2 || o.Cycles != nil {
				t.Fatalf("unexpected object: %+v", o)
			}
			gen, null := o.Ports[0], o.Ports[1]
			if gen.Port != "emu:gen" || null.Port != "emu:null" || gen.Path == "" || len(gen.Features) == 0 {
				t.Errorf("the ports are not named or described: %+v", o)
			}
			switch received := gen.RxPackets > 0; {
			case received != m.receives:
				t.Errorf("%d packets received", gen.RxPackets)
			case received && gen.RxBytes != 64*gen.RxPackets:
				t.Errorf("%d packets of 64 bytes have %d bytes", gen.RxPackets, gen.RxBytes)
			}
			if sent := null.TxPackets > 0; sent != (m.transmits && !m.answers) {
				t.Errorf("%d packets sent", null.TxPackets)
			}
			for _, p := range o.Ports {
				if p.RxErrors != 0 || p.RxNoMbuf != 0 || p.EmptyPolls > p.Polls {
					t.Errorf("%s: %+v", p.Port, p)
				}
			}
			for _, word := range []string{"RX-packets: ", "Rx-pps: ", "TX-dropped: ", "Accumulated forward statistics", "(" + m.name + ")"} {
				if !strings.Contains(stderr, word) {
					t.Errorf("standard error lacks %q:\n%s", word, stderr)
				}
			}
		})
	}
}

// TestQueues: with several queues and pollers every queue carries packets.
func TestQueues(t *testing.T) {
	o, _ := runJSON(t, "--duration", "500ms", "--cpus", "0,1", "emu:gen,queues=2", "emu:null,queues=2")
	for i, q := range o.Ports[0].Queues {
		if q.RxPackets == 0 || o.Ports[1].Queues[i].TxPackets == 0 {
			t.Errorf("queue %d: %d received, %d sent", i, q.RxPackets, o.Ports[1].Queues[i].TxPackets)
		}
	}
	if len(o.Ports[0].Queues) != 2 || len(o.Ports[1].Queues) != 2 {
		t.Errorf("queues %+v and %+v", o.Ports[0].Queues, o.Ports[1].Queues)
	}
}

// TestCoreCycles: the cycles of bursts are in the object and on screen.
func TestCoreCycles(t *testing.T) {
	for mode, port := range map[string]string{"rxonly": "emu:gen", "txonly": "emu:null"} {
		o, stderr := runJSON(t, "--duration", "500ms", "--record-core-cycles", "--forward-mode", mode, port)
		c := o.Cycles
		if c == nil {
			t.Fatal("no cycles in the object")
		}
		// A burst takes longer than nothing, and all bursts less than the run.
		if c.PerPacket < 1 || float64(c.Busy) > 1.1*o.Duration*c.MHz*1e6 || c.MHz < 1 || c.MHz > 10000 {
			t.Errorf("%s: %+v in %.3f s", mode, *c, o.Duration)
		}
		if want := o.Ports[0].RxPackets + o.Ports[0].TxPackets; c.Packets != want {
			t.Errorf("%s: cycles of %d packets, and there were %d", mode, c.Packets, want)
		}
		if !strings.Contains(stderr, "CPU cycles/packet=") || !strings.Contains(stderr, "total "+mode+" packets=") {
			t.Errorf("the summary has no cycles:\n%s", stderr)
		}
	}
}

// runJSON runs testpmd --json and returns the object and standard error.
func runJSON(t *testing.T, args ...string) (report.Object, string) {
	t.Helper()
	cmd := exec.Command("testpmd", append([]string{"--json"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var o report.Object
	in := json.NewDecoder(&stdout)
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		t.Fatal(err)
	}
	if in.More() {
		t.Error("more than one object on standard output")
	}
	return o, stderr.String()
}
