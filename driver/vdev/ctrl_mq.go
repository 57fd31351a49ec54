package vdev

import (
	"encoding/binary"

	"github.com/virtio-pmd/virtio-pmd/driver/virtio"
)

// mqCommands are those of multiqueue operation and of the hash (5.1.9.5.5 and after it).
// VQ_PAIRS_SET and RSS_CONFIG choose how received frames are steered, and the last one
// counts. HASH_CONFIG changes how the hash is calculated and leaves the steering alone.
var mqCommands = []ctrlCommand{
	{virtio.CtrlMQ, virtio.CtrlMQPairsSet, "VQ_PAIRS_SET", []virtio.Feature{virtio.NetMQ}, ruleFeature, 2, (*Device).setPairs},
	{virtio.CtrlMQ, virtio.CtrlMQRSSConfig, "RSS_CONFIG", []virtio.Feature{virtio.NetRSS}, "net/rss/1", -1, (*Device).setRSS},
	{virtio.CtrlMQ, virtio.CtrlMQHashConfig, "HASH_CONFIG", []virtio.Feature{virtio.NetHashReport}, ruleFeature, -1, (*Device).setHash},
}

// setPairs is VQ_PAIRS_SET: the first n pairs are used, with automatic steering.
func (d *Device) setPairs(q *queue, data []byte) bool {
	n := int(binary.LittleEndian.Uint16(data))
	if n < 1 || n > d.cfg.Pairs {
		d.violate("net/mq/2", q.index, "%d queue pairs asked for, the device has %d", n, d.cfg.Pairs)
		return false
	}
	for pair := range n {
		rx, tx := d.queues[virtio.RxQueueIndex(pair)], d.queues[virtio.TxQueueIndex(pair)]
		if !rx.alive || !tx.alive {
			d.violate("net/mq/1", q.index, "%d queue pairs asked for, but pair %d is not enabled", n, pair)
			return false
		}
	}
	d.switchOff(n)
	d.rss.on = false
	d.active, d.transmitting, d.pairsSet = n, n, true
	return d.running
}

// switchOff ends transmission on the transmitqs from n on.
func (d *Device) switchOff(n int) {
	// What was transmitted before the command may still go out.
	for pair := n; pair < d.transmitting; pair++ {
		for left := d.cfg.QueueSize; left > 0 && d.running; {
			sent := d.transmit(pair)
			if sent == 0 {
				break
			}
			left -= sent
		}
		// Frames that a back end did not take with Hold are not a violation.
		var c chain
		i := virtio.TxQueueIndex(pair)
		if q := d.queues[i]; d.running && q.alive && q.pop(&c) {
			q.rewind(&c)
			d.registers[i].inactiveReported = true
		}
	}
	for pair := range n {
		d.registers[virtio.TxQueueIndex(pair)].inactiveReported = false
	}
}

// setRSS is RSS_CONFIG: le32 hash types, le16 mask, le16 unclassified queue, the table of
// mask+1 le16, le16 transmitqs, and the key behind its length of one byte.
func (d *Device) setRSS(q *queue, data []byte) bool {
	if len(data) < 8 {
		d.violate(ruleLength, q.index, "RSS_CONFIG with %d bytes of data", len(data))
		return false
	}
	types := virtio.HashTypes(binary.LittleEndian.Uint32(data))
	entries := int(binary.LittleEndian.Uint16(data[4:])) + 1
	unclassified := binary.LittleEndian.Uint16(data[6:])
	switch table := data[8:]; {
	case entries&(entries-1) != 0:
		d.violate("net/rss/3", q.index, "an indirection table of %d entries", entries)
	case entries > d.cfg.RSSTable:
		d.violate("net/rss/4", q.index, "an indirection table of %d entries, the device has %d", entries, d.cfg.RSSTable)
	case len(table) < 2*entries+3:
		d.violate(ruleLength, q.index, "RSS_CONFIG with %d bytes for a table of %d entries and what follows", len(table), entries)
	default:
		next, ok := d.parseRSS(q, unclassified, table[:2*entries])
		table = table[2*entries:]
		transmitting := int(binary.LittleEndian.Uint16(table))
		key, keyOK := d.checkHash(q, "RSS_CONFIG", types, table[2:])
		if !ok || !keyOK || !d.checkTransmitting(q, transmitting) {
			return false
		}
		d.hash.set(types, key)
		d.switchOff(transmitting)
		d.rss, d.active = next, next.queues()
		d.transmitting, d.pairsSet = transmitting, true
		return d.running
	}
	return false
}

