//go:build amd64 && !race

package virtq

// publish64 stores v in ring memory after everything stored before. amd64 makes
// stores visible in program order, and the compiler does not reorder them, so an
// ordinary store is a store-release; an atomic one would be a full barrier, seven
// times the cost, for each packet.
func publish64(p *uint64, v uint64) { *p = v }

// publish32 is publish64 for 32 bits.
func publish32(p *uint32, v uint32) { *p = v }
