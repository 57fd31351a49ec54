package vdev

// CrashAt has f called before each store that a device that takes the place of d goes by.
// If f panics, d ends there, as if its process had been killed.
func (d *VhostDevice) CrashAt(f func()) { d.crash = f }
