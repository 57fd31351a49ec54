package sysfs_test

import (
	"log"
	"os"
	"testing"

	"github.com/virtio-pmd/virtio-pmd/pci/sysfs/sysfstest"
)

// exampleMachine creates a machine for an example, which has no [testing.T] that removes it.
func exampleMachine(functions ...sysfstest.Function) (m *sysfstest.Machine, remove func()) {
	root, err := os.MkdirTemp("", "sysfs")
	if err != nil {
		log.Fatal(err)
	}
	return sysfstest.New(exampleTB{root: root}, functions...), func() { _ = os.RemoveAll(root) }
}

// exampleTB is the part of [testing.TB] that sysfstest uses.
type exampleTB struct {
	testing.TB
	root string
}

func (t exampleTB) TempDir() string   { return t.root }
func (t exampleTB) Helper()           {}
func (t exampleTB) Fatal(args ...any) { log.Fatal(args...) }
