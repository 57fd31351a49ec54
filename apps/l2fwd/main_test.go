package main

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// TestMain makes the command l2fwd available to scripts and tests: it is this
// test binary under another name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"l2fwd": main})
}

// TestScripts runs the command lines in testdata.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", RequireExplicitExec: true, Deadline: time.Now().Add(2 * time.Minute)})
}

// TestJSON: l2fwd between a generator and a sink gives the object and nothing
// else on standard output, and its figures fit together; screens go to standard error.
func TestJSON(t *testing.T) {
	cmd := exec.Command("l2fwd", "--duration", "1200ms", "--json", "emu:gen", "emu:null")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	o := decode(t, stdout.Bytes())
	if o.App != "l2fwd" || o.Version == "" || o.Duration < 1 || len(o.Ports) != 2 {
		t.Fatalf("unexpected object: %s", stdout.String())
	}
	gen, null := o.Ports[0], o.Ports[1]
	if gen.Port != "emu:gen" || null.Port != "emu:null" || gen.Path == "" || len(gen.Features) == 0 {
		t.Errorf("the ports are not named or described: %s", stdout.String())
	}
	if gen.RxPackets < 10000 || gen.RxBytes != 64*gen.RxPackets || gen.RxErrors != 0 {
		t.Errorf("%d packets of %d bytes received in a second, %d errors", gen.RxPackets, gen.RxBytes, gen.RxErrors)
	}
	if null.TxPackets+null.TxDropped != gen.RxPackets || null.TxBytes != 64*null.TxPackets || null.RxPackets != 0 {
		t.Errorf("received %d, sent %d and dropped %d", gen.RxPackets, null.TxPackets, null.TxDropped)
	}
	if rate := float64(gen.RxPackets) / o.Duration; float64(gen.RxPPS) < rate*0.99 || float64(gen.RxPPS) > rate*1.01 {
		t.Errorf("rx_pps %d, and %.0f packets came a second", gen.RxPPS, rate)
	}
	if gen.Polls == 0 || gen.EmptyPolls > gen.Polls || null.EmptyPolls > null.Polls {
		t.Errorf("polls %d and %d, empty ones %d and %d", gen.Polls, null.Polls, gen.EmptyPolls, null.EmptyPolls)
	}
	for _, word := range []string{"RX-packets: ", "RX-nombuf: ", "Rx-pps: ", "Tx-bps: ", "TX-dropped: ", "Accumulated forward statistics"} {
		if !strings.Contains(stderr.String(), word) {
			t.Errorf("standard error lacks %q:\n%s", word, stderr.String())
		}
	}
}

func decode(t *testing.T, text []byte) report.Object {
	t.Helper()
	var o report.Object
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&o); err != nil {
		t.Fatalf("%v: %q", err, text)
	}
	if rest := bytes.TrimSpace(text[in.InputOffset():]); len(rest) != 0 {
		t.Errorf("more than one object on standard output: %q", rest)
	}
	return o
}
