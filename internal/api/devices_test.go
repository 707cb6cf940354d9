package api

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/abide-agent/abide/reconcile"
)

// fakeDevices has the device s and the service instance s.
type fakeDevices struct{}

func (fakeDevices) DeviceStatus(context.Context) ([]reconcile.DeviceStatus, error) {
	return []reconcile.DeviceStatus{{Name: "s", State: "connected", Sync: "in-sync"}}, nil
}

func (fakeDevices) DeviceConfig(_ context.Context, name string) (string, error) {
	return "<config/>", missing(name)
}

func (fakeDevices) DeviceDiff(_ context.Context, name string) (reconcile.DevicePlan, error) {
	return reconcile.DevicePlan{Device: name, Diff: "-a"}, missing(name)
}
func (fakeDevices) SyncDevice(_ context.Context, name, _ string) error { return missing(name) }

func (fakeDevices) ServiceStatus(context.Context) ([]reconcile.ServiceStatus, error) {
	return []reconcile.ServiceStatus{{Service: "users", Key: "ops", Code: "handler"}}, nil
}

func (fakeDevices) OneService(_ context.Context, name string) (reconcile.ServiceStatus, error) {
	return reconcile.ServiceStatus{Text: "<users/>"}, missing(name)
}

func (fakeDevices) Blame(_ context.Context, device, path string) ([]reconcile.Blame, error) {
	if path == "bad" {
		return nil, fmt.Errorf("bad path: %w", reconcile.ErrInvalid)
	}
	return []reconcile.Blame{{Device: device, Path: path, Owners: []string{"users[ops]"}}}, nil
}

func missing(name string) error {
	switch name {
	case "s", "users[ops]":
		return nil
	case "away":
		return fmt.Errorf("it can't be reached: %w", reconcile.ErrUnavailable)
	}
	return fmt.Errorf("no such thing: %w", reconcile.ErrNotFound)
}

func TestDeviceRoutes(t *testing.T) {
	t.Parallel()
	s := newServer(t, &fakeAgent{err: errors.New("not asked")}, withTokens)
	s.MountDevices(fakeDevices{})
	for _, tc := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/v1/devices", 200, `{"devices":[{"name":"s","address":"","state":"connected","sync":"in-sync"}]}`},
		{"GET", "/v1/devices/s", 200, `{"name":"s","address":"","state":"connected","sync":"in-sync"}`},
		{"GET", "/v1/devices/none", 404, `"error":"not_found"`},
		{"GET", "/v1/devices/s/config", 200, `{"device":"s","xml":"\u003cconfig/\u003e"}`},
		{"GET", "/v1/devices/away/config", 503, `it can't be reached`},
		{"GET", "/v1/devices/s/diff", 200, `{"device":"s","diff":"-a"}`},
		{"POST", "/v1/devices/s/sync", 202, `"status":"accepted"`},
		{"POST", "/v1/devices/none/sync", 404, `"error":"not_found"`},
		{"GET", "/v1/services", 200, `"service":"users","key":"ops","code":"handler"`},
		{"GET", "/v1/services/users%5Bops%5D", 200, `"text":"\u003cusers/\u003e"`},
		{"GET", "/v1/blame?device=s&path=/a:b", 200, `{"paths":[{"device":"s","path":"/a:b","owners":["users[ops]"]}]}`},
		{"GET", "/v1/blame?path=bad", 400, `bad path`},
		{"GET", "/v1/blame?path=" + strings.Repeat("x", 5000), 400, `longer than 4096 bytes`},
		{"GET", "/v1/blame?path=%00", 400, `can't be printed`},
	} {
		rec := call(s, callers[0].peer, tc.method, tc.path, adminToken)
		if rec.Code != tc.code || !strings.Contains(rec.Body.String(), tc.want) {
			t.Errorf("%s %.60s: %d %s, want %d %s", tc.method, tc.path, rec.Code, rec.Body, tc.code, tc.want)
		}
	}
}
