//go:build race

package systemdbox

const race = true
