package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/reconcile"
)

// Devices lists the network devices.
func (c *Client) Devices(ctx context.Context) ([]reconcile.DeviceStatus, error) {
	out, err := get[api.Devices](ctx, c, nil, "v1", "devices")
	return out.Devices, err
}

// Device gives one device.
func (c *Client) Device(ctx context.Context, name string) (reconcile.DeviceStatus, error) {
	return get[reconcile.DeviceStatus](ctx, c, nil, "v1", "devices", name)
}

// DeviceConfig reads a device's configuration as XML, with secrets masked.
func (c *Client) DeviceConfig(ctx context.Context, name string) (string, error) {
	out, err := get[api.DeviceConfig](ctx, c, nil, "v1", "devices", name, "config")
	return out.XML, err
}

// DeviceDiff compares what is wanted of a device with what is there.
func (c *Client) DeviceDiff(ctx context.Context, name string) (reconcile.DevicePlan, error) {
	return get[reconcile.DevicePlan](ctx, c, nil, "v1", "devices", name, "diff")
}

// SyncDevice has a device looked at, and put right, now. It does not wait for that.
func (c *Client) SyncDevice(ctx context.Context, name string) error {
	return c.accept(ctx, http.MethodPost, nil, "v1", "devices", name, "sync")
}

// Services lists the service instances.
func (c *Client) Services(ctx context.Context) ([]reconcile.ServiceStatus, error) {
	out, err := get[api.Services](ctx, c, nil, "v1", "services")
	return out.Services, err
}

// Service gives one service instance with its text.
func (c *Client) Service(ctx context.Context, name string) (reconcile.ServiceStatus, error) {
	return get[reconcile.ServiceStatus](ctx, c, nil, "v1", "services", name)
}

// Blame says who wants what stands at or below a path; with an empty device, on
// all of them.
func (c *Client) Blame(ctx context.Context, device, path string) ([]reconcile.Blame, error) {
	v := url.Values{}
	set(v, "device", device)
	set(v, "path", path)
	out, err := get[api.Blames](ctx, c, v, "v1", "blame")
	return out.Paths, err
}
