package mbuf

import "testing"

// TestErrorTexts: operation, value, reason, then what to do about it.
func TestErrorTexts(t *testing.T) {
	_, count := NewPool(Config{Count: 1 << 25})
	small, large := newPool(t, Config{Count: 1}), newPool(t, Config{Count: 1, DataRoom: 4096})
	out := small.GetOne()
	for _, c := range []struct {
		err  error
		want string
	}{
		{count, "mbuf: new pool: Count 33554432: out of range; use 1 to 16777216"},
		{(*DriverPool)(small).Bind([]uint64{4096}),
			"mbuf: bind pool: buffers were taken out of the pool before it had device addresses; attach it to a port first"},
		{(*DriverPool)(small).Bind([]uint64{0}),
			"mbuf: bind pool: page 0 at device address 0x0: address 0 stands for a buffer without an address"},
		{(*DriverPool)(large).Bind([]uint64{0x1000, 0x4000}),
			"mbuf: bind pool: page 1 at device address 0x4000: a buffer is larger than a page, and the pages do not " +
				"follow each other: this one would have to be at 0x2000; use larger hugepages"},
		{small.Release(),
			"mbuf: release pool: it is in use: 1 buffers are held or posted and 0 are in caches; " +
				"close the ports, free the buffers and flush the caches first"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got  %v\nwant %s", c.err, c.want)
		}
	}
	out.Free()
	bound := (*DriverPool)(small)
	if err := bound.Bind([]uint64{0x1000}); err != nil {
		t.Fatal(err)
	}
	const want = "mbuf: bind pool: page 0 at device address 0x9000: another port has it at 0x1000, and one pool " +
		"cannot serve ports that use physical addresses and ports behind an IOMMU; give them a pool each"
	if err := bound.Bind([]uint64{0x9000}); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
