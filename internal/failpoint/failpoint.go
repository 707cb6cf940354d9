//go:build !failpoint

// Package failpoint marks the steps at which a test may kill the agent or make
// a write fail. It knows names only, never what stands around a point.
package failpoint

// Hit marks a point, as in
//
//	if err := failpoint.Hit("store.before-commit"); err != nil {
//		return err
//	}
//
// It gives nil and costs nothing in this build. Under the build tag "failpoint"
// it gives an error or kills the process where the environment asks for that.
func Hit(string) error { return nil }
