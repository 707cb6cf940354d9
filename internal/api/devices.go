package api

import (
	"context"
	"net/http"

	"github.com/abide-agent/abide/reconcile"
)

// DeviceAgent is what the API shows of the family of services. Its methods are
// like those of [Agent].
type DeviceAgent interface {
	DeviceStatus(ctx context.Context) ([]reconcile.DeviceStatus, error)
	// DeviceConfig reads a device's configuration, as XML with secrets masked.
	DeviceConfig(ctx context.Context, name string) (string, error)
	// DeviceDiff compares what is wanted of a device with what is there.
	DeviceDiff(ctx context.Context, name string) (reconcile.DevicePlan, error)
	// SyncDevice has a device looked at, and put right, now.
	SyncDevice(ctx context.Context, name, by string) error
	ServiceStatus(ctx context.Context) ([]reconcile.ServiceStatus, error)
	OneService(ctx context.Context, name string) (reconcile.ServiceStatus, error)
	// Blame says who wants what stands at or below a path, on one device or, with
	// an empty name, on all.
	Blame(ctx context.Context, device, path string) ([]reconcile.Blame, error)
}

// Devices is the answer of `GET /v1/devices`.
type Devices struct {
	Devices []reconcile.DeviceStatus `json:"devices"`
}

// DeviceConfig is the answer of `GET /v1/devices/{name}/config`.
type DeviceConfig struct {
	Device string `json:"device"`
	XML    string `json:"xml"`
}

// Services is the answer of `GET /v1/services`.
type Services struct {
	Services []reconcile.ServiceStatus `json:"services"`
}

// Blames is the answer of `GET /v1/blame`.
type Blames struct {
	Paths []reconcile.Blame `json:"paths"`
}

// MountDevices adds the routes of the family of services. It must be called
// before Serve.
func (s *Server) MountDevices(a DeviceAgent) {
	d := devices{s, a}
	for _, rt := range []route{
		{"GET", "/v1/devices", RoleRead, "Network devices and their state", false, d.list, nil},
		{"GET", "/v1/devices/{name}", RoleRead, "", false, d.one, nil},
		{"GET", "/v1/devices/{name}/config", RoleRead, "", false, d.config, nil},
		{"GET", "/v1/devices/{name}/diff", RoleRead, "", false, d.diff, nil},
		{"POST", "/v1/devices/{name}/sync", RoleTrigger, "", false, d.sync, nil},
		{"GET", "/v1/services", RoleRead, "Service instances and their state", false, d.services, nil},
		{"GET", "/v1/services/{name}", RoleRead, "", false, d.service, nil},
		{"GET", "/v1/blame", RoleRead, "Who wants what of the devices", false, d.blame, nil},
	} {
		s.add(rt)
	}
}

type devices struct {
	s *Server
	a DeviceAgent
}

func (d devices) list(s *Server, w http.ResponseWriter, r *http.Request) {
	list, err := d.a.DeviceStatus(r.Context())
	answerWith(s, w, r, Devices{append([]reconcile.DeviceStatus{}, list...)}, err)
}

func (d devices) one(s *Server, w http.ResponseWriter, r *http.Request) {
	d.named(w, r, func(name string) (any, error) {
		list, err := d.a.DeviceStatus(r.Context())
		for _, st := range list {
			if st.Name == name {
				return st, nil
			}
		}
		if err == nil {
			err = newFault(http.StatusNotFound, CodeNotFound, "no device is called %s; GET /v1/devices lists them", shown(name))
		}
		return nil, err
	})
}

func (d devices) config(_ *Server, w http.ResponseWriter, r *http.Request) {
	d.named(w, r, func(name string) (any, error) {
		xml, err := d.a.DeviceConfig(r.Context(), name)
		return DeviceConfig{name, xml}, err
	})
}

func (d devices) diff(_ *Server, w http.ResponseWriter, r *http.Request) {
	d.named(w, r, func(name string) (any, error) { return d.a.DeviceDiff(r.Context(), name) })
}

func (d devices) sync(s *Server, w http.ResponseWriter, r *http.Request) {
	name, ok := s.pathName(w, r, "name")
	if !ok {
		return
	}
	s.accept(w, r, d.a.SyncDevice(r.Context(), name, callerOf(r.Context()).name), "the device is being looked at")
}

func (d devices) services(s *Server, w http.ResponseWriter, r *http.Request) {
	list, err := d.a.ServiceStatus(r.Context())
	answerWith(s, w, r, Services{append([]reconcile.ServiceStatus{}, list...)}, err)
}

func (d devices) service(_ *Server, w http.ResponseWriter, r *http.Request) {
	d.named(w, r, func(name string) (any, error) { return d.a.OneService(r.Context(), name) })
}

func (d devices) blame(s *Server, w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	for _, what := range []string{"device", "path"} {
		if f := checkPath(what, v.Get(what)); f != nil {
			s.writeError(w, r, f)
			return
		}
	}
	list, err := d.a.Blame(r.Context(), v.Get("device"), v.Get("path"))
	answerWith(s, w, r, Blames{append([]reconcile.Blame{}, list...)}, err)
}

// checkPath is checkName for what may be as long as a path in a configuration.
func checkPath(what, v string) *fault {
	const most = 4096
	if len(v) > most {
		return invalid("%s is longer than %d bytes; shorten it", what, most)
	}
	if len(v) > MaxName {
		v = v[:MaxName]
	}
	return checkName(what, v)
}

// named answers a request about what the path names.
func (d devices) named(w http.ResponseWriter, r *http.Request, ask func(name string) (any, error)) {
	name, ok := d.s.pathName(w, r, "name")
	if !ok {
		return
	}
	out, err := ask(name)
	answerWith(d.s, w, r, out, err)
}

func answerWith(s *Server, w http.ResponseWriter, r *http.Request, out any, err error) {
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}
