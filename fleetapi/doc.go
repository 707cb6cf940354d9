// Package fleetapi knows the HTTP face of CoreOS fleet's API v1: its paths,
// entities, checks and texts, its pages and its discovery document, for clients
// that were written for fleet and are not changed. It stands on the registry of
// units and on the board that shows what is known of each, through interfaces of
// its own. It never knows systemd, storage, Git, nor who is calling.
//
// Where fleet is known to be wrong it is not followed; docs/fleet-compat.md lists
// each such place with its reason.
package fleetapi
