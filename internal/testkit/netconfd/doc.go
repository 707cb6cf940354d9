// Package netconfd knows how to run real NETCONF devices for a test: Debian's
// netconfd (yuma123) behind an OpenSSH server of the test's own, on loopback, with
// faults where a test wants them. It never knows what a test does with them, and
// touches nothing outside of its temporary directory but, where the packages are
// missing and the test runs as root, by installing them.
package netconfd
