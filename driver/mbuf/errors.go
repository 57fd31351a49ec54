package mbuf

import "fmt"

// ConfigError says that a field of Config makes no sense.
type ConfigError struct {
	Field  string
	Value  int
	Reason string
}

// Error names the field, the value and what is wrong with it.
func (e *ConfigError) Error() string {
	return fmt.Sprintf("mbuf: %s is %d: %s", e.Field, e.Value, e.Reason)
}

// BindError says that the device addresses a pool was given cannot be used.
type BindError struct {
	// Page is the number of the page of the pool's memory, or -1.
	Page int
	// Have is the address the page has from an earlier Bind or must have, Want
	// the one it was given now.
	Have, Want uint64
	Reason     string
}

// Error names the page, both addresses and the reason.
func (e *BindError) Error() string {
	if e.Page < 0 {
		return "mbuf: " + e.Reason
	}
	return fmt.Sprintf("mbuf: page %d of the pool is at device address %#x and cannot be at %#x: %s", e.Page, e.Have, e.Want, e.Reason)
}

// BusyError says that a pool cannot be released because buffers are out.
type BusyError struct {
	// Out buffers are held by the application or posted to a device, Cached
	// ones lie in caches that were not flushed.
	Out, Cached int
}

// Error says how many are where, and what to do.
func (e *BusyError) Error() string {
	return fmt.Sprintf("mbuf: the pool is in use: %d buffers are held or posted and %d lie in caches; close the ports, free the buffers and flush the caches first", e.Out, e.Cached)
}
