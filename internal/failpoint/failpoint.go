//go:build !failpoint

// Package failpoint marks the steps at which a test may kill the agent or make
// a write fail. Without the build tag "failpoint" a point costs nothing. It
// knows names only, never what stands around a point.
package failpoint

// Hit does nothing in this build.
func Hit(string) error { return nil }
