package vdev_test

import (
	"bytes"
	"runtime"
	"testing"
	"time"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// rssConfig is the data of RSS_CONFIG.
func rssConfig(types virtio.HashTypes, unclassified int, table []int, tx int, key []byte) []byte {
	b := cat(le32(uint32(types)), le16(len(table)-1), le16(unclassified))
	for _, id := range table {
		b = append(b, le16(id)...)
	}
	return cat(b, le16(tx), []byte{byte(len(key))}, key)
}

// hashConfig is the data of HASH_CONFIG.
func hashConfig(types virtio.HashTypes, key []byte) []byte {
	return cat(le32(uint32(types)), make([]byte, 8), []byte{byte(len(key))}, key)
}

// Each mistake in a command is recorded under its rule, answered with ERR, and changes
// nothing.
func TestCommandRules(t *testing.T) {
	key := make([]byte, 40)
	table := make([]int, 256)
	macs := cat(otherMAC, groupMAC)
	cases := map[string]struct {
		class, cmd byte
		room       int
		data       []byte
		rule       string
	}{
		"promiscuous 2":               {0, 0, 0, []byte{2}, "x/net/rx-mode"},
		"promiscuous without a value": {0, 0, 0, nil, "x/net/ctrl-length"},
		"promiscuous, 2 bytes":        {0, 0, 0, []byte{1, 0}, "x/net/ctrl-length"},
		"table without lists":         {1, 0, 0, nil, "x/net/ctrl-length"},
		"table, one list":             {1, 0, 0, le32(0), "x/net/ctrl-length"},
		"table, bytes behind it":      {1, 0, 0, cat(le32(0), le32(0), []byte{0}), "x/net/ctrl-length"},
		"table too short":             {1, 0, 0, cat(le32(2), otherMAC, le32(0)), "x/net/ctrl-length"},
		"table of 2^32-1":             {1, 0, 0, cat(le32(0xffffffff), otherMAC, le32(0)), "x/net/ctrl-length"},
		"group among stations":        {1, 0, 0, cat(le32(2), macs, le32(0)), "net/ctrl-mac/3"},
		"station among groups":        {1, 0, 0, cat(le32(0), le32(2), macs), "net/ctrl-mac/3"},
		"address of 7 bytes":          {1, 1, 0, append([]byte{2}, ownMAC...), "x/net/ctrl-length"},
		"address of a group":          {1, 1, 0, groupMAC, "x/net/mac-addr"},
		"address 0":                   {1, 1, 0, make([]byte, 6), "x/net/mac-addr"},
		"VLAN 4096":                   {2, 0, 0, le16(4096), "x/net/vlan-id"},
		"VLAN 65535 removed":          {2, 1, 0, le16(65535), "x/net/vlan-id"},
		"VLAN of 4 bytes":             {2, 0, 0, le32(5), "x/net/ctrl-length"},
		"announce with data":          {3, 0, 0, []byte{0}, "x/net/ctrl-length"},
		"3 pairs":                     {4, 0, 0, le16(3), "net/mq/2"},
		"pairs, 1 byte":               {4, 0, 0, []byte{1}, "x/net/ctrl-length"},
		"table of 3":                  {4, 1, 0, rssConfig(1, 0, []int{0, 0, 0}, 2, key), "net/rss/3"},
		"table of 256":                {4, 1, 0, rssConfig(1, 0, table, 2, key), "net/rss/4"},
		"queue 2 in the table":        {4, 1, 0, rssConfig(1, 0, []int{0, 2}, 2, key), "net/rss/2"},
		"the control queue":           {4, 1, 0, rssConfig(1, 0, []int{0, 0, 0, 4}, 2, key), "net/rss/2"},
		"reserved bit":                {4, 1, 0, rssConfig(1, 0, []int{0x8000}, 2, key), "net/rss/2"},
		"unclassified queue 2":        {4, 1, 0, rssConfig(1, 2, []int{0}, 2, key), "x/net/rss-ids"},
		"unclassified, reserved bit":  {4, 1, 0, rssConfig(1, 0x8001, []int{0}, 2, key), "x/net/rss-ids"},
		"no transmit queue":           {4, 1, 0, rssConfig(1, 0, []int{0}, 0, key), "x/net/rss-ids"},
		"3 transmit queues":           {4, 1, 0, rssConfig(1, 0, []int{0}, 3, key), "x/net/rss-ids"},
		"65535 transmit queues":       {4, 1, 0, rssConfig(1, 0, []int{0}, 65535, key), "x/net/rss-ids"},
		"hash types":                  {4, 1, 0, rssConfig(virtio.HashUDPv6Ex<<1, 0, []int{0}, 1, key), "net/rss/5"},
		"hash type not supported":     {4, 1, 0, rssConfig(virtio.HashUDPv4, 0, []int{0}, 1, key), "net/rss/5"},
		"key of 41":                   {4, 1, 0, rssConfig(1, 0, []int{0}, 1, make([]byte, 41)), "x/net/rss-key"},
		"RSS without table":           {4, 1, 0, make([]byte, 8), "x/net/ctrl-length"},
		"RSS, 7 bytes":                {4, 1, 0, make([]byte, 7), "x/net/ctrl-length"},
		"RSS, key cut off":            {4, 1, 0, rssConfig(1, 0, []int{0}, 1, key)[:40], "x/net/ctrl-length"},
		"RSS, bytes behind it":        {4, 1, 0, append(rssConfig(1, 0, []int{0}, 1, key), 0), "x/net/ctrl-length"},
		"hash, reserved":              {4, 2, 0, cat(le32(1), []byte{0, 0, 0, 0, 0, 0, 0, 1, 0}), "net/hash-config/1"},
		"hash, 12 bytes":              {4, 2, 0, make([]byte, 12), "x/net/ctrl-length"},
		"hash, key cut off":           {4, 2, 0, hashConfig(1, key)[:20], "x/net/ctrl-length"},
		"hash, types":                 {4, 2, 0, hashConfig(1<<31, key), "net/rss/5"},
		"hash, key of 255":            {4, 2, 0, hashConfig(1, make([]byte, 255)), "x/net/rss-key"},
		"offload not negotiated":      {5, 0, 0, le64(1 << virtio.NetGuestCSUM), "net/offloads/1"},
		"offload without number":      {5, 0, 0, le64(1 << 46), "net/offloads/1"},
		"offloads of 4 bytes":         {5, 0, 0, le32(0), "x/net/ctrl-length"},
		"coalescing of 4 bytes":       {6, 0, 0, le32(1), "x/net/ctrl-length"},
		"coalescing, control queue":   {6, 2, 0, cat(le16(4), make([]byte, 10)), "net/coal/1"},
		"coalescing, queue 65535":     {6, 2, 0, cat(le16(65535), make([]byte, 10)), "net/coal/1"},
		"coalescing of which queue":   {6, 3, 8, cat(le16(5), make([]byte, 2)), "net/coal/1"},
		"coalescing, no room":         {6, 3, 7, cat(le16(0), make([]byte, 2)), "x/net/ctrl-result"},
		"coalescing, 12 bytes to get": {6, 3, 8, make([]byte, 12), "x/net/ctrl-length"},
		"tunnels of 2 bytes":          {7, 0, 0, le16(1), "x/net/ctrl-length"},
		"tunnels without number":      {7, 0, 0, le32(1 << 9), "net/hash-tunnel/2"},
		"statistics, no room":         {8, 0, 7, nil, "x/net/ctrl-result"},
		"statistics, data":            {8, 0, 8, []byte{0}, "x/net/ctrl-length"},
		"statistics of what":          {8, 1, 64, nil, "x/net/ctrl-length"},
		"statistics, 15 bytes":        {8, 1, 64, make([]byte, 15), "x/net/ctrl-length"},
	}
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{Pairs: 2, HashTypes: virtio.HashAll &^ virtio.HashUDPv4}, f)
		for name, c := range cases {
			ack, result := r.result(c.class, c.cmd, c.room, c.data...)
			if ack != virtio.CtrlErr || len(result) != 0 {
				t.Errorf("%s: answer %d and %d bytes", name, ack, len(result))
			}
			r.wantRules(c.rule)
			if t.Failed() {
				t.Fatal(name)
			}
			r.d.ClearViolations()
			r.brk = 2 << 20 // what the commands used
		}
		if got := r.arrive(-1, ownMAC, otherMAC, groupMAC, everyone); got != "03" || r.d.ActivePairs() != 1 {
			t.Errorf("afterwards frames %q arrive, %d pairs are active", got, r.d.ActivePairs())
		}
	})
}

