// Package systemdbox boots a real systemd as PID 1 of a container, for tests
// that want nothing less. It knows how to make the image from Debian's packages
// as this machine's apt is configured, how to boot it, and how to run programs
// and test binaries in it. It never knows what is tested.
package systemdbox