// parseRSS checks the receive queues that a driver names.
func (d *Device) parseRSS(q *queue, unclassified uint16, table []byte) (r rss, ok bool) {
	if !d.receives(unclassified) {
		d.violate("x/net/rss-ids", q.index, "unclassified_queue %#x is no enabled receive queue", unclassified)
		return rss{}, false
	}
	r = rss{on: true, unclassified: int(unclassified), table: make([]uint16, len(table)/2)}
	for i := range r.table {
		id := binary.LittleEndian.Uint16(table[2*i:])
		if !d.receives(id) {
			d.violate("net/rss/2", q.index, "entry %d of the indirection table, %#x, is no enabled receive queue", i, id)
			return rss{}, false
		}
		r.table[i] = id
	}
	return r, true
}

// receives reports whether a rss_rq_id, the index of a virtqueue without its lowest bit,
// names a receiveq that is enabled.
func (d *Device) receives(id uint16) bool {
	return int(id) < d.cfg.Pairs && d.queues[virtio.RxQueueIndex(int(id))].alive
}

// checkTransmitting checks max_tx_vq.
func (d *Device) checkTransmitting(q *queue, n int) bool {
	for pair := 0; pair < n && n <= d.cfg.Pairs; pair++ {
		if !d.queues[virtio.TxQueueIndex(pair)].alive {
			n = 0
		}
	}
	if n < 1 || n > d.cfg.Pairs {
		d.violate("x/net/rss-ids", q.index, "max_tx_vq: not that many transmit queues are enabled")
		return false
	}
	return true
}

// setHash is HASH_CONFIG: le32 hash types, 8 reserved bytes, and the key behind its
// length of one byte.
func (d *Device) setHash(q *queue, data []byte) bool {
	if len(data) < 13 {
		d.violate(ruleLength, q.index, "HASH_CONFIG with %d bytes of data", len(data))
		return false
	}
	if binary.LittleEndian.Uint64(data[4:]) != 0 {
		d.violate("net/hash-config/1", q.index, "HASH_CONFIG with reserved bytes that are not 0")
		return false
	}
	types := virtio.HashTypes(binary.LittleEndian.Uint32(data))
	key, ok := d.checkHash(q, "HASH_CONFIG", types, data[12:])
	if ok {
		d.hash.set(types, key)
	}
	return ok
}

// setTunnels is HASH_TUNNEL_SET: a le32 of the encapsulations whose inner header the hash
// is calculated over (5.1.9.4, Inner Header Hash).
func (d *Device) setTunnels(q *queue, data []byte) bool {
	wanted := virtio.TunnelTypes(binary.LittleEndian.Uint32(data))
	if extra := wanted &^ d.cfg.TunnelTypes; extra != 0 {
		d.violate("net/hash-tunnel/2", q.index, "HASH_TUNNEL_SET with %#x, the device has %#x", wanted, d.cfg.TunnelTypes)
		return false
	}
	d.hash.tunnels = wanted
	return true
}

// checkHash checks hash types, and the key behind its length.
func (d *Device) checkHash(q *queue, command string, types virtio.HashTypes, key []byte) ([]byte, bool) {
	n, key := int(key[0]), key[1:]
	switch {
	case types&^d.cfg.HashTypes != 0:
		d.violate("net/rss/5", q.index, "%s with hash types %#x, the device has %#x", command, types, d.cfg.HashTypes)
	case n > d.cfg.RSSKeySize:
		d.violate("x/net/rss-key", q.index, "%s with a key of %d bytes, the device takes %d", command, n, d.cfg.RSSKeySize)
	case n != len(key):
		d.violate(ruleLength, q.index, "%s with %d bytes for a key of %d", command, len(key), n)
	default:
		return key, true
	}
	return nil, false
}
