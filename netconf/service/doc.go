// Package service knows service code: the instances of services that documents
// hold, and how an instance becomes the configuration of devices, by a template
// or by a handler, a process that speaks the service API of clixon-controller on
// a Unix socket. It never knows how configuration reaches a device, who else
// owns a part of it, where documents come from, or what is kept of a run.
package service

import (
	"context"

	"github.com/abide-agent/abide/netconf/tree"
)

// Namespace is that of <services>, of <devices> and of the service API.
const Namespace = "http://clicon.org/controller"

// libSpace is that of the attribute `creator`.
const libSpace = "http://clicon.org/lib"

// Instance is one entry of a service's list, as a document holds it.
type Instance struct {
	Service   string // the list's name: ssh-users
	Namespace string // the list's
	KeyLeaf   string // the leaf that names the entry: service-name
	Key       string // its value: ops
	Config    *tree.Node
	File      string
	Line      int
}

// Name is what the instance is called everywhere, and the owner of what it
// makes: `ssh-users[ops]`.
func (i Instance) Name() string { return i.Service + "[" + i.Key + "]" }

// tag is the instance in the service API: `ssh-users[service-name='ops']`.
func (i Instance) tag() string { return i.Service + "[" + i.KeyLeaf + "='" + i.Key + "']" }

// Device is what service code may know of a device.
type Device struct {
	Name   string
	Addr   string
	Groups []string          // in which it is, directly or not, sorted
	Vars   map[string]string // the inventory's variables, the device's own over its groups'
}

// Request is one run of service code for one instance. What it holds is only
// read, and may be read until Run returns or, of a handler that is late, until
// its session ends.
type Request struct {
	Instance Instance
	// Deleted says that the instance is gone: its configuration goes whatever the
	// code does, which is only told.
	Deleted bool
	// Made says that an earlier run has made something of the instance, so that
	// nothing is taken only from code that is known to make its service.
	Made    bool
	Devices []Device // those that the instance may configure, in their order
	// Schema describes the instance's list where its YANG is known, else nil.
	Schema *tree.Def
	// All gives the whole <services>, with this instance in it unless it is gone;
	// nil: just this instance. It and Config may be called more than once.
	All func() *tree.Node
	// Config gives the <config> that others claim of a device; nil: nothing.
	Config func(device string) *tree.Node
	DryRun bool   // nothing is pushed: code keeps its hands off the world
	User   string // who asked for it, "" where nobody did
}

// Output is what an instance wants, by device: a <config> tree. A device that
// isn't in it is not touched.
type Output map[string]*tree.Node

// Code turns an instance into configuration. Run may be called from any number
// of goroutines. Its errors are sentences that name the instance's service or
// the place in the code; none of them says that the instance is at fault for
// ever: a handler that was gone may be back.
type Code interface {
	Run(ctx context.Context, r Request) (Output, error)
}

// configName is the root of an output.
var configName = tree.Name{Local: "config"}

// emptyConfig is what a device has of which nobody wants anything.
var emptyConfig = &tree.Node{Name: configName}
