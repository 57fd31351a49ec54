package vpci

// Registers of the common configuration structure (4.1.4.3): byte offsets, with
// the width in bytes as a comment.
const (
	regDeviceFeatureSelect = 0  // 4
	regDeviceFeature       = 4  // 4, read only
	regDriverFeatureSelect = 8  // 4
	regDriverFeature       = 12 // 4
	regConfigVector        = 16 // 2
	regNumQueues           = 18 // 2, read only
	regDeviceStatus        = 20 // 1
	regConfigGeneration    = 21 // 1, read only
	regQueueSelect         = 22 // 2
	regQueueSize           = 24 // 2
	regQueueVector         = 26 // 2
	regQueueEnable         = 28 // 2
	regQueueNotifyOff      = 30 // 2, read only
	regQueueDesc           = 32 // 8, as two of 4
	regQueueDriver         = 40 // 8, as two of 4
	regQueueDevice         = 48 // 8, as two of 4

	// commonLen is the length that every modern device has. The registers after it
	// were added by later versions and exist if the structure is long enough.
	commonLen = 56

	regQueueNotifyData = 56 // 2, read only
	regQueueReset      = 58 // 2
)
