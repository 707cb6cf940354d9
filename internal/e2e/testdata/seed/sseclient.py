"""The part of the sseclient-py module that the client beside it uses.

Debian has no package of it, and the tests take nothing from a registry. It reads
by chunks as they arrive and ends a frame at an empty line (HTML, section 9.2).
"""


class Event:
    def __init__(self):
        self.id, self.event, self.data = None, 'message', ''


class SSEClient:
    def __init__(self, event_source):
        self._source = event_source

    def _lines(self):
        rest = b''
        for chunk in self._source.iter_content(chunk_size=None):
            *whole, rest = (rest + chunk).split(b'\n')
            for line in whole:
                yield line.rstrip(b'\r').decode('utf-8')

    def events(self):
        event, data = Event(), []
        for line in self._lines():
            if line == '':
                if data:
                    event.data = '\n'.join(data)
                    yield event
                event, data = Event(), []
                continue
            field, _, value = line.partition(':')
            value = value.removeprefix(' ')
            if field == 'data':
                data.append(value)
            elif field in ('id', 'event'):
                setattr(event, field, value)
