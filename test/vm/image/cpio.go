package image

import (
	"fmt"
	"io"
	"path"
	"sort"
)

// File is one file of the initial file system.
type File struct {
	Mode uint32 // permission bits
	Data []byte
}

const (
	modeDir     = 0o040000
	modeRegular = 0o100000
)

// writeArchive writes files, named by absolute path, and the directories above
// them as a cpio archive in the format the kernel reads ("newc").
func writeArchive(w io.Writer, files map[string]File) error {
	names := make([]string, 0, len(files))
	dirs := map[string]bool{}
	for n := range files {
		names = append(names, n)
		for d := path.Dir(n); d != "/"; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	sort.Strings(names)
	above := make([]string, 0, len(dirs))
	for d := range dirs {
		above = append(above, d)
	}
	sort.Strings(above) // a directory sorts before what is in it
	a := archive{w: w}
	for _, d := range above {
		a.add(d[1:], modeDir|0o755, nil)
	}
	for _, n := range names {
		a.add(n[1:], modeRegular|files[n].Mode, files[n].Data)
	}
	a.add("TRAILER!!!", 0, nil)
	return a.err
}

// archive writes entries until one fails.
type archive struct {
	w     io.Writer
	inode int
	err   error
}

// add writes one entry: a header of thirteen eight-digit hexadecimal numbers,
// the name, the data, each padded to four bytes.
func (a *archive) add(name string, mode uint32, data []byte) {
	if a.err != nil {
		return
	}
	a.inode++
	head := fmt.Sprintf("070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
		a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.write([]byte(head))
	a.pad(len(head))
	a.write(data)
	a.pad(len(data))
}

func (a *archive) write(b []byte) {
	if a.err == nil {
		_, a.err = a.w.Write(b)
	}
}

func (a *archive) pad(n int) { a.write(make([]byte, -n&3)) }