// MAC_ADDR_SET needs both features.
func TestMACAddrSetWithoutFeature(t *testing.T) {
	for rule, f := range map[string]virtio.Features{
		"net/ctrl-mac/1":     allCtrl.Without(virtio.NetCtrlRx),
		"x/net/ctrl-feature": allCtrl.Without(virtio.NetCtrlMACAddr),
	} {
		r := newCtrlRig(t, vdev.Config{}, split.Or(f))
		if ack := r.command(r.ctrl, virtio.CtrlMAC, virtio.CtrlMACAddrSet, otherMAC...); ack != virtio.CtrlErr {
			t.Errorf("%s: answer %d", rule, ack)
		}
		r.wantRules(rule)
	}
}

// A command that waits when DRIVER_OK is set came too early.
func TestCommandBeforeDriverOK(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := &ctrlRig{guest: newGuest(t, vdev.Config{}, 1<<20)}
		r.negotiate(f)
		r.ctrl = r.addQueue(2, 16)
		answer := r.post(virtio.CtrlRx, virtio.CtrlRxPromisc, 0, 1)
		if r.d.Poll(); answer[0] != 0xee {
			t.Error("a command was answered before DRIVER_OK")
		}
		r.driverOK()
		r.wantRules("x/net/ctrl-early")
		if r.d.Poll(); answer[0] != virtio.CtrlOK {
			t.Errorf("after DRIVER_OK the answer is %d", answer[0])
		}
	})
}

