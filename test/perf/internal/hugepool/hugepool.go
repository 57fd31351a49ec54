// Package hugepool adds hugepages to the kernel's pool for the time of a
// measurement.
package hugepool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// File is where the kernel is told how many hugepages of 2 MiB there are to be.
const File = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"

// Pages are hugepages that were added.
type Pages struct {
	// Dir is a hugetlbfs over them, "" if none was asked for.
	Dir string

	pool   *os.File
	before int
}

// Reserve adds n pages, and mounts a hugetlbfs at dir, which it makes, unless
// that is "". The pool's file is locked until Release: other tests enlarge the
// pool too, and restore it after. It needs root.
func Reserve(n int, dir string) (*Pages, error) { return reserve(File, n, dir) }

func reserve(path string, n int, dir string) (*Pages, error) {
	pool, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("hugepages: %w; run as root", err)
	}
	p := &Pages{pool: pool}
	if err := unix.Flock(int(pool.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), pool.Close())
	}
	if p.before, err = p.count(); err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	if err := p.enlarge(n); err != nil {
		return nil, errors.Join(err, p.restore())
	}
	if dir == "" {
		return p, nil
	}
	if err := mount(dir); err != nil {
		return nil, errors.Join(err, p.restore())
	}
	p.Dir = dir
	return p, nil
}

func mount(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("none", filepath.Clean(dir), "hugetlbfs", 0, "pagesize=2M"); err != nil {
		return fmt.Errorf("mounting hugetlbfs at %s: %w", dir, err)
	}
	return nil
}

// Release unmounts and gives the pages back.
func (p *Pages) Release() error {
	var err error
	if p.Dir != "" {
		if err = unix.Unmount(p.Dir, 0); err != nil {
			err = fmt.Errorf("unmounting %s: %w", p.Dir, err)
		}
	}
	return errors.Join(err, p.restore())
}

func (p *Pages) enlarge(n int) error {
	if err := p.set(p.before + n); err != nil {
		return err
	}
	got, err := p.count()
	if err == nil && got < p.before+n {
		err = fmt.Errorf("the kernel gave %d of %d more hugepages; free some memory",
			got-p.before, n)
	}
	return err
}

func (p *Pages) restore() error {
	return errors.Join(p.set(p.before), p.pool.Close()) // which unlocks
}

func (p *Pages) count() (int, error) {
	b := make([]byte, 32)
	n, err := p.pool.ReadAt(b, 0)
	if n == 0 {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b[:n])))
}

func (p *Pages) set(n int) error {
	_, err := p.pool.WriteAt([]byte(strconv.Itoa(n)), 0)
	return err
}
