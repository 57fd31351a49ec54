package portset

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/virtio-pmd/virtio-pmd/apps/internal/inuse"
	"github.com/virtio-pmd/virtio-pmd/driver"
	"github.com/virtio-pmd/virtio-pmd/driver/devargs"
	"github.com/virtio-pmd/virtio-pmd/hugepages"
	"github.com/virtio-pmd/virtio-pmd/pci/sysfs"
	"github.com/virtio-pmd/virtio-pmd/vfio"
)

// portError is what went wrong with a port of the command line.
type portError struct {
	spec devargs.Spec
	err  error
}

// Error names the port as the command line does. What failed may have named it by its device:
// that is left out.
func (e *portError) Error() string {
	text := strings.TrimPrefix(e.err.Error(), e.spec.Device()+": ")
	return "port " + e.spec.Text + ": " + strings.Replace(text, " "+e.spec.Device()+": ", ": ", 1)
}

// Unwrap returns the cause.
func (e *portError) Unwrap() error { return e.err }

// named adds the port to an error, unless the error names it.
func named(spec devargs.Spec, err error) error {
	var text *devargs.Error
	if errors.As(err, &text) {
		return err
	}
	return &portError{spec, err}
}

// LimitError is a port that listens and to which no back end connected in time.
type LimitError struct {
	Socket string
	Limit  time.Duration
	Err    error
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("no back end connected to %s within the %v of --duration; "+
		"start it before that, or leave the option out", e.Socket, e.Limit)
}

// Unwrap returns the cause.
func (e *LimitError) Unwrap() error { return e.Err }

// addUse adds to the advice to bind a function what binding it would end.
func (c *Config) addUse(spec devargs.Spec, err error) error {
	var unbound *vfio.NotBoundError
	if !errors.As(err, &unbound) {
		return err
	}
	fs := sysfs.FS{Root: c.root}
	if info, err := fs.Function(spec.Address); err == nil {
		unbound.InUse = inuse.Texts(inuse.New(fs, os.Getenv).Reasons(info))
	}
	return err
}

// tooSmall adds a remedy to the error about a device whose frames do not fit the
// buffers. The MTU of the device is known only after the pool was made, so that the
// command line has to give it.
func tooSmall(err error) error {
	var pool *driver.PoolError
	if !errors.As(err, &pool) {
		return err
	}
	return fmt.Errorf("%w; on a command line give the port mtu=%d,mrg_rxbuf=0, for buffers of %d bytes",
		err, pool.Need-l2Header, pool.Need)
}

// hint returns how a command works without hugepages.
func (c *Config) hint(err error) string {
	if !c.NoHuge && errors.Is(err, hugepages.ErrNoHugepages) {
		return "; or use --no-huge, or a smaller --pool-size"
	}
	return ""
}
