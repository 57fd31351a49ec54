// Package driver is a poll-mode driver for virtio network devices, version 1 and
// later, in user space.
//
// [Open] takes a [transport.Transport], which is one device however it is reached,
// and returns a [Port]. Package devargs opens one from text such as "0000:00:03.0"
// or "vhost-user:/run/vm0.sock". A Port has queue pairs; each queue belongs to one
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
// Bursts never wait, never allocate and never lock. Everything else is done by a
// goroutine of the port: it follows the link, recovers a device that needs a reset
// as [Recovery] says, waits for a back end that has disconnected, and ends the port
// when the device is removed. Package poll is a loop as
// the one above that pauses when there is nothing to do, counts, and ends with a
// context, a signal or a port. Package lcore runs polling functions on CPUs of their
// own.
//
// # Waiting
//
// A program that would rather not use a whole CPU while nothing comes opens its ports with
// Config.Interrupts and calls [RxQueue.Wait], or [Waiter.Wait] for several queues: the thread
// sleeps until the device interrupts. Package lcore has cores, and package poll loops, that
// poll under load and sleep when they are idle. A device interrupts only for a goroutine that
// sleeps. [Port.Notify] sends events of the link, the configuration and recoveries to a
// channel.
//
// # The life of a packet
//
//	  receive                                 transmit
//
//	  free buffer of the pool                 packet of the application
//	     |  RxQueue refills its ring             |  TxQueue.Burst
//	     v                                       v
//	+-- receive ring (virtqueue 2i) --+     +-- transmit ring (virtqueue 2i+1) --+
//	|  available: device may write    |     |  available: device may read        |
//	|     |  device receives a frame  |     |     |  device sends the frame      |
//	|     v                           |     |     v                              |
//	|  used: id and length, checked   |     |  used: id, checked                 |
//	+---------------------------------+     +------------------------------------+
//	     |  RxQueue.Burst                        |  a later TxQueue.Burst, or Reclaim
//	     v                                       v
//	  packet of the application               free buffer of the pool
//
// A burst notifies the device at most once, and only if the device asks for it. A
// used transmit buffer stays in the ring until its slot is needed again.
//
// # The ownership of a buffer
//
//	         Get, GetOne, Clone
//	+------+ ------------------> +-------------+  TxQueue.Burst   +--------+
//	| pool |                     | application | ---------------> |        |
//	| and  | <------------------ |             | <--------------- | device |
//	| its  |      Put, Free      +-------------+  RxQueue.Burst   |        |
//	|caches| ---------------------------------------------------> |        |
//	|      |        RxQueue.Burst refills the receive ring        |        |
//	|      | <--------------------------------------------------- |        |
//	+------+   TxQueue.Burst and Reclaim, a reset, Port.Close     +--------+
//
// At any time a buffer is in one of the three places, and the three add up to the
// size of the pool. What TxQueue.Burst does not take stays the application's.
//
// # Pools
//
// Ports forward without copying if they share a pool, or if the pool that one receives
// into is attached to the other ([Port.Attach], [Port.Detach]). A port holds every pool
// that it has, so that ports and pools are closed and released in any order. Config.Pool
// says how many buffers a pool must have.
//
// # Offloads
//
// Checksums, segmentation, large receive and hashes are features that Config.Request or
// Config.Require ask for. A received packet says what the device found out about it, and a
// packet that is sent asks for what is to be done: see package mbuf. What the device cannot
// do the transmit queue does in software, so that an application asks for it on any port,
// and forwards what it received to any port. [TxQueueStats] tells the two apart.
//
// # Commands to the device
//
// What a device can be told beside its packets are methods of [Port]: what it receives
// ([Port.SetPromiscuous], [Port.SetRxMode], [Port.SetMAC], [Port.SetMACFilter],
// [Port.AddVLAN]), how it spreads that ([Port.SetQueuePairs], [Port.SetRSS],
// [Port.SetInnerHash]), what it leaves to the driver ([Port.SetReceiveOffloads]), when it
// interrupts ([Port.SetRxCoalescing]), and what it has counted ([Port.DeviceStats]). Any
// goroutine calls them while packets flow; one command is under way at a time, and the
// others wait for it, and for the end of a recovery, as long as their context and
// Config.ControlTimeout let them. What was set is set again after a recovery. A device that
// does not offer what a command needs gets none, and the error, which is
// [errors.ErrUnsupported], says what can be done. Over vhost-user that is so for most of
// them: the protocol has no control queue.
//
// # Single queues
//
// [Port.StopRxQueue], [Port.StartRxQueue], [Port.ResizeRxQueue] and their like for transmit
// queues change one queue while the others go on. The goroutine that polls it need not know:
// its bursts return 0 meanwhile. [Port.SetQueuePairs] has the device use fewer pairs than it
// was opened with.
//
// # Looking at a port
//
// [Port.Stats] counts what the port did, [Port.ExtendedStats] lists the same by the names that
// DPDK has, and [Port.DeviceStats] is what the device counted itself. [Port.Path] says how
// packets go and why not faster, [Port.Info] everything from the negotiated features to the
// positions in the rings, and [Port.Inspect] their descriptors as well.
//
// # Speed
//
// This is what an application decides, with the driver's own cost: cycles of the
// time-stamp counter, at 2.4 GHz, for a frame of 64 bytes on a packed ring, with device
// and driver in one thread (make bench-step).
//
// Bursts have a fixed cost beside what each packet costs, of a full barrier and the
// counters among other things. At 32 packets most of it is gone:
//
//	packets a burst      1     8    32   128
//	receive and free    76    21    13    12
//	send                69    18    12    13
//	receive and send   136    39    26    24
//
// So give RxQueue.Burst room for 32; it does not wait until they are there. Collect
// packets for one call of TxQueue.Burst instead of sending them one by one.
//
// A cache of buffers that all queues of a goroutine share ([mbuf.Pool.NewCache] with
// about 256, [RxQueue.SetCache] and [TxQueue.SetCache]) lets them use again what was
// freed last, which the CPU still has in its own cache. If each queue has a cache,
// receiving costs 3 cycles more and sending 1. Free into the cache, with
// [mbuf.Cache.Put]: [mbuf.Free] locks the pool, which costs 7 cycles a packet at bursts of
// 32, and more if other goroutines want the lock.
//
// A poll that finds nothing costs 13 cycles and reads one word that the device writes,
// so that one goroutine can poll many queues.
//
// A goroutine that polls wants a CPU of its own, which package lcore gives it. With the
// device on another CPU, most of what a packet costs is the way of its cache lines between
// the two: sending to a back end with a CPU of its own went at 35 million packets a second
// while the round trip of a line took 98 ns, and at 13 million while it took 441 ns
// (make bench-dpdk). Choose two cores that share their last-level cache. The same is
// true of the application's own data: what several goroutines write for every packet costs
// more than the driver does.
//
// Without mergeable buffers (mrg_rxbuf=0) receiving costs 3 cycles less; packets longer
// than a buffer need them. A packet is sent the fast way if it is one buffer of the pool
// that the queue's cache is of, with 12 bytes of headroom or more; others cost a
// multiple.
//
// # Devices in software
//
// A port whose text begins with emu: needs no hardware, no virtual machine and, but
// for tap, no privileges: devargs makes a virtio device in software, in this process,
// and the driver uses it through an emulated PCI function as it uses the device of a
// hypervisor, with the same registers, features and rings. The word behind the colon
// says what the device is connected to: emu:gen receives frames without end, emu:null
// drops what is sent, emu:loop returns it, emu:cable=NAME connects two ports,
// emu:tap=IFNAME is a TAP interface of the kernel, emu:pcap=FILE plays a capture, and
// emu:vhost=SOCKET connects to a virtual machine, DPDK or another process by
// vhost-user. Tests and benchmarks use such ports, and so can a program that is tried
// out on a machine without a device.
//
// # What a device can do
//
// The device is not trusted. Whatever it writes, it can stop the traffic and spoil
// the contents of packets, and no more than that.
//
// A vhost-user back end shares the memory of the rings and the pools, and can remove
// its pages: package hugepages says which. The next access is a memory fault. In [Open], the
// methods of the port and its goroutine it is an error, [ErrMemoryFault]: the port
// recovers if there are pages again, and otherwise fails. In a goroutine that polls, or
// reads and writes packets, it ends the program, unless the goroutine has called
// [debug.SetPanicOnFault], recovers from the panic and calls [RxQueue.Abandon] and
// [TxQueue.Abandon]. Packages lcore and poll do that. A port that shares memory in
// ordinary pages (Config.Memory.PageSize) on a memfd has no such faults.
package driver
