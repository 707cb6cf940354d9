"""A client of the fleet API, driven by nothing but the discovery document.

Usage: client.py http://HOST:PORT | unix:PATH

It makes the calls that clients of fleet make, and prints one JSON document a
line: the name of the call, and its result or the error's status and message.
"""

import json
import socket
import sys
import http.client

import httplib2
from googleapiclient.discovery import build_from_document
from googleapiclient.errors import HttpError


class UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over the Unix socket that the program was given."""

    def __init__(self, *_, **__):
        super().__init__("localhost")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(sys.argv[1][len("unix:"):])


class UnixHttp(httplib2.Http):
    """Sends every request over the socket, whatever its host."""

    def request(self, uri, method="GET", body=None, headers=None, **kw):
        kw["connection_type"] = UnixConnection
        return super().request(uri, method, body, headers, **kw)


def connect():
    """Fetches the discovery document and makes a service of it."""
    if sys.argv[1].startswith("unix:"):
        transport, endpoint = UnixHttp(), "http://localhost"
    else:
        transport, endpoint = httplib2.Http(), sys.argv[1]
    response, content = transport.request(endpoint + "/fleet/v1/discovery")
    assert response.status == 200, response
    document = json.loads(content)
    document["rootUrl"] = document["rootUrl"].replace("$ENDPOINT", endpoint)
    return build_from_document(document, http=transport)


def show(name, request):
    """Runs a request and prints how it ended."""
    try:
        result = request.execute()
    except HttpError as e:
        error = json.loads(e.content)["error"]  # both keys, or clients break
        result = {"status": e.resp.status, "code": error["code"], "message": error["message"]}
    print(json.dumps({"call": name, "result": result or None}, sort_keys=True))
    return result


def every(resource, key, **parameters):
    """Follows the pages of a list and gives the names of its items."""
    names, token, pages = [], None, 0
    while True:
        page = resource.List(nextPageToken=token, **parameters).execute()
        pages += 1
        names += [item.get("name", item.get("id")) for item in page.get(key, [])]
        token = page.get("nextPageToken")
        if token is None:
            return {"pages": pages, "first": names[:1], "last": names[-1:], "count": len(names)}


def main():
    service = connect()
    units, states, machines = service.Units(), service.UnitState(), service.Machines()
    options = [{"section": "Service", "name": "ExecStart", "value": "/usr/bin/sleep 1d"}]

    def put(name, **body):
        return units.Set(unitName=name, body=body)

    show("create", put("foo.service", desiredState="launched", options=options))
    show("get", units.Get(unitName="foo.service"))
    show("state", states.Get(unitName="foo.service"))
    show("states", states.List(unitName="foo.service"))
    show("states elsewhere", states.List(machineID="elsewhere"))
    show("same again", put("foo.service", desiredState="launched", options=options))
    show("stop", put("foo.service", desiredState="inactive"))
    show("stopped", units.Get(unitName="foo.service"))
    show("no state", states.Get(unitName="foo.service"))
    show("set what is not there", put("invalid-service", desiredState="inactive"))
    show("bad name", put("bad name.service", desiredState="inactive", options=options))
    show("template", put("web@.service", desiredState="inactive", options=options))
    show("instance", put("web@1.service", desiredState="launched"))
    show("get instance", units.Get(unitName="web@1.service"))
    show("odd name", put("a\\x2db.service", desiredState="loaded", options=options))
    show("get odd name", units.Get(unitName="a\\x2db.service"))
    show("delete", units.Delete(unitName="foo.service"))
    show("delete twice", units.Delete(unitName="foo.service"))
    show("machines", machines.List())
    for i in range(250):
        put("page%03d.service" % i, options=options).execute()
    print(json.dumps({"call": "all units", "result": every(units, "units")}, sort_keys=True))
    print(json.dumps({"call": "all states", "result": every(states, "states")}, sort_keys=True))


main()
