package driver

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/virtio-pmd/virtio-pmd/driver/transport"
	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// RSSLimits are what a device takes. All are 0 for one without RSS and HASH_REPORT.
type RSSLimits struct {
	KeySize   int                // bytes of the longest key
	TableSize int                // entries of the longest table, at most 32768, 0 without RSS
	Types     virtio.HashTypes   // packets that it can hash
	Tunnels   virtio.TunnelTypes // inside which it can, 0 without HASH_TUNNEL
}

const (
	// defaultTable is how many entries a table has that the application does not give, if
	// the device takes so many, and entriesPerPair how many at least for each pair, so that
	// none gets much more than its share.
	defaultTable   = 128
	entriesPerPair = 4
)

// readRSSLimits reads what the device takes. A value that no device may have (5.1.4.1) is
// the error; the answer to it is not to accept the features.
func readRSSLimits(t transport.Transport, f virtio.Features) (RSSLimits, error) {
	var l RSSLimits
	var key [1]byte
	if err := t.ReadConfig(virtio.NetConfigRSSMaxKeySize, 1, key[:]); err != nil {
		return l, err
	}
	var types [4]byte
	if err := t.ReadConfig(virtio.NetConfigHashTypes, 4, types[:]); err != nil {
		return l, err
	}
	l.KeySize = int(key[0])
	l.Types = virtio.HashTypes(binary.LittleEndian.Uint32(types[:])) & virtio.HashAll
	if f.Has(virtio.NetRSS) {
		table, err := readConfig16(t, virtio.NetConfigRSSMaxTable)
		if err != nil {
			return l, err
		}
		l.TableSize = table
	}
	if f.Has(virtio.NetHashTunnel) {
		// Types that the specification does not have are ignored (5.1.9.4).
		if err := t.ReadConfig(virtio.NetConfigTunnelTypes, 4, types[:]); err != nil {
			return l, err
		}
		l.Tunnels = virtio.TunnelTypes(binary.LittleEndian.Uint32(types[:])) & virtio.TunnelAll
	}
	return l, nil
}

// valid reports whether a device may have these limits (5.1.4.1).
func (l RSSLimits) valid(f virtio.Features) bool {
	return l.KeySize >= virtio.MinRSSKeySize && l.Types != 0 &&
		(!f.Has(virtio.NetRSS) || l.TableSize >= virtio.MinRSSTable)
}

// selectRSS reads what the device takes, and drops the features for which that is invalid,
// or which have no use. d.mu is held.
func (d *device) selectRSS(n *negotiated) error {
	if n.pairs == 1 {
		n.drop(virtio.NetRSS, "there is one queue pair")
	}
	if !n.features.Has(virtio.NetRSS) && !n.features.Has(virtio.NetHashReport) {
		n.drop(virtio.NetHashTunnel, "neither RSS nor HASH_REPORT is used")
		return nil
	}
	limits, err := readRSSLimits(d.t, n.features)
	if err != nil {
		return err
	}
	if !limits.valid(n.features) {
		d.log.Warn("the device's limits of RSS are invalid; RSS and HASH_REPORT are not used",
			"rss_max_key_size", limits.KeySize, "rss_max_indirection_table_length", limits.TableSize,
			"supported_hash_types", uint32(limits.Types))
		n.drop(virtio.NetRSS, "the device's limits are invalid")
		n.drop(virtio.NetHashReport, "the device's limits are invalid")
		n.drop(virtio.NetHashTunnel, "neither RSS nor HASH_REPORT is used")
		if !n.features.Has(virtio.NetMQ) { // nothing else can have the device use more
			n.pairs = 1
		}
		return nil
	}
	if limits.Tunnels == 0 {
		n.drop(virtio.NetHashTunnel, "the device has no type of tunnels that the driver knows")
	}
	if n.features.Has(virtio.NetRSS) {
		limits.TableSize = powerOfTwo(limits.TableSize)
	}
	n.rss = limits
	return nil
}

