"""A client of the fleet API that sends what python-fleet sends.

It stands on the same library and makes the same calls in the same order: a
change is sent with Units.Set, and then the unit is read with Units.Get. It has
what python-fleet's documentation shows, and nothing more.
"""

import http.client
import json
import socket
import urllib.parse

import httplib2
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from fleet.v1.errors import APIError

STATES = ["inactive", "loaded", "launched"]


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket, whose escaped path is the host."""

    def __init__(self, host, port=None, timeout=None, proxy_info=None):
        super().__init__(host, port)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(urllib.parse.unquote(self.host))


httplib2.SCHEME_TO_CONNECTION["http+unix"] = UnixConnection


class Entity:
    """What the API answered, its fields being attributes."""

    def __init__(self, fields):
        self.fields = fields

    def __getattr__(self, name):
        return self.fields[name]

    def __repr__(self):
        return f"<{type(self).__name__}: {self.text()}>"

    def text(self):
        return json.dumps(self.fields)


class Machine(Entity):
    def __init__(self, fields):
        super().__init__({"metadata": {}, **fields})


class UnitState(Entity):
    pass


class Unit(Entity):
    def __init__(self, fields=None, from_file=None):
        super().__init__(fields or {"desiredState": "launched", "options": list(read(from_file))})

    def text(self):
        return repr(self.fields)


def read(path):
    """Gives the options of a unit file."""
    section = None
    with open(path) as lines:
        for line in map(str.strip, lines):
            if line.startswith("["):
                section = line.strip("[]")
            elif line:
                name, value = line.split("=", 1)
                yield {"section": section, "name": name, "value": value}


class Client:
    def __init__(self, endpoint):
        self.endpoint = endpoint
        where = endpoint + "/{api}/{apiVersion}/discovery"
        self.service = build("fleet", "v1", cache_discovery=False, discoveryServiceUrl=where)

    def call(self, resource, method, **parameters):
        request = getattr(getattr(self.service, resource)(), method)(**parameters)
        request.uri = request.uri.replace("$ENDPOINT", self.endpoint)
        try:
            return request.execute()
        except HttpError as e:
            error = json.loads(e.content)["error"]
            raise APIError(error["code"], error["message"]) from e

    def pages(self, resource, key, **parameters):
        page = self.call(resource, "List", **parameters)
        yield from page.get(key, [])
        while page.get("nextPageToken") is not None:
            page = self.call(resource, "List", nextPageToken=page["nextPageToken"], **parameters)
            yield from page.get(key, [])

    def create_unit(self, name, unit):
        self.call("Units", "Set", unitName=name, body={"desiredState": unit.desiredState, "options": unit.options})
        return self.get_unit(name)

    def set_unit_desired_state(self, unit, desired_state):
        if desired_state not in STATES:
            raise ValueError(f"state must be one of: {STATES}")
        name = unit.name if isinstance(unit, Unit) else unit
        self.call("Units", "Set", unitName=name, body={"desiredState": desired_state})
        return self.get_unit(name)

    def destroy_unit(self, unit):
        self.call("Units", "Delete", unitName=unit.name if isinstance(unit, Unit) else unit)
        return True

    def get_unit(self, name):
        return Unit(self.call("Units", "Get", unitName=name))

    def list_units(self):
        return map(Unit, self.pages("Units", "units"))

    def list_unit_states(self):
        return map(UnitState, self.pages("UnitState", "states", machineID=None, unitName=None))

    def list_machines(self):
        return map(Machine, self.pages("Machines", "machines"))
