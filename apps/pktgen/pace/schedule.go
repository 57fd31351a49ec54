package pace

import "math/bits"

// hasBursts reports whether the packets are a number of bursts. A recording is one.
func (p *Pacer) hasBursts() bool { return p.pattern.Kind == Bursts || p.pattern.Kind == Recorded }

// size returns how many packets a burst has.
func (p *Pacer) size() uint64 {
	switch p.pattern.Kind {
	case Bursts:
		return p.pattern.Packets
	case Recorded:
		return uint64(len(p.pattern.Times))
	}
	return unbounded
}

// progress returns the number of the packet that was due last by now, which is not before
// the anchor, and the part of the one after it.
func (p *Pacer) progress(now int64) (number, rest uint64) {
	hi, lo := bits.Mul64(uint64(now-p.anchor), p.rate)
	lo, carry := bits.Add64(lo, p.acc, 0)
	hi += carry
	if hi >= packet {
		return unbounded - 1, 0
	}
	n, rest := bits.Div64(hi, lo, packet)
	if n >= unbounded-1-p.base {
		return unbounded - 1, 0
	}
	return p.base + n, rest
}

// dueBy returns how many packets of the burst are due by now. Of those that were recorded it
// finds a burst at a time.
func (p *Pacer) dueBy(now int64) uint64 {
	if now < p.anchor {
		return p.next
	}
	if p.pattern.Kind == Recorded {
		n := p.next
		for n < min(p.size(), p.next+uint64(p.burst)) && p.pattern.Times[n] <= now-p.anchor {
			n++
		}
		return n
	}
	number, _ := p.progress(now)
	return max(min(number+1, p.size()), p.next)
}

// timeOf returns when a packet of the burst is due. For one that was due before the rate
// changed that is when it changed.
func (p *Pacer) timeOf(number uint64) int64 {
	if p.pattern.Kind == Recorded {
		return p.anchor + p.pattern.Times[number]
	}
	if number <= p.base {
		return p.anchor
	}
	hi, lo := bits.Mul64(number-p.base, packet)
	lo, borrow := bits.Sub64(lo, p.acc, 0)
	hi -= borrow
	if hi >= p.rate {
		return Forever
	}
	t, rest := bits.Div64(hi, lo, p.rate)
	if rest > 0 {
		t++
	}
	if t >= uint64(Forever-p.anchor) {
		return Forever
	}
	return p.anchor + int64(t)
}

// setWake sets when the next quantum is complete.
func (p *Pacer) setWake() {
	switch {
	case p.rate == 0:
		p.wake = p.anchor
	case p.pattern.Kind == Poisson:
		p.wake = p.arrivals.first()
	default:
		p.wake = min(p.timeOf(min(p.next+uint64(p.quantum), p.size())-1), p.end-1)
	}
}

// pass leaves n packets of the burst behind, and the burst when it has no more.
func (p *Pacer) pass(n uint64) {
	if p.pattern.Kind == Poisson {
		p.arrivals.drop(int(n))
		p.wake = p.arrivals.first()
		return
	}
	p.next += n
	if p.next < p.size() {
		if p.rate != 0 {
			p.setWake()
		}
		return
	}
	if p.left == 0 {
		p.wake = never
		return
	}
	if p.left != unbounded {
		p.left--
	}
	end := p.now
	if p.rate != 0 {
		end = p.timeOf(p.next - 1)
	}
	p.anchor, p.base, p.acc, p.next = end+int64(p.pattern.Gap), 0, 0, 0
	p.setWake()
}

// skipLate leaves out what is too far behind, and returns what is due then.
func (p *Pacer) skipLate() int {
	p.skip(p.now - p.catchUp - 1)
	return p.Due(p.now)
}

// skip counts what was due by a time as missed.
func (p *Pacer) skip(by int64) {
	for p.wake != never {
		var n uint64
		if p.pattern.Kind == Poisson {
			n = uint64(p.arrivals.count(by))
		} else {
			n = p.dueBy(by) - p.next
		}
		if n == 0 {
			return
		}
		p.missed += n
		p.pass(n)
	}
}