// checkRSS returns what of r the device does not take, nil if it takes everything.
func (l RSSLimits) checkRSS(device string, r RSS, pairs int) error {
	refused := func(field string, v any, reason, remedy string) error {
		return &Error{Device: device, Op: "SetRSS", Field: field, Value: v, Reason: reason, Remedy: remedy}
	}
	if err := l.checkHash(device, "SetRSS", r.Key, r.Types); err != nil {
		return err
	}
	activate := fmt.Sprintf("the pairs 0 to %d are active", pairs-1)
	const remedy = "name an active pair, or make more of them active with SetQueuePairs"
	if int(r.Unclassified) >= pairs {
		return refused("Unclassified", r.Unclassified, activate, remedy)
	}
	if r.Table == nil {
		return nil
	}
	switch n := len(r.Table); {
	case n == 0 || n&(n-1) != 0:
		return refused("entries of Table", n, "the length of a table is a power of two",
			fmt.Sprintf("take a power of two up to %d", l.TableSize))
	case n > l.TableSize:
		return refused("entries of Table", n, fmt.Sprintf("the device takes at most %d", l.TableSize),
			"take a shorter table")
	}
	for i, pair := range r.Table {
		if int(pair) >= pairs {
			return refused(fmt.Sprintf("Table[%d]", i), pair, activate, remedy)
		}
	}
	return nil
}

// checkHash returns what of a key and of types the device does not take.
func (l RSSLimits) checkHash(device, op string, key []byte, types virtio.HashTypes) error {
	switch {
	case key != nil && (len(key) == 0 || len(key) > l.KeySize):
		return &Error{Device: device, Op: op, Field: "bytes of Key", Value: len(key),
			Reason: fmt.Sprintf("the device takes 1 to %d", l.KeySize),
			Remedy: "take a key of that length, or nil for a random one"}
	case types&^l.Types != 0:
		return &Error{Device: device, Op: op, Field: "Types", Value: fmt.Sprintf("%#x", uint32(types)),
			Reason: fmt.Sprintf("the device cannot hash packets of the types %#x, but those of %#x",
				uint32(types&^l.Types), uint32(l.Types)),
			Remedy: "leave them out, or take 0 for all that it can"}
	}
	return nil
}

// powerOfTwo returns the largest power of two that is at most n, which is at least 1.
func powerOfTwo(n int) int { return 1 << (bits.Len(uint(n)) - 1) }

// fold fills in what r leaves open, and has the table name active pairs only.
func (l RSSLimits) fold(r RSS, pairs int, key []byte) RSS {
	hash := l.completeHash(HashConfig{r.Key, r.Types}, key)
	folded := RSS{Key: hash.Key, Types: hash.Types, Unclassified: r.Unclassified % uint16(pairs)}
	n := len(r.Table)
	if r.Table == nil {
		n = max(defaultTable, 2*powerOfTwo(entriesPerPair*pairs))
		n = min(n, l.TableSize)
	}
	folded.Table = make([]uint16, n)
	for i := range folded.Table {
		pair := i
		if r.Table != nil {
			pair = int(r.Table[i])
		}
		folded.Table[i] = uint16(pair % pairs)
	}
	return folded
}

// completeHash fills in what h leaves open.
func (l RSSLimits) completeHash(h HashConfig, key []byte) HashConfig {
	if h.Key == nil {
		h.Key = key[:min(len(key), l.KeySize)]
	}
	if h.Types == 0 {
		h.Types = l.Types
	}
	return h
}

// hashKey returns the key of the port, for an application that gives none. It belongs to the
// goroutine that has the control queue.
func (d *device) hashKey() []byte {
	if d.key == nil {
		d.key = make([]byte, virtio.MinRSSKeySize)
		_, _ = rand.Read(d.key) // never fails
	}
	return d.key
}

// commandLen returns the length of the data of the longest command.
func (l RSSLimits) commandLen() int { return rssFixed + 2*l.TableSize + l.KeySize }

// rssFixed is the length of struct virtio_net_rss_config without its table and key.
const rssFixed = 4 + 2 + 2 + 2 + 1

// encodeRSS returns the data of the command RSS_CONFIG.
func encodeRSS(r *RSS, pairs int) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, rssFixed+2*len(r.Table)+len(r.Key))
	b = le.AppendUint32(b, uint32(r.Types))
	b = le.AppendUint16(b, uint16(len(r.Table)-1)) // indirection_table_mask
	b = le.AppendUint16(b, r.Unclassified)
	for _, pair := range r.Table {
		b = le.AppendUint16(b, pair)
	}
	b = le.AppendUint16(b, uint16(pairs)) // max_tx_vq
	b = append(b, uint8(len(r.Key)))
	return append(b, r.Key...)
}

// encodeHash returns the data of the command HASH_CONFIG: that of RSS_CONFIG with four
// reserved fields in place of those that are not about the hash.
func encodeHash(h *HashConfig) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(h.Types))
	b = append(b, make([]byte, 8)...)
	b = append(b, uint8(len(h.Key)))
	return append(b, h.Key...)
}
