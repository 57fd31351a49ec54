package driver

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/driver/mbuf"
	"github.com/virtio-pmd/virtio-pmd/driver/vdev"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
	"github.com/virtio-pmd/virtio-pmd/test/flowtest"
	"github.com/virtio-pmd/virtio-pmd/test/frametest"
)

var (
	rssFeatures  = virtio.FeatureSet(virtio.NetRSS, virtio.NetHashReport)
	hashFeatures = virtio.FeatureSet(virtio.NetHashReport)
)

// rssRig is a rig with four pairs that requires these features, and whose device works by
// itself.
func rssRig(t *testing.T, features virtio.Features, dev vdev.Config, c Config) *rig {
	t.Helper()
	dev.Pairs = 4
	c.Queues, c.Require = 4, features
	r := newRig(t, functionWith(dev), c)
	r.dev.Start()
	t.Cleanup(r.dev.Stop)
	return r
}

// received is a packet that arrived.
type received struct {
	queue, flow, number int
	hash                uint32
	report              virtio.HashReport
}

// deliverFlows has the device receive packets of each flow and returns what arrives, by
// flow, from all queues.
func (r *rig) deliverFlows(flows []flowtest.Flow, packets int) map[int][]received {
	r.t.Helper()
	return r.deliverInside(nil, flows, packets)
}

// deliverInside is deliverFlows with the same headers before each packet.
func (r *rig) deliverInside(headers []byte, flows []flowtest.Flow, packets int) map[int][]received {
	r.t.Helper()
	mac := [6]byte(r.port.MAC())
	for n := range packets {
		for _, f := range flows {
			r.wire.deliver(0, slices.Concat(headers, f.Frame(mac, n))) // the device spreads them over the pairs
		}
	}
	got := make(map[int][]received)
	bufs := make([]*mbuf.Buf, 32)
	count := 0
	await(r.t, fmt.Sprintf("%d packets arrive", packets*len(flows)), func() bool {
		for queue := range r.port.Queues() {
			for n := len(bufs); n == len(bufs); count += n {
				n = r.port.RxQueue(queue).Burst(bufs)
				for _, b := range bufs[:n] {
					p := received{queue: queue}
					var ok bool
					if p.flow, p.number, ok = flowtest.Parse(frametest.Content(b)[len(headers):]); !ok {
						r.t.Fatal("a packet is not of a flow")
					}
					p.hash, p.report = b.Hash()
					got[p.flow] = append(got[p.flow], p)
				}
				mbuf.Free(bufs[:n])
			}
		}
		return count == packets*len(flows)
	})
	return got
}

// spread checks that each flow arrived on the queue that the configuration says, with its
// hash, and returns how many flows there are on each queue.
func spread(t *testing.T, c RSS, hashed bool, flows []flowtest.Flow, got map[int][]received) [4]int {
	t.Helper()
	var queues [4]int
	for _, f := range flows {
		hash, report := f.Hash(c.Key, c.Types)
		queue := int(c.Unclassified)
		if report != virtio.HashReportNone {
			queue = int(c.Table[hash&uint32(len(c.Table)-1)])
		}
		if !hashed {
			hash, report = 0, virtio.HashReportNone
		}
		queues[queue]++
		for _, p := range got[f.Number] {
			if p.queue != queue || p.hash != hash || p.report != report {
				t.Fatalf("flow %d: queue %d, hash %#x (%d), want queue %d, hash %#x (%d)",
					f.Number, p.queue, p.hash, p.report, queue, hash, report)
			}
		}
	}
	return queues
}

