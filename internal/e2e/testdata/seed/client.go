package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
)

type PinClient struct {
	BaseURL string
	Client  *http.Client
}

type HealthResponse struct {
	Status           string `json:"status"`
	Uptime           string `json:"uptime"`
	ConnectedClients int    `json:"connected_clients"`
}

type TriggerResponse struct {
	Status     string `json:"status"`
	Message    string `json:"message"`
	PipelineID string `json:"pipeline_id"`
}

type Event struct {
	Level     string `json:"level"`
	Message   string `json:"message"`
	Job       string `json:"job,omitempty"`
	Timestamp string `json:"timestamp"`
}

func NewPinClient(baseURL string) *PinClient {
	return &PinClient{
		BaseURL: baseURL,
		Client:  &http.Client{},
	}
}

func (c *PinClient) GetHealth() (*HealthResponse, error) {
	resp, err := c.Client.Get(c.BaseURL + "/health")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()

	var health HealthResponse
	err = json.NewDecoder(resp.Body).Decode(&health)
	return &health, err
}

func (c *PinClient) TriggerPipeline(yamlConfig string) (*TriggerResponse, error) {
	req, err := http.NewRequest("POST", c.BaseURL+"/trigger",
		bytes.NewBufferString(yamlConfig))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/yaml")

	resp, err := c.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()

	var trigger TriggerResponse
	err = json.NewDecoder(resp.Body).Decode(&trigger)
	return &trigger, err
}

func (c *PinClient) StreamEvents(eventHandler func(Event)) error {
	resp, err := c.Client.Get(c.BaseURL + "/events")
	if err != nil {
		return err
	}
	defer resp.Body.Close()

	scanner := bufio.NewScanner(resp.Body)
	for scanner.Scan() {
		line := scanner.Text()
		if len(line) > 6 && line[:6] == "data: " {
			var event Event
			if err := json.Unmarshal([]byte(line[6:]), &event); err == nil {
				eventHandler(event)
			}
		}
	}
	return scanner.Err()
}

func main() {
	client := NewPinClient("http://localhost:8081")

	// Check health
	health, err := client.GetHealth()
	if err != nil {
		panic(err)
	}
	fmt.Printf("Daemon status: %s\n", health.Status)

	// Trigger pipeline
	pipeline := `
workflow:
  - hello

hello:
  image: alpine:latest
  script:
    - echo "Hello from Go!"
`

	result, err := client.TriggerPipeline(pipeline)
	if err != nil {
		panic(err)
	}
	fmt.Printf("Pipeline triggered: %s\n", result.PipelineID)

	// Stream events
	client.StreamEvents(func(event Event) {
		emoji := map[string]string{
			"info":    "ℹ️",
			"success": "✅",
			"error":   "❌",
			"warning": "⚠️",
		}

		e, ok := emoji[event.Level]
		if !ok {
			e = "📝"
		}

		job := event.Job
		if job == "" {
			job = "system"
		}

		fmt.Printf("%s [%s] %s\n", e, job, event.Message)
	})
}
