package main

import (
	"fmt"
	"time"
)

// drain waits until the device has sent what it has. The goroutine that polls has ended.
func (s *steering) drain() error {
	for deadline := time.Now().Add(steerTime); ; time.Sleep(time.Millisecond) {
		posted := 0
		for i := range steerPairs {
			s.port.TxQueue(i).Reclaim()
			posted += s.port.TxQueue(i).Stats().Posted
		}
		switch {
		case posted == 0:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d packets are not sent within %v", posted, steerTime)
		}
	}
}

// steerOutcome is what became of all packets and buffers.
type steerOutcome struct {
	Path                                           string
	Received, Foreign, Sent, Unsent                uint64 // by the program
	RxPackets, RxErrors                            uint64 // by the port, as what follows
	TxPackets, TxDropped, TxErrors, TxLost, Resets uint64
	Buffers, Free                                  int
}

// outcome returns what became of all packets.
func (s *steering) outcome() steerOutcome {
	stats := s.port.Stats()
	o := steerOutcome{Received: s.received, Foreign: s.foreign, Unsent: s.unsent, RxPackets: stats.RxPackets,
		RxErrors: stats.RxErrors, TxPackets: stats.TxPackets, TxDropped: stats.TxDropped, TxErrors: stats.TxErrors,
		TxLost: stats.TxLost, Resets: stats.Resets, Path: s.port.Path().Rx}
	for i := range s.sent {
		o.Sent += s.sent[i].Load()
	}
	return o
}