// net/rss/2, x/net/rss-ids: flows are spread over all queues, each stays on its queue, and
// the hash that comes with a packet is the one of the definition.
func TestRSS(t *testing.T) {
	flows := flowtest.Series(1000)
	for name, refused := range map[string]virtio.Features{
		"packed": {}, "split": virtio.FeatureSet(virtio.RingPacked),
		"split, single buffers": virtio.FeatureSet(virtio.RingPacked, virtio.NetMrgRxbuf),
		"without hashes":        hashFeatures,
		"without MQ":            virtio.FeatureSet(virtio.NetMQ),
	} {
		t.Run(name, func(t *testing.T) {
			r := rssRig(t, rssFeatures.Minus(refused), vdev.Config{Refuse: refused}, Config{})
			c, ok := r.port.RSS()
			if !ok || len(c.Key) != 40 || len(c.Table) != 128 || c.Types != virtio.HashAll {
				t.Fatalf("RSS is %+v", c)
			}
			queues := spread(t, c, !refused.Has(virtio.NetHashReport), flows, r.deliverFlows(flows, 3))
			if slices.Min(queues[:]) < 150 {
				t.Errorf("flows by queue: %v", queues)
			}
			if page := r.port.Info().String(); strings.Contains(page, "reported with each packet") == refused.Has(virtio.NetHashReport) {
				t.Errorf("of hashes the page says something else:\n%s", page)
			}
		})
	}
}

// What an application sets is what the device does: key, table, types, and the queue of
// packets without a hash; and again after a recovery.
func TestSetRSS(t *testing.T) {
	r := rssRig(t, rssFeatures, vdev.Config{RSSTable: 512, RSSKeySize: 52}, Config{Recovery: eager})
	flows := flowtest.Series(200)
	key := make([]byte, 52)
	for i := range key {
		key[i] = byte(i * 37)
	}
	for i, want := range []RSS{
		{Key: key, Table: make([]uint16, 512), Types: virtio.HashIPv4 | virtio.HashTCPv6, Unclassified: 3},
		{Key: key[:1], Table: []uint16{2}, Types: virtio.HashUDPv4, Unclassified: 1},
		{Key: key[:40], Table: []uint16{1, 2, 3, 0, 1, 3, 3, 3}, Types: virtio.HashAll},
	} {
		for j := range want.Table {
			if len(want.Table) == 512 {
				want.Table[j] = uint16(j * j % 4)
			}
		}
		if err := r.port.SetRSS(t.Context(), want); err != nil {
			t.Fatal(err)
		}
		if got, ok := r.port.RSS(); !ok || !slices.Equal(got.Table, want.Table) || !slices.Equal(got.Key, want.Key) ||
			got.Types != want.Types || got.Unclassified != want.Unclassified {
			t.Errorf("RSS is %+v", got)
		}
		spread(t, want, true, flows, r.deliverFlows(flows, 1))
		if page := r.port.Info().String(); strings.Contains(page, fmt.Sprintf("RSS, no hash          queue %d", want.Unclassified)) != (want.Unclassified > 0) {
			t.Errorf("the page lacks queue %d:\n%s", want.Unclassified, page)
		}
		r.dev.NeedReset()
		r.recovered(uint64(i + 1))
		spread(t, want, true, flows, r.deliverFlows(flows, 1))
	}
}

