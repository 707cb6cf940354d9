// Package systemd makes units true on a machine whose PID 1 is systemd. It knows
// the unit directory, systemd's D-Bus interface (org.freedesktop.systemd1(5)) and
// what of both is abide's own. It never knows where a unit comes from or why it
// is wanted, nor HTTP, nor Git.
//
// What systemd does reaches it as signals, which it keeps in memory; a sweep
// every minute and one after each new connection make up for lost ones. Nothing
// that is already as wanted costs a call that changes anything.
package systemd
