//go:build race

package virtq

// under is the divisor for rounds of tests under the race detector, which is that
// much slower. What only many rounds show is shown without it.
const under = 10
