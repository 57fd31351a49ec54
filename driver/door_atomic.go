//go:build race || !amd64

package driver

// marksAreExchanges says whether a poller's marks are atomic stores whatever
// membarrier(2) can do. The race detector has to see them, and machines that
// reorder stores need the release that leave has to be.
const marksAreExchanges = true
