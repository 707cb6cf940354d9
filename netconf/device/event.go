package device

// The types of events that the Manager tells.
const (
	DeviceConnected      = "device_connected"
	DeviceLost           = "device_lost"
	DeviceDrift          = "device_drift"           // an owned path is not as wanted
	DeviceRepaired       = "device_repaired"        // drift was reverted
	DeviceRefused        = "device_refused"         // a device said no
	DeviceSchemaDegraded = "device_schema_degraded" // some or all models can't be had; keys are inferred
	DeviceStateDegraded  = "device_state_degraded"  // the records can't be written
	TransactionStarted   = "transaction_started"
	TransactionCommitted = "transaction_committed" // decided: all devices change, now or when they are back
	TransactionAborted   = "transaction_aborted"   // undone: no device changes
	TransactionRecovered = "transaction_recovered" // a device that was left in the middle is at its end
)

// Level says how much an event matters.
type Level string

// The levels, in the words of the log.
const (
	Info    Level = "info"
	Warning Level = "warning"
	Error   Level = "error"
)

// Event is one thing that happened. It holds no configured value, so nothing in
// it is secret.
type Event struct {
	Type    string
	Level   Level
	Device  string   // "" for what concerns several
	Owners  []string // the instances concerned, if any
	Message string   // a sentence
	Fields  map[string]any
}
