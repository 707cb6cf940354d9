// Package device knows the network devices: the inventory that names them, the
// durable record of what each service instance has put on each of them, and
// the transactions that bring them from what they hold to what is wanted of
// them, whatever breaks on the way. It never knows what a service means, where
// documents come from, how sessions are framed, or who reads its events.
package device
