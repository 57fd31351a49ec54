//go:build amd64 && !race

package gate

// atomicMarks is whether the poller's marks are atomic stores even where
// membarrier(2) works. They need not be: on amd64 ordinary stores become visible in
// program order, which is all that Leave needs.
const atomicMarks = false
