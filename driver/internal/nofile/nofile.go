// Package nofile explains the errors of system calls that found too many files open.
package nofile

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Explain returns what err means and what the user can do, or two empty strings if it
// is another error than too many open files.
func Explain(err error) (reason, remedy string) {
	switch {
	case errors.Is(err, unix.ENFILE):
		return "the machine has as many open files as it may",
			"end other programs, or as root raise sysctl fs.file-max"
	case !errors.Is(err, unix.EMFILE):
		return "", ""
	}
	reason = "the process has as many open files as it may"
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		reason = fmt.Sprintf("the process may have %d open files and needs more", limit.Cur)
	}
	return reason, "raise the limit (ulimit -n, LimitNOFILE= of a service), or use fewer queues"
}
