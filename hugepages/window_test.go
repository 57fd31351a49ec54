package hugepages

import "testing"

func TestFindGap(t *testing.T) {
	const maps = `00400000-00500000 r-xp 00000000 08:01 1 /bin/x
100000000-100200000 rw-s 00000000 00:0e 2 /memfd:a (deleted)
100400000-100401000 rw-s 00000000 00:0e 3 /memfd:b (deleted)
7fffffffe000-7ffffffff000 rw-p 00000000 00:00 0 [stack]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]
`
	const mib = 1 << 20
	for _, c := range []struct {
		name                       string
		length, align, first, last uint64
		want                       uint64
		ok                         bool
	}{
		{"before everything", mib, 4096, 0x10000, 1<<39 - 1, 0x10000, true},
		{"address 0 is never given", 4096, 4096, 0, 1<<39 - 1, 4096, true},
		{"a gap that fits exactly", 2 * mib, 2 * mib, 1 << 32, 1<<39 - 1, 1<<32 + 2*mib, true},
		{"a gap too small is passed over", 2*mib + 4096, 4096, 1 << 32, 1<<39 - 1, 0x100401000, true},
		{"alignment moves the start", 2 * mib, 2 * mib, 1<<32 + 4*mib, 1<<39 - 1, 1<<32 + 6*mib, true},
		{"large alignment", 1 << 30, 1 << 30, 1 << 32, 1<<39 - 1, 5 << 30, true},
		{"unaligned first", mib, mib, 1<<32 + 2*mib + 1, 1<<39 - 1, 1<<32 + 3*mib, true},
		{"ends with the window", mib, mib, 1<<32 + 2*mib, 1<<32 + 3*mib - 1, 1<<32 + 2*mib, true},
		{"one byte beyond the window", mib, mib, 1<<32 + 2*mib, 1<<32 + 3*mib - 2, 0, false},
		{"window in use", 4096, 4096, 1 << 32, 1<<32 + 2*mib - 1, 0, false},
		{"window that ends beyond user addresses", 1 << 30, 1 << 30, 1<<47 - 1<<30, 1<<64 - 1, 0, false},
	} {
		got, ok := findGap([]byte(maps), c.length, c.align, c.first, c.last)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s: %#x, %v; want %#x, %v", c.name, got, ok, c.want, c.ok)
		}
	}
}
