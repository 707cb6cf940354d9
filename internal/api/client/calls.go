package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/abide-agent/abide/internal/api"
	"github.com/abide-agent/abide/reconcile"
	"github.com/abide-agent/abide/runner"
)

const jsonType = "application/json"

func get[T any](ctx context.Context, c *Client, query url.Values, path ...string) (out T, err error) {
	err = c.call(ctx, http.MethodGet, path, query, nil, "", &out)
	return out, err
}

func (c *Client) accept(ctx context.Context, method string, body []byte, path ...string) error {
	var out api.Accepted
	mime := ""
	if body != nil {
		mime = jsonType
	}
	return c.call(ctx, method, path, nil, body, mime, &out)
}

// set adds a parameter unless it is empty.
func set(v url.Values, key, value string) {
	if value != "" {
		v.Set(key, value)
	}
}

// Info asks `GET /`.
func (c *Client) Info(ctx context.Context) (api.Info, error) { return get[api.Info](ctx, c, nil) }

// Health asks `GET /health`.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	return get[api.Health](ctx, c, nil, "health")
}

// Version asks which abide answers.
func (c *Client) Version(ctx context.Context) (api.Version, error) {
	return get[api.Version](ctx, c, nil, "v1", "version")
}

// Trigger runs a pipeline's YAML now; name, when not empty, is what it is called.
func (c *Client) Trigger(ctx context.Context, yaml []byte, name string) (out api.Triggered, err error) {
	v := url.Values{}
	set(v, "name", name)
	if yaml == nil {
		yaml = []byte{}
	}
	err = c.call(ctx, http.MethodPost, []string{"trigger"}, v, yaml, "application/yaml", &out)
	return out, err
}

// Runs lists a page of runs; a Limit of 0 leaves its size to the agent.
func (c *Client) Runs(ctx context.Context, q api.RunQuery) (api.Runs, error) {
	v := url.Values{}
	set(v, "after", q.After)
	set(v, "pipeline", q.Pipeline)
	set(v, "state", q.State)
	if q.Limit > 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return get[api.Runs](ctx, c, v, "v1", "runs")
}

// Run gives one run.
func (c *Client) Run(ctx context.Context, id string) (runner.Run, error) {
	return get[runner.Run](ctx, c, nil, "v1", "runs", id)
}

// Cancel asks a run to end; it does not wait for that.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.accept(ctx, http.MethodDelete, nil, "v1", "runs", id)
}

// Sources gives the sources and their revisions.
func (c *Client) Sources(ctx context.Context) ([]reconcile.SourceStatus, error) {
	out, err := get[api.Sources](ctx, c, nil, "v1", "sources")
	return out.Sources, err
}

// Plan asks what would be done now.
func (c *Client) Plan(ctx context.Context) (reconcile.Plan, error) {
	return get[reconcile.Plan](ctx, c, nil, "v1", "plan")
}

// Resources lists resources and their state.
func (c *Client) Resources(ctx context.Context, q api.ResourceQuery) ([]reconcile.ResourceStatus, error) {
	v := url.Values{}
	set(v, "kind", q.Kind)
	set(v, "source", q.Source)
	set(v, "state", q.State)
	set(v, "name", q.Name)
	out, err := get[api.Resources](ctx, c, v, "v1", "resources")
	return out.Resources, err
}

// Retry forgets how the last attempt at a resource ended, so that it is tried
// again. An empty kind means the only one that has the name.
func (c *Client) Retry(ctx context.Context, kind, name string) error {
	if kind == "" {
		kind = "-"
	}
	return c.accept(ctx, http.MethodPost, nil, "v1", "resources", kind, name, "retry")
}

// Suspend holds a source, or the whole agent when it is empty.
func (c *Client) Suspend(ctx context.Context, source, reason string) error {
	return c.hold(ctx, source, reason, "suspend")
}

// Resume ends such a hold.
func (c *Client) Resume(ctx context.Context, source string) error {
	return c.hold(ctx, source, "", "resume")
}

// Rollback pins a source to a revision until it is resumed; an empty one is the
// revision before the present. It gives the revision's whole name.
func (c *Client) Rollback(ctx context.Context, source, rev, reason string) (string, error) {
	body, err := json.Marshal(api.Reason{Reason: reason, Revision: rev})
	if err != nil {
		return "", err
	}
	var out api.RolledBack
	err = c.call(ctx, http.MethodPost, []string{"v1", "sources", source, "rollback"}, nil, body, jsonType, &out)
	return out.Revision, err
}

// PlanAt asks what would be done if a source stood at another revision.
func (c *Client) PlanAt(ctx context.Context, source, rev string) (reconcile.Plan, error) {
	v := url.Values{}
	set(v, "source", source)
	set(v, "rev", rev)
	return get[reconcile.Plan](ctx, c, v, "v1", "plan")
}

// Compare asks what two revisions of a source differ in.
func (c *Client) Compare(ctx context.Context, source, from, to string) (reconcile.Comparison, error) {
	v := url.Values{}
	set(v, "source", source)
	set(v, "from", from)
	set(v, "to", to)
	return get[reconcile.Comparison](ctx, c, v, "v1", "diff")
}

func (c *Client) hold(ctx context.Context, source, reason, verb string) error {
	body, err := json.Marshal(api.Reason{Reason: reason})
	if err != nil {
		return err
	}
	if source == "" {
		return c.accept(ctx, http.MethodPost, body, "v1", verb)
	}
	return c.accept(ctx, http.MethodPost, body, "v1", "sources", source, verb)
}
