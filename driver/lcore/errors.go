package lcore

import "fmt"

// CPUError says that a core cannot run on a CPU: it does not exist, is offline,
// or the process's cpuset excludes it.
type CPUError struct {
	CPU    int
	Usable []int // the CPUs the process runs on now; nil if unknown
	Err    error
}

func (e *CPUError) Error() string {
	return fmt.Sprintf("CPU %d cannot be used: %v; this process may run on CPUs %v: choose one of them",
		e.CPU, e.Err, e.Usable)
}

func (e *CPUError) Unwrap() error { return e.Err }

// FaultError says that a poll touched memory that is not there any more, as
// the registers of a device that was pulled out. The ports that the core
// polled can only be closed.
type FaultError struct {
	CPU     int
	Address uint64
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("polling on CPU %d ended: memory fault at %#x, as when a device is pulled out; close its port", e.CPU, e.Address)
}

// PanicError says that the polling function panicked.
type PanicError struct {
	CPU   int
	Value any    // what it panicked with
	Stack []byte // where
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("polling on CPU %d ended: panic: %v\n%s", e.CPU, e.Value, e.Stack)
}
