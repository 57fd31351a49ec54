package driver

import (
	"context"
	"slices"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// RSS says how a device spreads received packets over the receive queues: it computes a
// Toeplitz hash of the addresses and ports of a packet, and the lowest bits of the hash
// choose an entry of Table (5.1.9.5.6). The zero value spreads all packets that the
// device can hash equally over the active queue pairs.
type RSS struct {
	// Key is the key of the hash, of 1 byte to RSSLimits.KeySize. Bits that a packet has
	// beyond the key do not count: TCP over IPv6 takes 40 bytes. nil means a random key,
	// the same as long as the port is open, so that no one outside can choose flows for
	// one queue.
	Key []byte
	// Table has the number of a queue pair, counted from 0, in each entry. Its length is a
	// power of two, at most RSSLimits.TableSize, and each entry is below
	// [Port.ActivePairs]. nil means the active pairs in turn.
	Table []uint16
	// Types are the packets that are hashed, of those in RSSLimits.Types. 0 means all of
	// them.
	Types virtio.HashTypes
	// Unclassified is the pair that receives packets without a hash.
	Unclassified uint16
}

// HashConfig says how a device computes the hash that it reports with each packet while
// it spreads the packets by itself (5.1.9.5.7). The zero value is a random key and all
// packets that the device can hash.
type HashConfig struct {
	Key   []byte           // as in RSS
	Types virtio.HashTypes // as in RSS
}

// SetRSS has the device spread received packets over the active queue pairs as r says.
// It may be called from any goroutine, while packets flow, and what it sets is set again
// after a recovery, by a device that still takes it.
//
// [Port.SetQueuePairs] keeps it: an entry of the table that names a pair which is not
// active any more names the pair of that number modulo the active ones, until there are
// as many again. A table of nil is made anew.
//
// An [*Error] says what of r the device does not take, before anything is sent to it.
// Without RSS, which has to be in Config.Request or Config.Require, the error is
// [errors.ErrUnsupported]. A port that has negotiated RSS begins with the zero value.
func (p *Port) SetRSS(ctx context.Context, r RSS) error { return p.device.setRSS(ctx, r) }

// RSS returns how received packets are spread, with every field as the device has it, and
// false if the device spreads them by itself.
func (p *Port) RSS() (RSS, bool) {
	now := p.device.steered.Load()
	if now.rss == nil {
		return RSS{}, false
	}
	r := *now.rss
	r.Key, r.Table = slices.Clone(r.Key), slices.Clone(r.Table)
	return r, true
}

// SetHash has the device report a hash with each packet, computed as h says, and spread
// packets over the active queue pairs by itself: it ends what [Port.SetRSS] began. It may
// be called from any goroutine, while packets flow, and what it sets is set again after a
// recovery, by a device that still takes it.
//
// An [*Error] says what of h the device does not take, before anything is sent to it.
// Without HASH_REPORT, which has to be in Config.Request or Config.Require, the error is
// [errors.ErrUnsupported]. A port that has negotiated HASH_REPORT and not RSS begins with
// the zero value.
func (p *Port) SetHash(ctx context.Context, h HashConfig) error { return p.device.setHash(ctx, h) }

// Hash returns what [Port.SetHash] has set, with every field as the device has it, and
// false if it is not in force. With RSS the key and the types are those of [Port.RSS].
func (p *Port) Hash() (HashConfig, bool) {
	now := p.device.steered.Load()
	if now.hash == nil {
		return HashConfig{}, false
	}
	h := *now.hash
	h.Key = slices.Clone(h.Key)
	return h, true
}

// RSSLimits returns what the device takes for [Port.SetRSS], [Port.SetHash] and
// [Port.SetInnerHash].
func (p *Port) RSSLimits() RSSLimits { return p.device.current.Load().rss }

// setRSS has the device spread packets as r says.
func (d *device) setRSS(ctx context.Context, r RSS) error {
	const op = "SetRSS"
	return d.configure(ctx, op, func(c *commander) error {
		if err := c.require(virtio.FeatureSet(virtio.NetRSS)); err != nil {
			return err
		}
		want := d.steering
		if err := c.n.rss.checkRSS(d.name, r, want.pairs); err != nil {
			return err
		}
		if err := d.checkRunning(op, want.pairs); err != nil {
			return err
		}
		r.Key, r.Table = slices.Clone(r.Key), slices.Clone(r.Table)
		want.rss, want.hash = &r, nil
		return d.setSteering(c, want)
	})
}

// setHash has the device report hashes as h says.
func (d *device) setHash(ctx context.Context, h HashConfig) error {
	const op = "SetHash"
	return d.configure(ctx, op, func(c *commander) error {
		needs := virtio.FeatureSet(virtio.NetHashReport)
		if c.n.pairs > 1 { // the device has to spread packets over them
			needs = needs.With(virtio.NetMQ)
		}
		if err := c.require(needs); err != nil {
			return err
		}
		if err := c.n.rss.checkHash(d.name, op, h.Key, h.Types); err != nil {
			return err
		}
		want := d.steering
		if err := d.checkRunning(op, want.pairs); err != nil {
			return err
		}
		h.Key = slices.Clone(h.Key)
		want.rss, want.hash = nil, &h
		return d.setSteering(c, want)
	})
}
