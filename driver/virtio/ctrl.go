package virtio

// Classes and commands of the control virtqueue (5.1.9.5).
const (
	CtrlMQ         = 4
	CtrlMQPairsSet = 0

	CtrlOK  = 0
	CtrlErr = 1
)
