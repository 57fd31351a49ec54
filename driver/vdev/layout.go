package vdev

// AreaAlign returns what the address of an area has to be a multiple of (2.7, 2.8).
func AreaAlign(packed bool, a Area) uint64 {
	switch {
	case a == DescArea:
		return 16
	case packed || a == DeviceArea:
		return 4
	}
	return 2
}

// AreaSize returns the length in bytes of an area of a ring of n entries (2.7, 2.8).
func AreaSize(packed bool, a Area, n int) int {
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
