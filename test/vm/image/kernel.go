package image

import (
	"fmt"
	"os"
	"path/filepath"
)

// Kernel is a guest kernel in the cache.
type Kernel struct {
	// Image is the kernel itself.
	Image string
	// NoIOMMU is a vfio.ko that has no-IOMMU mode compiled in.
	NoIOMMU string

	modules modules
}

// FindKernel returns the kernel that scripts/guest-kernel.sh has put into cache.
func FindKernel(cache string) (*Kernel, error) {
	dir := filepath.Join(cache, "kernel", "current")
	k := &Kernel{Image: filepath.Join(dir, "vmlinuz"),
		NoIOMMU: filepath.Join(dir, "vfio-noiommu.ko")}
	for _, f := range []string{k.Image, k.NoIOMMU} {
		if _, err := os.Stat(f); err != nil {
			return nil, &NoKernelError{Cause: err}
		}
	}
	var err error
	if k.modules, err = findModules(filepath.Join(dir, "modules")); err != nil {
		return nil, &NoKernelError{Cause: err}
	}
	return k, nil
}

// NoKernelError says that the cache holds no guest kernel, or half of one.
type NoKernelError struct{ Cause error }

func (e *NoKernelError) Error() string {
	return fmt.Sprintf("image: no guest kernel: %v; scripts/guest-kernel.sh fetches one", e.Cause)
}

// Unwrap gives the cause.
func (e *NoKernelError) Unwrap() error { return e.Cause }
