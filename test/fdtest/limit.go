package fdtest

import (
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Limit lets the process open n more descriptors, until release is called or the test
// ends. No other test may run meanwhile.
func Limit(t testing.TB, n int) (release func()) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]bool{}
	for _, e := range list {
		if _, err := os.Lstat("/proc/self/fd/" + e.Name()); err == nil { // not that of ReadDir
			open[e.Name()] = true
		}
	}
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	limit := 0
	for free := 0; free < n || open[strconv.Itoa(limit)]; limit++ {
		if !open[strconv.Itoa(limit)] {
			free++
		}
	}
	set := func(v uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: v, Max: before.Max}); err != nil {
			t.Error(err)
		}
	}
	set(uint64(limit))
	release = func() { set(before.Cur) }
	t.Cleanup(release)
	return release
}