// ANNOUNCE is set and the driver interrupted (x/net/announce), until it acknowledges.
func TestAnnounce(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{}, split.Or(allCtrl))
	status := func() uint32 { return r.d.ReadConfig(virtio.NetConfigStatus, 2) }
	before := r.irq.config.Load()
	if !r.d.SetAnnounce() || status() != virtio.NetStatusLinkUp|virtio.NetStatusAnnounce || r.irq.config.Load() != before+1 {
		t.Errorf("status %#x, %d interrupts", status(), r.irq.config.Load()-before)
	}
	generation := r.d.Generation()
	r.do(virtio.CtrlAnnounce, virtio.CtrlAnnounceAck)
	if status() != virtio.NetStatusLinkUp || r.d.Announcing() || r.d.Generation() == generation || r.irq.config.Load() != before+1 {
		t.Errorf("acknowledged: status %#x", status())
	}
	r.d.SetAnnounce()
	r.d.SetFaults(vdev.Faults{IgnoreAnnounceAck: true})
	if r.do(virtio.CtrlAnnounce, virtio.CtrlAnnounceAck); !r.d.Announcing() {
		t.Error("the fault has no effect")
	}
	r.d.SetFaults(vdev.Faults{})
	r.start(split.Or(allCtrl).Without(virtio.NetAnnounce))
	if r.d.Announcing() || r.d.SetAnnounce() || r.d.Announcing() {
		t.Error("an announcement is asked for without GUEST_ANNOUNCE")
	}
	r.clean()
}

// What happens to a command is what Faults.Ctrl says, and the next one works.
func TestCommandFaults(t *testing.T) {
	byFormat(t, allCtrl, func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{}, f)
		promiscuous := func() bool { return r.arrive(-1, otherMAC) == "0" }
		fault := func(f vdev.CtrlFault) []byte {
			r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 0)
			r.d.SetFaults(vdev.Faults{Ctrl: f, CtrlAfter: 1, CtrlTimes: 1})
			r.do(virtio.CtrlRx, virtio.CtrlRxAllMulti, 0)
			answer := r.post(virtio.CtrlRx, virtio.CtrlRxPromisc, 0, 1)
			r.d.Poll()
			return answer
		}
		answers := func() (lengths []uint32) {
			for _, n, ok := r.ctrl.take(); ok; _, n, ok = r.ctrl.take() {
				lengths = append(lengths, n)
			}
			return lengths
		}
		check := func(name string, answer []byte, ack byte, on bool, lengths ...uint32) {
			t.Helper()
			if got := answers(); answer[0] != ack || len(got) != len(lengths) || len(got) > 0 && got[0] != lengths[0] {
				t.Errorf("%s: answer %#x, used with %v, want %#x with %v", name, answer[0], got, ack, lengths)
			}
			if promiscuous() != on {
				t.Errorf("%s: promiscuous %v", name, !on)
			}
		}
		check("unknown", fault(vdev.CtrlUnknownAck), 0x5a, true, 1)
		check("short", fault(vdev.CtrlShort), 0xee, true, 0)
		check("refuse", fault(vdev.CtrlRefuse), virtio.CtrlErr, false, 1)
		late := fault(vdev.CtrlLate)
		check("late", late, 0xee, false)
		r.d.SetFaults(vdev.Faults{})
		r.d.Poll()
		check("late, then", late, virtio.CtrlOK, true, 1)
		lost := fault(vdev.CtrlLate)
		addr, mem := uint64(0x100000), r.mem[:4096]
		if err := r.d.MapMemory(addr, mem); err != nil {
			t.Fatal(err)
		}
		if err := r.d.UnmapMemory(addr, len(mem)); err != nil {
			t.Fatal(err)
		}
		r.d.SetFaults(vdev.Faults{})
		r.d.Poll()
		check("late, with memory unmapped", lost, 0xee, false)
		check("silent", fault(vdev.CtrlSilent), 0xee, false)
		r.do(virtio.CtrlRx, virtio.CtrlRxAllMulti, 0)
		r.clean()
		for name, f := range map[string]vdev.CtrlFault{"reset": vdev.CtrlReset, "needs reset": vdev.CtrlNeedsReset} {
			r.start(r.f)
			answer := fault(f)
			status := r.d.Status()
			if answer[0] != 0xee || r.d.Running() || (status == 0) != (f == vdev.CtrlReset) || status.Has(virtio.StatusNeedsReset) == (status == 0) {
				t.Errorf("%s: status %v, answer %#x", name, status, answer[0])
			}
			r.start(r.f) // the fault is over
			for range 3 {
				r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
			}
		}
		r.start(r.f)
		r.do(virtio.CtrlRx, virtio.CtrlRxPromisc, 1)
		r.clean()
	})
}

