package wire

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/virtio-pmd/virtio-pmd/driver/vdev/wire/capture"
)

// recorder records frames in a pcap file. It knows which of them are in the file, so that
// a write that fails leaves whole records, and the others are counted.
type recorder struct {
	file    *os.File
	regular bool
	size    int64
	limit   int64 // 0: none
	room    int64 // bytes that the process may write to one file (RLIMIT_FSIZE), 0: no limit
	out     *capture.Writer
	ends    []int // where in the buffer of out each record ends
	log     *slog.Logger

	failed error // the first error; nothing is recorded after it
	full   bool  // the limit is reached
	beyond uint64

	lost, lostBytes atomic.Uint64
}

// newRecorder makes or overwrites a file. An error is an *[Error].
func newRecorder(name string, limit int64, log *slog.Logger) (*recorder, error) {
	fail := func(reason, remedy string, err error) (*recorder, error) {
		return nil, &Error{Kind: captureFile, Name: name, Reason: reason, Remedy: remedy, Err: err}
	}
	info, err := os.Stat(name)
	if err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return fail("a pipe, whose reader could hold up the device", "record into a file", nil)
	}
	// Truncated only when no other port is found to record into it.
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fail("", "", withoutPath(err))
	}
	r := &recorder{file: file, limit: limit, log: log, out: capture.NewWriter()}
	if err := r.begin(); err != nil {
		_ = file.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return fail("another port or program plays it or records into it", "name another file", nil)
		}
		return fail("", remedyOf(err), err)
	}
	return r, nil
}

// begin takes the file for this recorder alone and writes the header.
func (r *recorder) begin() error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	if r.regular = info.Mode().IsRegular(); r.regular {
		if err := lockFile(r.file, unix.LOCK_EX); err != nil {
			return err
		}
		if err := r.file.Truncate(0); err != nil {
			return withoutPath(err)
		}
		// A write above the limit of the process ends it by a signal.
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &limit); err == nil && limit.Cur < 1<<62 {
			r.room = int64(limit.Cur)
		}
	}
	return r.flush()
}

// lockFile takes an advisory lock (flock) of a file without waiting. It belongs to the
// open file, so that two ports of one process exclude each other too. A file system
// without locks has none.
func lockFile(f *os.File, how int) error {
	var err error
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lock error
	err = raw.Control(func(fd uintptr) { lock = unix.Flock(int(fd), how|unix.LOCK_NB) })
	if err == nil && errors.Is(lock, unix.EWOULDBLOCK) {
		err = lock
	}
	return err
}

// bufferSize is how much is written at once while frames come without a pause.
const bufferSize = 1 << 16

// record records a burst of frames.
func (r *recorder) record(frames [][]byte) {
	if r.failed != nil {
		n := 0
		for _, f := range frames {
			n += len(f)
		}
		r.lose(len(frames), n)
		return
	}
	// A frame can be in memory that is taken away while it is copied: what the panic left
	// behind is no record.
	r.out.Buf.Truncate(r.end())
	now := time.Now()
	for i, f := range frames {
		if !r.fits(len(f)) {
			r.beyond += uint64(len(frames) - i)
			break
		}
		r.out.Add(now, f)
		r.ends = append(r.ends, r.out.Buf.Len())
	}
	if r.out.Buf.Len() >= bufferSize {
		r.write()
	}
}

// end returns where in the buffer the last record ends.
func (r *recorder) end() int {
	if len(r.ends) == 0 {
		return 0
	}
	return r.ends[len(r.ends)-1]
}

// fits reports whether a frame fits into a file of limited size.
func (r *recorder) fits(frame int) bool {
	if r.full || r.limit == 0 {
		return !r.full
	}
	size := r.size + int64(r.out.Buf.Len())
	if size+capture.RecordHeader+int64(frame) > r.limit {
		r.full = true
		r.log.Warn("the recording has reached its limit, and ends", "file", r.file.Name(), "bytes", size)
	}
	return !r.full
}

// write writes the records in the buffer. When that fails, the recording ends.
func (r *recorder) write() {
	if len(r.ends) == 0 || r.failed != nil {
		return
	}
	r.out.Buf.Truncate(r.end())
	if r.failed = r.flush(); r.failed == nil {
		return
	}
	r.log.Warn("the recording has failed, and frames are lost from now on",
		"file", r.file.Name(), "bytes", r.size, "err", r.failed)
}

// flush writes the buffer and empties it. If not all of it can be written, the records
// that are not in the file count as lost.
func (r *recorder) flush() error {
	b := r.out.Buf.Bytes()
	n, err := 0, error(unix.EFBIG)
	if r.room == 0 || r.size+int64(len(b)) <= r.room {
		n, err = r.file.Write(b)
	}
	if err != nil {
		// Of the records that were written the last may be cut off.
		kept, _ := slices.BinarySearch(r.ends, n+1)
		n = 0
		if kept > 0 {
			n = r.ends[kept-1]
		}
		left := len(r.ends) - kept
		r.lose(left, r.end()-n-left*capture.RecordHeader)
		if r.regular {
			_ = r.file.Truncate(r.size + int64(n)) // readers accept one that is cut off, too
		}
	}
	r.size += int64(n)
	r.ends = r.ends[:0]
	r.out.Buf.Reset()
	return withoutPath(err)
}

func (r *recorder) lose(frames, bytes int) {
	r.lost.Add(uint64(frames))
	r.lostBytes.Add(uint64(bytes))
}

// close ends the recording. It fails if frames were lost.
func (r *recorder) close() error {
	r.write()
	err := r.file.Close()
	if r.full {
		r.log.Info("the recording is complete", "file", r.file.Name(), "bytes", r.size, "beyond", r.beyond)
	}
	switch {
	case r.failed != nil:
		return &Error{Kind: captureFile, Name: r.file.Name(), Err: r.failed, Remedy: remedyOf(r.failed),
			Reason: fmt.Sprintf("%d transmitted frames are not in it, as a write failed", r.lost.Load())}
	case err != nil:
		return &Error{Kind: captureFile, Name: r.file.Name(), Err: withoutPath(err)}
	}
	return nil
}

func remedyOf(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "make room on the file system, or give the recording a limit"
	case errors.Is(err, unix.EFBIG):
		return "raise the limit of the process (ulimit -f), or give the recording a limit"
	}
	return ""
}

// withoutPath returns the cause of an error that names the file, as an Error does.
func withoutPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
