// Package sim is a NETCONF device without a device: its datastores are trees, its
// models are any folder of YANG, and it speaks NETCONF over SSH as RFC 6241, 6022,
// 5277 and 6470 say. It never knows who drives it, nor what the configuration is
// for: what it holds has no effect on anything.
//
// It can be told to go wrong in the ways in which devices do, with [Device.Fail].
package sim
