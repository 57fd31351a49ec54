package session

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/report"
)

// infoOnSignal writes what the ports are whenever SIGUSR1 comes, until stop is called.
func infoOnSignal(r *report.Report, to io.Writer) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range signals {
			_ = r.WriteInfo(to) // a reader that has ended wants no more of it
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}
