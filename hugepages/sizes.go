package hugepages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Size is one size of hugepages and how many there are.
type Size struct {
	// Bytes is the size of a page.
	Bytes int
	// Total and Free count pages; Reserved of the free ones belong to mappings that have not
	// accessed them yet.
	Total, Free, Reserved int
	// Nodes has the counts of each NUMA node, in ascending order.
	Nodes []NodePages
}

// NodePages counts the hugepages of one size on one NUMA node.
type NodePages struct{ Node, Total, Free int }

// Sizes returns the hugepage sizes of the kernel, smallest first, as sysfs below root ("/" for this
// machine) shows them. A kernel without hugepages has none.
func Sizes(root string) ([]Size, error) {
	dirs, err := sizeDirs(filepath.Join(root, poolDir))
	if err != nil {
		return nil, err
	}
	var sizes []Size
	for bytes, dir := range dirs {
		s := Size{Bytes: bytes}
		err := errors.Join(
			readCount(dir, "nr_hugepages", &s.Total),
			readCount(dir, "free_hugepages", &s.Free),
			readCount(dir, "resv_hugepages", &s.Reserved))
		if err != nil {
			return nil, err
		}
		if s.Nodes, err = nodePages(root, bytes); err != nil {
			return nil, err
		}
		sizes = append(sizes, s)
	}
	slices.SortFunc(sizes, func(a, b Size) int { return a.Bytes - b.Bytes })
	return sizes, nil
}

const (
	poolDir = "sys/kernel/mm/hugepages"
	nodeDir = "sys/devices/system/node"
)

// sizeDirs returns the directories of the hugepage pools, by page size.
func sizeDirs(pool string) (map[int]string, error) {
	entries, err := os.ReadDir(pool)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	dirs := make(map[int]string)
	for _, e := range entries {
		kb, isSize := strings.CutPrefix(e.Name(), "hugepages-")
		n, err := strconv.Atoi(strings.TrimSuffix(kb, "kB"))
		if isSize && err == nil && n > 0 && n < 1<<40 {
			dirs[n<<10] = filepath.Join(pool, e.Name())
		}
	}
	return dirs, nil
}

// nodePages returns the counts of one page size on each NUMA node.
func nodePages(root string, bytes int) ([]NodePages, error) {
	entries, err := os.ReadDir(filepath.Join(root, nodeDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var nodes []NodePages
	for _, e := range entries {
		number, isNode := strings.CutPrefix(e.Name(), "node")
		node, err := strconv.Atoi(number)
		if !isNode || err != nil {
			continue
		}
		dir := filepath.Join(root, nodePool(node, bytes))
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			continue // a node without memory
		}
		n := NodePages{Node: node}
		err = errors.Join(
			readCount(dir, "nr_hugepages", &n.Total),
			readCount(dir, "free_hugepages", &n.Free))
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b NodePages) int { return a.Node - b.Node })
	return nodes, nil
}

// pool returns the directory of the pages of one size, below the root.
func pool(bytes int) string {
	return filepath.Join(poolDir, fmt.Sprintf("hugepages-%dkB", bytes>>10))
}

// nodePool returns the directory of the pages of one size on one node, below the root.
func nodePool(node, bytes int) string {
	return filepath.Join(nodeDir, fmt.Sprintf("node%d", node), "hugepages",
		fmt.Sprintf("hugepages-%dkB", bytes>>10))
}

// readCount reads the number in a file of sysfs.
func readCount(dir, name string, n *int) error {
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if *n, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
