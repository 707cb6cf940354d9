package reconcile

import "time"

// DeviceStatus is what is known of a device now.
type DeviceStatus struct {
	Name     string      `json:"name"`
	Address  string      `json:"address"` // host:port
	Source   string      `json:"source,omitempty"`
	File     string      `json:"file,omitempty"`
	Groups   []string    `json:"groups,omitempty"`
	State    string      `json:"state"` // connected, connecting, unreachable, disabled
	Since    time.Time   `json:"since,omitzero"`
	Reason   string      `json:"reason,omitempty"` // why it is not connected
	Sync     string      `json:"sync"`             // in-sync, pending, drifted, refused
	Pending  []string    `json:"pending,omitempty"`
	Drift    []PathDrift `json:"drift,omitempty"`
	Services []string    `json:"services,omitempty"` // the instances that have configuration there
	Refused  []string    `json:"refused,omitempty"`  // instances whose wish it refused, and why
}

// PathDrift is an owned path whose value on the device is not the wanted one.
// Secrets are masked.
type PathDrift struct {
	Path   string   `json:"path"`
	Want   string   `json:"want,omitempty"`
	Have   string   `json:"have,omitempty"`
	Policy string   `json:"policy,omitempty"` // revert or accept
	Owners []string `json:"owners,omitempty"`
}

// ServiceStatus is a service instance with what became of it on the devices.
type ServiceStatus struct {
	ResourceStatus
	Service string   `json:"service"`
	Key     string   `json:"key"`
	Code    string   `json:"code"` // template FILE, handler, or none
	Devices []string `json:"devices,omitempty"`
	Pending []string `json:"pending,omitempty"` // devices that have yet to follow
	Text    string   `json:"text,omitempty"`    // the instance, as XML; only of one that was asked for
}

// Blame says who wants one object or leaf of a device's configuration.
type Blame struct {
	Device string   `json:"device"`
	Path   string   `json:"path"`
	Value  string   `json:"value,omitempty"` // of a leaf, masked where it is secret
	Owners []string `json:"owners"`
}