// The second answer of CtrlTwice is one used entry more.
func TestCommandAnsweredTwice(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{Faults: vdev.Faults{Ctrl: vdev.CtrlTwice}}, split.Or(allCtrl))
	used := r.ctrl.(*splitVQ).used
	r.post(virtio.CtrlRx, virtio.CtrlRxPromisc, 0, 1)
	r.d.Poll()
	if used[2] != 2 || !bytes.Equal(used[4:12], used[12:20]) {
		t.Errorf("used ring % x", used[:20])
	}
}

// An answer is cut off where the driver's buffer ends, and is one over several pieces.
func TestStatisticsCutOff(t *testing.T) {
	r := newCtrlRig(t, vdev.Config{}, split.Or(allCtrl))
	if ack, types := r.result(virtio.CtrlStats, virtio.CtrlStatsQuery, 20); ack != 0 || !bytes.Equal(types, le64(1<<32|7<<16|7)) {
		t.Errorf("answer %d, types % x", ack, types)
	}
	ack, result := r.result(virtio.CtrlStats, virtio.CtrlStatsGet, 30, cat(le16(1), make([]byte, 6), le64(1<<16))...)
	if ack != 0 || len(result) != 30 || result[0] != 16 || result[2] != 1 || result[6] != 56 {
		t.Errorf("answer %d, result % x", ack, result)
	}
	r.wantRules("net/stats/3")
}

// Commands, packets and registers are used at the same time as the device's own goroutine
// works.
func TestCommandsWhileStarted(t *testing.T) {
	byFormat(t, allCtrl.Without(virtio.NetHashReport), func(t *testing.T, f virtio.Features) {
		r := newCtrlRig(t, vdev.Config{Pairs: 2, IdleTurns: 2, Hold: true}, f)
		r.d.Start()
		defer r.d.Stop()
		answered := func(answer []byte) bool {
			_, _, ok := r.ctrl.take()
			return ok && answer[0] == virtio.CtrlOK
		}
		received, frames := 0, 0
		for i := range 300 {
			commands := [][]byte{
				{virtio.CtrlRx, virtio.CtrlRxPromisc, byte(i & 1)}, append([]byte{virtio.CtrlMQ, virtio.CtrlMQPairsSet}, le16(1+i%2)...),
				append([]byte{virtio.CtrlMQ, virtio.CtrlMQRSSConfig}, rssConfig(virtio.HashAll, i&1, []int{0, 1}, 2, verificationKey)...),
				append([]byte{virtio.CtrlNotfCoal, virtio.CtrlNotfCoalRxSet}, coalescing(3, 10)...),
			}
			c := commands[i%len(commands)]
			r.brk = 2 << 20
			answer := r.post(c[0], c[1], 0, c[2:]...)
			r.ring(r.ctrlIndex(), r.ctrl)
			frames += r.peer.Transmit(0, [][]byte{frameTo(everyone, -1), flowFrame(i).frame()})
			r.d.SetAnnounce()
			for begin := time.Now(); !answered(answer); runtime.Gosched() {
				for _, p := range r.ports {
					received += len(p.received())
				}
				if time.Since(begin) > time.Minute {
					t.Fatalf("command %d was not answered; %v", i, r.d.Violations())
				}
			}
		}
		for begin := time.Now(); ; runtime.Gosched() {
			for _, p := range r.ports {
				received += len(p.received())
			}
			if s := r.d.Stats(); int(s.RxFrames+s.RxFiltered) == frames && int(s.RxFrames) == received && s.RxDropped == 0 {
				break
			}
			if time.Since(begin) > time.Minute {
				t.Fatalf("%d of %d frames arrived: %+v", received, frames, r.d.Stats())
			}
		}
		r.clean()
	})
}
