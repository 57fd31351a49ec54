package main

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/command"
	"github.com/virtio-pmd/virtio-pmd/apps/pktgen/result"
)

// outcome is what a command line came to.
type outcome struct {
	status         int
	stdout, stderr string
}

// pktgen runs a command line in this process, with ordinary pages.
func pktgen(args ...string) outcome {
	var stdout, stderr bytes.Buffer
	status := command.Run(app(), slices.Concat([]string{"pktgen", "--no-huge", "--quiet"}, args), &stdout, &stderr)
	return outcome{status, stdout.String(), stderr.String()}
}

// reportOf runs a command line with --json and returns the report, which is all that it
// writes to standard output. Status 1 is one that the machine may cause: a trial was short.
func reportOf(t *testing.T, args ...string) *result.Report {
	t.Helper()
	o := pktgen(append([]string{"--json"}, args...)...)
	if o.status > 1 {
		t.Fatalf("status %d:\n%s", o.status, o.stderr)
	}
	return decode(t, o)
}

func decode(t *testing.T, o outcome) *result.Report {
	t.Helper()
	if n := bytes.Count([]byte(o.stdout), []byte("\n")); n != 1 {
		t.Fatalf("%d lines on standard output, not one: %q\n%s", n, o.stdout, o.stderr)
	}
	r, err := result.ReadJSON(bytes.NewBufferString(o.stdout))
	if err != nil {
		t.Fatalf("%v\n%s", err, o.stderr)
	}
	return r
}

// checkSums checks that the figures of a trial are those of its ports and of its streams,
// and that what was received is what was sent.
func checkSums(t *testing.T, trial *result.Trial) {
	t.Helper()
	equal := func(what string, got, want uint64) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %d, and not %d", what, got, want)
		}
	}
	var ports, streams struct{ sent, unsent, lost uint64 }
	arrived := map[string]uint64{}
	for i := range trial.Streams {
		s := &trial.Streams[i]
		streams.sent, streams.unsent, streams.lost = streams.sent+s.TxPackets, streams.unsent+s.TxUnsent, streams.lost+s.Lost
		if s.Tracked {
			arrived[s.RxPort] += s.RxPackets + s.Stale
			equal(s.Name+": lost", s.Lost, s.TxPackets+s.TxUnsent-(s.RxPackets-s.Duplicates))
		}
		if l := s.Latency; l != nil {
			checkLatency(t, s, l)
		}
	}
	for i := range trial.Ports {
		p := &trial.Ports[i]
		ports.sent, ports.unsent = ports.sent+p.TxPackets, ports.unsent+p.TxUnsent
		equal(p.Name+": RX-packets", p.RxPackets, arrived[p.Name]+p.RxUnknown)
	}
	equal("sent by all ports", ports.sent, trial.Sent)
	equal("sent of all streams", streams.sent, trial.Sent)
	equal("unsent by all ports", ports.unsent, trial.Unsent)
	equal("unsent of all streams", streams.unsent, trial.Unsent)
	if !slices.ContainsFunc(trial.Streams, func(s result.Stream) bool { return !s.Tracked }) {
		equal("lost of all streams", streams.lost, trial.Lost)
	}
	if want := result.LossRatio(trial.Sent+trial.Unsent, trial.Lost); trial.LossRatio != want {
		t.Errorf("loss ratio %v, and not %v", trial.LossRatio, want)
	}
}

// checkLatency checks that percentiles ascend, within the extremes.
func checkLatency(t *testing.T, s *result.Stream, l *result.Latency) {
	t.Helper()
	if l.Samples != s.RxPackets-s.Duplicates {
		t.Errorf("%s: latency of %d packets, of %d that were received", s.Name, l.Samples, s.RxPackets)
	}
	if v := []int64{l.Min, l.P50, l.P90, l.P99, l.P999, l.P9999, l.Max}; !slices.IsSorted(v) || l.Samples > 0 && l.Min <= 0 {
		t.Errorf("%s: percentiles of the latency: %d ns", s.Name, v)
	}
}

// nothingLost checks that what was not received was not sent, which is the machine's doing.
func nothingLost(t *testing.T, trial *result.Trial) {
	t.Helper()
	if trial.Lost != trial.Unsent {
		t.Errorf("%d lost, of which %d were not sent", trial.Lost, trial.Unsent)
	}
	for _, s := range trial.Streams {
		if s.Duplicates != 0 || s.Late != 0 || s.Corrupt != (result.Corrupt{}) {
			t.Errorf("%s: %+v", s.Name, s)
		}
	}
	for _, p := range trial.Ports {
		if p.RxUnknown != 0 || p.RxErrors != 0 {
			t.Errorf("port %s: %+v", p.Name, p)
		}
	}
}

func (o outcome) String() string {
	return fmt.Sprintf("status %d\nstdout: %s\nstderr: %s", o.status, o.stdout, o.stderr)
}
