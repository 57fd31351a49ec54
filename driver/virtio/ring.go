package virtio

// Flags of a descriptor. NEXT, WRITE and INDIRECT are common to both ring
// formats, AVAIL and USED belong to the packed format (2.7.5, 2.8.1).
const (
	DescNext     = 1 << 0
	DescWrite    = 1 << 1
	DescIndirect = 1 << 2
	DescAvail    = 1 << 7
	DescUsed     = 1 << 15
)

// DescLen is the size of one descriptor in either ring format.
const DescLen = 16

// Flags of the split ring's avail and used areas: the side that writes
// the area asks the other side not to notify it (2.7.6, 2.7.8).
const (
	AvailNoInterrupt = 1
	UsedNoNotify     = 1
)

// Flags of the packed ring's event suppression areas (2.8.10).
const (
	EventEnable  = 0
	EventDisable = 1
	EventDesc    = 2
)

// MaxQueueSize is the largest queue size of either ring format (2.7, 2.8).
const MaxQueueSize = 32768

// NoVector is the MSI-X vector of a queue that has no interrupt (4.1.5.1.2).
const NoVector = 0xffff
