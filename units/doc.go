// Package units knows systemd unit files: how they read and write, what their
// names and sections mean, what fleet's and abide's own sections ask for, and
// what an [Engine] has to do to make them true. The registry of units created
// through the fleet API is kept here too. It never knows how an engine does its
// work, nor HTTP, nor Git.
package units
