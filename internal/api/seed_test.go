package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"testing"
)

// The client below has the shape of the Go client in pin's API reference: the
// same types, the same headers, a Scanner with its default limit.

type pinHealth struct {
	Status           string `json:"status"`
	Uptime           string `json:"uptime"`
	ConnectedClients int    `json:"connected_clients"`
}

type pinTrigger struct {
	Status     string `json:"status"`
	Message    string `json:"message"`
	PipelineID string `json:"pipeline_id"`
}

type pinEvent struct {
	Level     string `json:"level"`
	Message   string `json:"message"`
	Job       string `json:"job,omitempty"`
	Timestamp string `json:"timestamp"`
}

// TestClientOfTheReference runs what that client runs: health, a trigger with
// its indented YAML, and the stream.
func TestClientOfTheReference(t *testing.T) {
	t.Parallel()
	a := &fakeAgent{}
	a.health.Status = "healthy"
	base := "http://" + serve(t, newServer(t, a))
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	decode := func(resp *http.Response, err error, out any) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
			t.Fatal(err)
		}
	}
	var health pinHealth
	resp, err := client.Get(base + "/health")
	decode(resp, err, &health)
	if health.Status != "healthy" || health.Uptime == "" {
		t.Errorf("%+v", health)
	}
	req, err := http.NewRequest("POST", base+"/trigger", bytes.NewBufferString("\nworkflow:\n  - hello\nhello:\n  image: alpine:latest\n  script:\n    - echo \"Hello from Go!\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/yaml")
	var trigger pinTrigger
	resp, err = client.Do(req)
	decode(resp, err, &trigger)
	if (trigger != pinTrigger{"triggered", "Pipeline execution started", "run-1"}) {
		t.Errorf("%+v", trigger)
	}
	resp, err = client.Get(base + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var events []pinEvent
	scanner := bufio.NewScanner(resp.Body)
	for scanner.Scan() {
		line := scanner.Text()
		if len(line) > 6 && line[:6] == "data: " {
			var event pinEvent
			if err := json.Unmarshal([]byte(line[6:]), &event); err == nil {
				events = append(events, event)
			}
		}
	}
	if len(events) != 1 || events[0].Message != "hi" || events[0].Level != "info" || scanner.Err() != nil {
		t.Errorf("%+v %v", events, scanner.Err())
	}
}
