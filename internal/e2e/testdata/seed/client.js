class PinMonitor {
  constructor(baseUrl = 'http://localhost:8081') {
    this.baseUrl = baseUrl;
    this.eventSource = null;
  }

  // Connect to event stream
  connect() {
    this.eventSource = new EventSource(`${this.baseUrl}/events`);

    this.eventSource.onmessage = (event) => {
      const data = JSON.parse(event.data);
      this.handleEvent(data);
    };

    this.eventSource.onerror = (error) => {
      console.error('EventSource failed:', error);
    };
  }

  // Handle incoming events
  handleEvent(data) {
    const { level, message, job, timestamp } = data;

    switch (level) {
      case 'info':
        console.log(`ℹ️ [${job || 'system'}] ${message}`);
        break;
      case 'success':
        console.log(`✅ [${job}] ${message}`);
        break;
      case 'error':
        console.error(`❌ [${job}] ${message}`);
        break;
      default:
        console.log(`📝 [${job || 'system'}] ${message}`);
    }
  }

  // Trigger pipeline
  async triggerPipeline(yamlConfig) {
    try {
      const response = await fetch(`${this.baseUrl}/trigger`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/yaml'
        },
        body: yamlConfig
      });

      const result = await response.json();
      console.log('Pipeline triggered:', result);
      return result;
    } catch (error) {
      console.error('Failed to trigger pipeline:', error);
    }
  }

  // Get health status
  async getHealth() {
    try {
      const response = await fetch(`${this.baseUrl}/health`);
      return await response.json();
    } catch (error) {
      console.error('Failed to get health:', error);
    }
  }

  // Disconnect from event stream
  disconnect() {
    if (this.eventSource) {
      this.eventSource.close();
      this.eventSource = null;
    }
  }
}

// Usage
const monitor = new PinMonitor();
monitor.connect();

// Trigger a pipeline
const pipeline = `
workflow:
  - test

test:
  image: alpine:latest
  script:
    - echo "Hello from JavaScript!"
`;

monitor.triggerPipeline(pipeline);
