package report

import (
	"fmt"
	"strconv"
)

// ports returns the page of the ports. They are shown in as much detail as has room;
// where there are several, the sums of all are on every part, or on the first if there is
// no room for that.
func (m *model) ports(height int) [][]string {
	for d := m.detail; ; d++ {
		blocks, tallest := m.blocks(d)
		if tallest > height && d < line {
			continue
		}
		if d < line && len(blocks) > 1 {
			blocks, tallest = m.blocks(d) // with columns that are as wide as all of them need
		}
		if len(blocks) < 2 {
			return paginate(blocks, nil, height)
		}
		total := m.sample.total.block(max(d, compact), m.width, m.columns, m.styles)
		if d < line {
			total = append(total, "")
		}
		if tallest+len(total) <= height {
			return paginate(blocks, total, height)
		}
		return paginate(append([][]string{total}, blocks...), nil, height)
	}
}

// blocks returns the ports as blocks of lines, and how many the tallest has.
func (m *model) blocks(d detail) (blocks [][]string, tallest int) {
	for i := range m.sample.ports {
		b := m.sample.ports[i].block(d, m.width, m.columns, m.styles)
		blocks, tallest = append(blocks, b), max(tallest, len(b))
	}
	return blocks, tallest
}

// paginate puts blocks in parts that begin with the same lines. Blocks of several lines
// are set apart where there is room.
func paginate(blocks [][]string, top []string, height int) [][]string {
	parts := [][]string{append([]string(nil), top...)}
	for _, b := range blocks {
		part := &parts[len(parts)-1]
		if len(*part)+len(b) > height && len(*part) > len(top) {
			parts = append(parts, append([]string(nil), top...))
			part = &parts[len(parts)-1]
		}
		*part = append(*part, b[:max(min(len(b), height-len(*part)), 0)]...)
		if len(b) > 1 && len(*part) < height {
			*part = append(*part, "")
		}
	}
	return parts
}

// queues returns the page of the queue pairs.
func (m *model) queues(height int) [][]string {
	t := table{name: "queues", columns: []column{
		{title: "port/queue"}, {"Rx", true, 1}, {"Tx", true, 1},
		{"RX-dropped", true, 3}, {"TX-dropped", true, 3}, {"RX-nombuf", true, 6}, {"TX-full", true, 5},
		{"RX-packets", true, 2}, {"TX-packets", true, 2}, {"empty", true, 7}, {"kicks", true, 8},
	}}
	for _, p := range m.sample.ports {
		for i, q := range p.queues {
			t.add(text(fmt.Sprintf("%s/%d", p.name, i)),
				text(inUnits(q.rxPPS, "pps")), text(inUnits(q.txPPS, "pps")),
				lossNumber(q.Rx.Dropped), lossNumber(q.Tx.Dropped), lossNumber(q.Rx.NoMbuf), number(q.Tx.Full),
				number(q.Rx.Packets), number(q.Tx.Packets),
				text(Share(q.Rx.EmptyPolls, q.Rx.Polls)), number(q.Rx.Kicks+q.Tx.Kicks))
		}
	}
	return m.tableParts(&t, height)
}

// tableParts returns a table as parts that each have its titles, if there is room.
func (m *model) tableParts(t *table, height int) [][]string {
	head, rows := t.lines(m.columns, m.width, m.styles)
	return chunk([]string{head}, rows, height)
}

func number(n uint64) cell { return text(strconv.FormatUint(n, 10)) }

func lossNumber(n uint64) cell {
	c := number(n)
	c.loss = n > 0
	return c
}
