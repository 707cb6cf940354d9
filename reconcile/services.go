package reconcile

// Names of the kinds of the family of services.
const (
	ServiceKind = "service"
	DeviceKind  = "device"
)
