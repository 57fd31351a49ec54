//go:build race || !amd64

package gate

// atomicMarks is whether the poller's marks are atomic stores even where
// membarrier(2) works. The race detector has to see them, and on machines that
// reorder stores Leave has to be a release.
const atomicMarks = true
