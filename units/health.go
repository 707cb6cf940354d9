package units

import "fmt"

// The words for a unit's health.
const (
	HealthOK       = "ok"       // it is as it is wanted
	HealthChanging = "changing" // on its way there
	HealthFailed   = "failed"   // it failed, or systemd refuses it
	HealthStopped  = "stopped"  // wanted launched, and not running
	HealthOther    = "other"    // more than is wanted: running or placed still
	HealthAbsent   = "absent"   // wanted, and not on this machine
	HealthUnknown  = "unknown"  // the engine can't be asked
	// What follows is no engine's to say: the unit is not made as it is wanted,
	// and what is there of it is as it was before.
	HealthWaiting      = "waiting"       // for another unit, or for somebody's word
	HealthRefused      = "refused"       // it is not for this machine
	HealthBroken       = "broken"        // its file has errors
	HealthNotSupported = "not-supported" // its file asks for what the engine doesn't have
	HealthRolledBack   = "rolled-back"   // it was tried, and taken back
)

// Health judges a unit by what is wanted of it: one of the words above, and a
// sentence when it is not well, or well in a way that one would not expect.
func (s Status) Health(want State) (word, reason string) {
	state := s.State()
	switch {
	case s.Masked || s.Load == "masked":
		return HealthFailed, "it is masked; unmask it with systemctl unmask " + s.Name
	case s.Job != "" || s.Active == "activating" || s.Active == "deactivating":
		return HealthChanging, ""
	case state != Inactive && s.Load != "loaded":
		return HealthFailed, fmt.Sprintf("systemd does not load it (%s); see systemctl status %s", s.Load, s.Name)
	case s.Active == "failed":
		return HealthFailed, "it failed" + s.how()
	case state == want:
		return HealthOK, ""
	case s.Skipped && state == Loaded && want == Launched:
		return HealthOK, "a condition of its own is false, so it is left alone"
	case state == Inactive:
		return HealthAbsent, "it is not on this machine"
	case want == Launched:
		return HealthStopped, "it is not running" + s.how()
	case state == Launched:
		return HealthOther, "it is still running"
	}
	return HealthOther, "it is still placed"
}

// how tells what is known of the end of a unit's process.
func (s Status) how() string {
	switch {
	case s.Result == "" || s.Result == "success":
		return ""
	case s.Exit != 0:
		return fmt.Sprintf(": %s, status %d", s.Result, s.Exit)
	}
	return ": " + s.Result
}
