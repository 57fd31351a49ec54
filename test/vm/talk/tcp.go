package talk

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
)

// Sum is the number of bytes that one end has sent, or the other received, and
// their SHA-256.
type Sum struct {
	Bytes int64
	Hash  [sha256.Size]byte
}

func (s Sum) String() string { return fmt.Sprintf("%d bytes, SHA-256 %x", s.Bytes, s.Hash) }

// Send sends size random bytes, others for each seed, and closes this half of
// the connection.
func Send(conn *net.TCPConn, size int64, seed byte) (Sum, error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(conn, hash),
		io.LimitReader(rand.NewChaCha8([32]byte{seed}), size))
	return Sum{n, [sha256.Size]byte(hash.Sum(nil))}, errors.Join(err, conn.CloseWrite())
}

// Receive takes what the other end sends until it has closed its half.
func Receive(conn *net.TCPConn) (Sum, error) {
	hash := sha256.New()
	n, err := io.Copy(hash, conn)
	return Sum{n, [sha256.Size]byte(hash.Sum(nil))}, err
}
