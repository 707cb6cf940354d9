package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/abide-agent/abide/fleetapi"
)

// Units lists all units, over all pages.
func (c *Client) Units(ctx context.Context) (out []fleetapi.Unit, err error) {
	for token := ""; ; {
		page, err := get[fleetapi.UnitPage](ctx, c, next(token), "fleet", "v1", "units")
		if err != nil {
			return nil, err
		}
		out = append(out, page.Units...)
		if token = page.Next; token == "" {
			return out, nil
		}
	}
}

// UnitStates lists what the engine says of every unit that is placed.
func (c *Client) UnitStates(ctx context.Context) (out []fleetapi.UnitState, err error) {
	for token := ""; ; {
		page, err := get[fleetapi.StatePage](ctx, c, next(token), "fleet", "v1", "state")
		if err != nil {
			return nil, err
		}
		out = append(out, page.States...)
		if token = page.Next; token == "" {
			return out, nil
		}
	}
}

func next(token string) url.Values {
	v := url.Values{}
	set(v, "nextPageToken", token)
	return v
}

// Unit gives one unit.
func (c *Client) Unit(ctx context.Context, name string) (fleetapi.Unit, error) {
	return get[fleetapi.Unit](ctx, c, nil, "fleet", "v1", "units", name)
}

// SetUnit changes what is wanted of a unit that was created over the API.
func (c *Client) SetUnit(ctx context.Context, name, desired string) error {
	body, err := json.Marshal(map[string]string{"desiredState": desired})
	if err != nil {
		return err
	}
	return c.silent(ctx, http.MethodPut, body, "fleet", "v1", "units", name)
}

// DestroyUnit takes a unit away that was created over the API.
func (c *Client) DestroyUnit(ctx context.Context, name string) error {
	return c.silent(ctx, http.MethodDelete, nil, "fleet", "v1", "units", name)
}

// UnitJournal gives the last lines that a unit printed, oldest first.
func (c *Client) UnitJournal(ctx context.Context, name string, lines int) ([]string, error) {
	v := url.Values{"lines": {strconv.Itoa(lines)}}
	out, err := get[struct {
		Lines []string `json:"lines"`
	}](ctx, c, v, "v1", "units", name, "journal")
	return out.Lines, err
}

// silent sends a request whose answer has no body.
func (c *Client) silent(ctx context.Context, method string, body []byte, path ...string) error {
	mime := ""
	if body != nil {
		mime = jsonType
	}
	r, err := c.request(ctx, method, path, nil, body, mime)
	if err != nil {
		return err
	}
	resp, err := c.send(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