// A table is as long as the device takes.
func TestLongestTable(t *testing.T) {
	flows := flowtest.Series(100)
	for most, want := range map[int]int{200: 128, 4096: 4096, 32768: 32768} {
		r := rssRig(t, rssFeatures, vdev.Config{RSSTable: most, RSSKeySize: 255}, Config{})
		if got := r.port.RSSLimits().TableSize; got != want {
			t.Errorf("tables have up to %d entries, want %d", got, want)
		}
		c := RSS{Key: make([]byte, 255), Table: make([]uint16, want), Types: virtio.HashAll}
		for i := range c.Table {
			c.Table[i] = uint16(i / 7 % 4)
		}
		c.Key[2], c.Key[33] = 0x5a, 0x77
		if err := r.port.SetRSS(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		spread(t, c, true, flows, r.deliverFlows(flows, 1))
	}
}

// net/rss/3, net/rss/4, net/rss/5: what the device does not take is refused before a
// command is sent, and nothing changes.
func TestSetRSSRefused(t *testing.T) {
	r := rssRig(t, rssFeatures, vdev.Config{RSSTable: 128, RSSKeySize: 40, HashTypes: virtio.HashIPv4 | virtio.HashTCPv4}, Config{})
	if l := r.port.RSSLimits(); l != (RSSLimits{KeySize: 40, TableSize: 128, Types: virtio.HashIPv4 | virtio.HashTCPv4}) {
		t.Errorf("limits are %+v", l)
	}
	before, _ := r.port.RSS()
	commands := r.commands()
	for name, c := range map[string]struct {
		r     RSS
		value any
	}{
		"key too long":        {RSS{Key: make([]byte, 41)}, 41},
		"key of no bytes":     {RSS{Key: []byte{}}, 0},
		"no power of two":     {RSS{Table: make([]uint16, 3)}, 3},
		"no entries":          {RSS{Table: []uint16{}}, 0},
		"table too long":      {RSS{Table: make([]uint16, 256)}, 256},
		"pair of an entry":    {RSS{Table: []uint16{0, 4}}, uint16(4)},
		"unclassified":        {RSS{Unclassified: 4}, uint16(4)},
		"types":               {RSS{Types: virtio.HashUDPv4}, "0x4"},
		"types of the future": {RSS{Types: 1 << 30}, "0x40000000"},
	} {
		var bad *Error
		err := r.port.SetRSS(t.Context(), c.r)
		if !errors.As(err, &bad) || bad.Op != "SetRSS" || bad.Value != c.value || bad.Reason == "" || bad.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.port.StopRxQueue(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	var bad *Error
	if err := r.port.SetRSS(t.Context(), RSS{}); !errors.As(err, &bad) || bad.Field != "virtqueue" || bad.Value != 4 {
		t.Errorf("a stopped queue: %v", err)
	}
	if after, _ := r.port.RSS(); !slices.Equal(after.Table, before.Table) || r.commands() != commands {
		t.Errorf("%d commands were sent; RSS is %+v", r.commands()-commands, after)
	}
}

// commands returns how many commands the device has carried out.
func (r *rig) commands() uint64 { return r.dev.QueueStats(2 * 4).Chains }

// A device with RSS in place of MQ, whose limits are invalid, has one pair in use: nothing
// could tell it to use more. Its control queue is where it has it then.
func TestInvalidRSSLimitsWithoutMQ(t *testing.T) {
	r := newRig(t, functionWith(vdev.Config{Pairs: 4, RSSKeySize: 8, Refuse: virtio.FeatureSet(virtio.NetMQ)}),
		Config{Queues: 4, Request: rssFeatures})
	if r.port.Queues() != 1 || !r.port.Features().And(rssFeatures).Empty() {
		t.Errorf("%d pairs, features %v", r.port.Queues(), r.port.Features())
	}
	r.carries()
	r.dev.Start()
	defer r.dev.Stop()
	if err := r.port.SetPromiscuous(soon(t), true); err != nil {
		t.Error(err)
	}
}

// net/rss/1: what was not negotiated is not sent.
func TestRSSWithoutFeatures(t *testing.T) {
	for name, c := range map[string]struct {
		dev vdev.Config
		cfg Config
	}{
		"not offered":   {vdev.Config{Refuse: rssFeatures}, Config{Request: rssFeatures}},
		"not requested": {vdev.Config{}, Config{}},
	} {
		t.Run(name, func(t *testing.T) {
			c.dev.Pairs, c.cfg.Queues = 4, 4
			r := newRig(t, functionWith(c.dev), c.cfg)
			r.dev.Start()
			defer r.dev.Stop()
			for op, err := range map[string]error{
				"SetRSS":  r.port.SetRSS(t.Context(), RSS{}),
				"SetHash": r.port.SetHash(t.Context(), HashConfig{}),
			} {
				var bad *Error
				if !errors.Is(err, errors.ErrUnsupported) || !errors.As(err, &bad) || bad.Op != op || bad.Remedy == "" {
					t.Errorf("error is %v", err)
				}
			}
			if _, ok := r.port.RSS(); ok {
				t.Error("there is RSS")
			}
			if l := r.port.RSSLimits(); l != (RSSLimits{}) {
				t.Errorf("limits are %+v", l)
			}
		})
	}
}

// net/hash-config/1: hashes are reported without RSS, by a device with one pair as well,
// and the device spreads packets as it likes.
func TestSetHash(t *testing.T) {
	flows := flowtest.Series(200)
	for _, pairs := range []int{1, 4} {
		for _, mode := range []virtio.Features{hashFeatures, rssFeatures} {
			t.Run(fmt.Sprintf("%d pairs, %v", pairs, mode), func(t *testing.T) {
				if pairs == 1 {
					mode = hashFeatures
				}
				r := newRig(t, functionWith(vdev.Config{Pairs: pairs}), Config{Queues: pairs, Require: mode, Recovery: eager})
				r.dev.Start()
				defer r.dev.Stop()
				reported := func(want HashConfig) {
					t.Helper()
					got, ok := r.port.Hash()
					if !ok || !slices.Equal(got.Key, want.Key) || got.Types != want.Types {
						t.Errorf("hashes are %+v", got)
					}
					for _, list := range r.deliverFlows(flows, 1) {
						for _, p := range list {
							if hash, report := flows[p.flow].Hash(want.Key, want.Types); p.hash != hash || p.report != report {
								t.Fatalf("flow %d: hash %#x (%d), want %#x (%d)", p.flow, p.hash, p.report, hash, report)
							}
						}
					}
				}
				if now, ok := r.port.Hash(); mode == hashFeatures && ok {
					reported(now)
				}
				want := HashConfig{Key: make([]byte, 40), Types: virtio.HashIPv4 | virtio.HashUDPv6}
				want.Key[3], want.Key[20], want.Key[39] = 17, 99, 1
				if err := r.port.SetHash(t.Context(), want); err != nil {
					t.Fatal(err)
				}
				if _, ok := r.port.RSS(); ok {
					t.Error("there is still RSS")
				}
				reported(want)
				r.dev.NeedReset()
				r.recovered(1)
				reported(want)
				var bad *Error
				if err := r.port.SetHash(t.Context(), HashConfig{Key: make([]byte, 200)}); !errors.As(err, &bad) || bad.Value != 200 {
					t.Errorf("error is %v", err)
				}
			})
		}
	}
}

// A table follows the number of active pairs, and is as it was when there are as many
// again.
func TestRSSFollowsPairs(t *testing.T) {
	r := rssRig(t, rssFeatures, vdev.Config{}, Config{})
	flows := flowtest.Series(200)
	set := RSS{Table: []uint16{3, 2, 1, 0, 3, 3, 1, 2}, Unclassified: 3, Types: virtio.HashTCPv4 | virtio.HashIPv6}
	if err := r.port.SetRSS(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	for pairs, table := range map[int][]uint16{
		1: {0, 0, 0, 0, 0, 0, 0, 0}, 2: {1, 0, 1, 0, 1, 1, 1, 0}, 3: {0, 2, 1, 0, 0, 0, 1, 2}, 4: set.Table,
	} {
		if err := r.port.SetQueuePairs(t.Context(), pairs); err != nil {
			t.Fatal(err)
		}
		c, _ := r.port.RSS()
		if !slices.Equal(c.Table, table) || int(c.Unclassified) != 3%pairs || r.port.ActivePairs() != pairs {
			t.Errorf("%d pairs: %+v", pairs, c)
		}
		spread(t, c, true, flows, r.deliverFlows(flows, 1))
	}
}

// A device whose limits no device may have is used without the features.
func TestInvalidRSSLimits(t *testing.T) {
	for name, c := range map[string]struct {
		at    int
		value []byte
	}{
		"a key of 39 bytes":      {virtio.NetConfigRSSMaxKeySize, []byte{39}},
		"a table of 127 entries": {virtio.NetConfigRSSMaxTable, []byte{127, 0}},
		"no types":               {virtio.NetConfigHashTypes, []byte{0, 0, 0, 0}},
		"unknown types":          {virtio.NetConfigHashTypes, []byte{0, 0, 0, 0x80}},
	} {
		t.Run(name, func(t *testing.T) {
			fn := newFunction(t, functionWith(vdev.Config{Pairs: 2}))
			fn.Device().SetConfig(c.at, c.value...)
			fn.Device().Start()
			port, err := openPort(fn, Config{Queues: 2, Request: rssFeatures})
			if err != nil {
				t.Fatal(err)
			}
			if f := port.Features(); !f.And(rssFeatures).Empty() || port.Queues() != 2 {
				t.Errorf("%d pairs, features %v", port.Queues(), f)
			}
			if err := port.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
