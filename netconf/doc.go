// Package netconf knows NETCONF on the wire: the framing of messages (RFC
// 6242), sessions and their operations (RFC 6241, 5277, 6022), both sides of a
// hello, and SSH as the way to a device. It never knows what a configuration
// means, who owns which part of it, or why somebody changes it.
package netconf
