//go:build race

package virtq

// under says how many times fewer rounds tests do under the race detector,
// which is that much slower. What only many rounds show is shown without it.
const under = 10
