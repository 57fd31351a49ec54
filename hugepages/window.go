package hugepages

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// lastUserAddress bounds what a process can map without asking for more.
	lastUserAddress = 1<<47 - 1
	// lowAddresses are left to the program and its libraries where possible.
	lowAddresses = 4 << 30
	// placeTries bounds how often another thread may take the gap first.
	placeTries = 64
)

// place maps length bytes of file at a multiple of align between first and
// last, the lowest that is free from 4 GiB on, else the lowest of all.
func place(file *os.File, length, align int, first, last uint64) ([]byte, error) {
	for range placeTries {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			return nil, &FileError{PageSize: align, Op: "find addresses for", Err: err}
		}
		address, ok := uint64(0), false
		if last >= lowAddresses {
			address, ok = findGap(maps, uint64(length), uint64(align), max(first, lowAddresses), last)
		}
		if !ok {
			address, ok = findGap(maps, uint64(length), uint64(align), first, last)
		}
		if !ok {
			break
		}
		data, err := mapAt(file, address, length)
		if err == nil {
			return data, nil
		}
		if err != unix.EEXIST {
			return nil, &FileError{PageSize: align, Op: "map", Err: err}
		}
	}
	return nil, &WindowError{Bytes: length, PageSize: align, First: first, Last: last}
}

// findGap returns the lowest multiple of align in [first, last] from which on
// length bytes up to last are in none of the mappings, given as /proc/PID/maps
// shows them.
func findGap(maps []byte, length, align, first, last uint64) (address uint64, ok bool) {
	last = min(last, lastUserAddress)
	address = alignUp(max(first, align), align)
	for line := range bytes.Lines(maps) {
		var start, end uint64
		if n, _ := fmt.Sscanf(string(line), "%x-%x", &start, &end); n != 2 {
			continue
		}
		if end <= address {
			continue
		}
		if address <= start && start-address >= length {
			break // mappings ascend: the gap before this one is large enough
		}
		address = alignUp(end, align)
	}
	return address, address <= last && last-address >= length-1
}

// alignUp rounds address, which is below 1<<63, up to a multiple of align.
func alignUp(address, align uint64) uint64 {
	return (address + align - 1) &^ (align - 1)
}
