//go:build !race

package virtq

const under = 1
