import requests
import sseclient
import json
import yaml

class PinClient:
    def __init__(self, base_url='http://localhost:8081'):
        self.base_url = base_url

    def get_health(self):
        """Get daemon health status"""
        response = requests.get(f'{self.base_url}/health')
        return response.json()

    def trigger_pipeline(self, pipeline_config):
        """Trigger pipeline execution"""
        if isinstance(pipeline_config, dict):
            yaml_content = yaml.dump(pipeline_config)
        else:
            yaml_content = pipeline_config

        response = requests.post(
            f'{self.base_url}/trigger',
            headers={'Content-Type': 'application/yaml'},
            data=yaml_content
        )
        return response.json()

    def stream_events(self, callback=None):
        """Stream real-time events"""
        response = requests.get(f'{self.base_url}/events', stream=True)
        client = sseclient.SSEClient(response)

        for event in client.events():
            data = json.loads(event.data)
            if callback:
                callback(data)
            else:
                self.default_event_handler(data)

    def default_event_handler(self, data):
        """Default event handler"""
        level = data.get('level', 'info')
        message = data.get('message', '')
        job = data.get('job', 'system')

        emoji = {
            'info': 'ℹ️',
            'success': '✅',
            'error': '❌',
            'warning': '⚠️'
        }.get(level, '📝')

        print(f"{emoji} [{job}] {message}")

# Usage example
client = PinClient()

# Check health
health = client.get_health()
print(f"Daemon status: {health['status']}")

# Trigger pipeline
pipeline = {
    'workflow': ['hello'],
    'hello': {
        'image': 'alpine:latest',
        'script': ['echo "Hello from Python!"']
    }
}

result = client.trigger_pipeline(pipeline)
print(f"Pipeline triggered: {result['pipeline_id']}")

# Stream events
client.stream_events()
