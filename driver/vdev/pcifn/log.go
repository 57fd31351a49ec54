package pcifn

import (
	"fmt"
	"slices"
	"sync"
)

// ConfigSpace stands in the BAR field of an Access to configuration space.
const ConfigSpace = -1

// Access is one access of the driver to configuration space or to a register.
type Access struct {
	BAR    int // ConfigSpace or 0 to 5
	Offset uint64
	Width  int // bytes
	Value  uint32
	Write  bool
	// Register is the specification's name of the register: "device_status",
	// "queue_desc (low)", "notify", "ISR", "config"; "" if there is none.
	Register string
}

// String returns an access as an assignment: "device_status <- 0xf".
func (a Access) String() string {
	name := a.Register
	switch {
	case a.BAR == ConfigSpace:
		name = fmt.Sprintf("config space %#02x", a.Offset)
	case name == "":
		name = fmt.Sprintf("BAR %d %#x", a.BAR, a.Offset)
	}
	arrow := "->"
	if a.Write {
		arrow = "<-"
	}
	return fmt.Sprintf("%s/%d %s %#x", name, a.Width, arrow, a.Value)
}

// accessLog keeps accesses in the order in which they were made.
type accessLog struct {
	on   bool
	mu   sync.Mutex
	list []Access
}

func (l *accessLog) add(a Access) {
	if !l.on {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, a)
}

// Log returns every access that the driver made, in order, since New or
// ClearLog. It is empty unless Config.Log was set. A write is added before it takes
// effect, a read with the value that the driver got.
func (f *Function) Log() []Access {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	return slices.Clone(f.log.list)
}

// ClearLog removes the accesses so far.
func (f *Function) ClearLog() {
	f.log.mu.Lock()
	defer f.log.mu.Unlock()
	f.log.list = nil
}
