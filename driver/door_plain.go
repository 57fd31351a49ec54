//go:build amd64 && !race

package driver

// marksAreExchanges says whether a poller's marks are atomic stores whatever
// membarrier(2) can do. On amd64 plain stores become visible in program order,
// which is all that leave needs.
const marksAreExchanges = false
