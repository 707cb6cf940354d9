//go:build !race

package systemdbox

const race = false
