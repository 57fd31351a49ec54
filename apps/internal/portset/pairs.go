package portset

// Pairs pairs n ports in their order, 0 with 1, 2 with 3, and returns the port
// that each one's packets leave by. An odd last port sends to itself.
func Pairs(n int) []int {
	to := make([]int, n)
	for i := range to {
		if to[i] = i ^ 1; to[i] >= n {
			to[i] = i
		}
	}
	return to
}
