package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// TestSumsWithKeys: whatever the keys of the ports, what a port received left by the other
// one, was dropped or was refused, in the object, in the queues of a port and in the summary,
// also where the queues are full and where filters keep packets away.
func TestSumsWithKeys(t *testing.T) {
	const all = "queues=3,rss=all,rss_table=0+1+2+0,hash=1,csum=1,tso=1,uso=1,lro=1,intr=1,coalesce=32/50us,vlan=100,mtu=1600"
	for _, c := range []struct {
		keys     string // of both ports
		narrow   string // of the one that is sent to, further ones
		filtered bool
	}{
		{keys: "queues=4,rss=all"},
		{keys: "queues=3,rss=tcp,hash=1,packed=0"},
		{keys: "csum=1,tso=1,uso=1"},
		{keys: "csum=1,lro=1"},
		{keys: "intr=1,coalesce=32/50us"},
		{keys: "promisc=1,announce=0"},
		{keys: "promisc=0,allmulti=0", filtered: true},
		{keys: "promisc=0,vlan=100+200,queues=2", filtered: true},
		{keys: "queues=4,pairs=4"},
		{keys: "queues=4", narrow: ",pairs=1,tx_queue_size=8"},
		{keys: "in_order=0,indirect=0,event_idx=0,mrg_rxbuf=0"},
		{keys: "queues=2", narrow: ",tx_queue_size=8"},
		{keys: all},
		{keys: all + ",promisc=0", filtered: true},
	} {
		t.Run(c.keys+c.narrow, func(t *testing.T) {
			t.Parallel()
			p := emulated(t, "", "emu:gen,"+c.keys, "emu:null,"+c.keys+c.narrow)
			p.options.Duration = 50 * time.Millisecond
			var stdout, stderr bytes.Buffer
			if err := p.run(t.Context(), &stdout, &stderr); err != nil {
				t.Fatalf("%v\n%s", err, stderr.String())
			}
			o := decode(t, stdout.Bytes())
			if o.Total.RxPackets == 0 && !c.filtered {
				t.Error("nothing was received")
			}
			checkSums(t, o)
			checkSummary(t, o, stderr.String())
			if full := o.Ports[1].Unsent.Full > 0; full != (c.narrow != "") {
				t.Errorf("queues were full: %t", full)
			}
			if filtered := o.Ports[0].RxFiltered > 0; filtered != c.filtered ||
				filtered != strings.Contains(stderr.String(), "kept away by the filters") {
				t.Errorf("packets were filtered: %t\n%s", filtered, stderr.String())
			}
		})
	}
}

// checkSums checks that the counters of two ports, and of their queues, add up.
func checkSums(t *testing.T, o report.Object) {
	t.Helper()
	for i, in := range o.Ports {
		out := o.Ports[i^1]
		if in.RxPackets != out.TxPackets+out.TxDropped+out.TxErrors {
			t.Errorf("port %d received %d; port %d sent %d, dropped %d, refused %d",
				i, in.RxPackets, i^1, out.TxPackets, out.TxDropped, out.TxErrors)
		}
		u := in.Unsent
		if u.Full+u.Length+u.Device != in.TxDropped || u.Chain+u.Pool+u.Owner+u.Offload != in.TxErrors {
			t.Errorf("port %d dropped %d and refused %d, by reason %+v", i, in.TxDropped, in.TxErrors, u)
		}
		if len(in.Queues) == 0 {
			continue
		}
		var sum report.QueueObject
		for _, q := range in.Queues {
			sum.RxPackets += q.RxPackets
			sum.RxBytes += q.RxBytes
			sum.RxErrors += q.RxErrors
			sum.RxNoMbuf += q.RxNoMbuf
			sum.TxPackets += q.TxPackets
			sum.TxDropped += q.TxDropped
			sum.Kicks += q.Kicks
			sum.Suppressed += q.Suppressed
		}
		if sum.RxPackets != in.RxPackets || sum.RxBytes != in.RxBytes || sum.RxErrors != in.RxErrors ||
			sum.RxNoMbuf != in.RxNoMbuf || sum.Kicks != in.Kicks || sum.Suppressed != in.Suppressed ||
			sum.TxPackets != in.TxPackets+u.Device || sum.TxDropped != in.TxDropped-u.Device+in.TxErrors {
			t.Errorf("port %d has %+v; its queues together have %+v", i, in.Totals, sum)
		}
	}
	if all := o.Total; all.RxPackets != all.TxPackets+all.TxDropped+all.TxErrors {
		t.Errorf("the totals do not add up: %+v", all)
	}
}

// checkSummary checks that the lines of the summary have what the object has, port by port
// and then of all.
func checkSummary(t *testing.T, o report.Object, text string) {
	t.Helper()
	var want []string
	for _, n := range []report.Totals{o.Ports[0].Totals, o.Ports[1].Totals, o.Total} {
		want = append(want,
			fmt.Sprint("RX ", n.RxPackets, n.RxErrors+n.RxMissed, n.RxPackets+n.RxErrors+n.RxMissed),
			fmt.Sprint("TX ", n.TxPackets, n.TxDropped, n.TxPackets+n.TxDropped+n.TxErrors))
	}
	var have []string
	for _, m := range regexp.MustCompile(`([RT]X)-packets: (\d+) +.X-dropped: (\d+) +.X-total: (\d+)\n`).FindAllStringSubmatch(text, -1) {
		var n [3]uint64
		for i := range n {
			n[i], _ = strconv.ParseUint(m[i+2], 10, 64)
		}
		have = append(have, fmt.Sprint(m[1]+" ", n[0], n[1], n[2]))
	}
	if strings.Join(have, "; ") != strings.Join(want, "; ") {
		t.Errorf("the summary has %q, the object %q", have, want)
	}
}
