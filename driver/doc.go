// Package driver is a poll-mode driver for virtio network devices, version 1
// and later, in user space.
//
// Open takes a transport.Transport, which is one device however it is reached,
// and returns a Port. A Port has queue pairs; each queue belongs to one
// goroutine, which polls it:
//
//	port, err := driver.Open(device, driver.Config{})
//	if err != nil {
//		return err
//	}
//	defer port.Close()
//	rx, tx := port.RxQueue(0), port.TxQueue(0)
//	bufs := make([]*mbuf.Buf, 32)
//	for !stopped() {
//		n := rx.Burst(bufs)
//		sent := tx.Burst(bufs[:n])
//		mbuf.Free(bufs[sent:n])
//	}
//
// Bursts never wait, never allocate and never lock. Everything else, such as
// the link, a device that asks to be reset and one that is pulled out, is the
// business of a goroutine of the port. Package lcore runs polling functions on
// CPUs of their own.
//
// The device is not trusted. Whatever it writes, it can stop the traffic and
// spoil the contents of packets, and no more than that.
package driver
