package vdev

// areaAlign is the alignment that an area needs (2.7, 2.8).
func areaAlign(packed bool, a Area) uint64 {
	switch {
	case a == DescArea:
		return 16
	case packed || a == DeviceArea:
		return 4
	}
	return 2
}

// areaSize is the length in bytes of an area of a ring of n entries (2.7, 2.8).
func areaSize(packed bool, a Area, n int) int {
	switch {
	case a == DescArea:
		return 16 * n
	case packed:
		return 4 // struct pvirtq_event_suppress
	case a == DriverArea:
		return 6 + 2*n // flags, idx, ring, used_event
	}
	return 6 + 8*n // flags, idx, ring, avail_event
}
