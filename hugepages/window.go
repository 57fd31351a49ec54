package hugepages

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// lastUserAddress is the last address that a process can map without a hint above it.
	lastUserAddress = 1<<47 - 1
	// lowAddresses end here: they are left to the program and its libraries if possible.
	lowAddresses = 4 << 30
	// maxMapTries bounds how often another thread may take the gap first.
	maxMapTries = 64
)

const opPlace = "place"

// mapInWindow maps length bytes of file at the lowest free multiple of align between first and last
// that is at 4 GiB or above, or at the lowest of all if there is none.
func mapInWindow(file *os.File, length, align int, first, last uint64) ([]byte, error) {
	for range maxMapTries {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			return nil, fileError("find addresses for pages of", align, err)
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
			return nil, fileError("map pages of", align, err)
		}
	}
	return nil, &Error{Op: opPlace, Value: inUnits(length),
		Reason: fmt.Sprintf("no gap for pages of %s between the addresses %#x and %#x", inUnits(align),
			first, last),
		Remedy: "ask for less or for a wider window"}
}

// findGap returns the lowest multiple of align in [first, last] at which length bytes, up to last,
// overlap none of the mappings, given as the text of /proc/PID/maps.
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
