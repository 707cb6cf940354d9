#!/usr/bin/env python3
"""A handler of the service API, for tests: it reads and writes as clixon-pyapi
does, with nothing but Python's own library. It reads one chunk a message and
nothing behind it, takes the next message for the reply to what it asked,
compares names as they are written, keeps prefixes and attributes as text, and
sends back all that it has read, with what it adds.
"""

import argparse
import re
import socket
import sys
import time
from xml.dom import minidom

BASE = 'xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"'
CTRL = 'xmlns="http://clicon.org/controller"'
args = None
sock = None


def say(text):
    print(text, flush=True)


def read():
    """Read one message: the first chunk, and the first three bytes of its end."""
    head = b""
    while not re.search(rb"\n#(\d+)\n$", head):
        b = sock.recv(1)
        if not b:
            say("closed")
            sys.exit(1)
        head += b
    size = int(re.search(rb"\n#(\d+)\n$", head).group(1))
    data = b""
    while len(data) < size + 3:
        b = sock.recv(size + 3 - len(data))
        if not b:
            say("closed")
            sys.exit(1)
        data += b
    if data[size:] != b"\n##":
        say("fault: more than one chunk")
        sys.exit(3)
    return data[:size].decode()


def send(text):
    data = text.encode()
    sock.sendall(b"\n#%d\n" % len(data) + data + b"\n##\n")


def call(body, attributes=""):
    """The next message is the reply, whatever it is."""
    send(f'<rpc {BASE} username="root" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="42"{attributes}>{body}</rpc>')
    reply = read()
    if "<rpc-reply" not in reply:
        say("fault: a notification came instead of a reply")
        sys.exit(4)
    if "<error-message>" in reply:
        raise RuntimeError(re.search("<error-message>(.*?)</error-message>", reply, re.S).group(1))
    return reply


def elements(node, name=None):
    return [c for c in node.childNodes if c.nodeType == c.ELEMENT_NODE and name in (None, c.tagName)]


def one(node, *path):
    for name in path:
        node = elements(node, name)[0]
    return node


def text(node):
    return "".join(c.data for c in node.childNodes if c.nodeType == c.TEXT_NODE)


def below(node, name, **attributes):
    """The child of that name, made where it is missing."""
    for c in elements(node, name):
        return c
    c = node.ownerDocument.createElement(name)
    for key, value in attributes.items():
        c.setAttribute(key, value)
    node.appendChild(c)
    return c


def user(document, device, instance, name, key, role, tag):
    lib = ""
    if tag:
        lib = f' cl:creator="{tag}" nc:operation="{args.operation}" xmlns:cl="http://clicon.org/lib"'
    made = minidom.parseString(
        f'<r xmlns:nc="x"><user{lib}><username>{name}</username><config><username>{name}</username>'
        f"<ssh-key>{key}</ssh-key><role>{role}</role></config></user></r>"
    )
    node = document.importNode(made.documentElement.firstChild, True)
    users = below(below(below(below(one(device, "config"), "system", xmlns="http://openconfig.net/yang/system"), "aaa"), "authentication"), "users")
    users.appendChild(node)


def escape(s):
    return s.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def run(tid, service, instance, diff):
    """What a module's setup does, and its server around it."""
    reply = call(
        '<get cl:content="nonconfig" xmlns:cl="http://clicon.org/lib"><nc:filter nc:type="xpath" '
        f'''nc:select="/co:transactions/co:transaction[co:tid='{tid}']" xmlns:co="http://clicon.org/controller"/>'''
        '<with-defaults xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-with-defaults">report-all</with-defaults></get>'
    )
    one(minidom.parseString(reply), "rpc-reply", "data", "transactions", "transaction", "username")
    if args.mode == "die":
        say("dying")
        sys.exit(9)
    if args.mode == "hang":
        say("hanging")
        time.sleep(3600)
    if args.mode == "error":
        raise RuntimeError("No connection to external server")
    document = minidom.parseString(call(
        f'<get-config><source><actions {CTRL}/></source><nc:filter nc:type="xpath" nc:select="{args.select}" '
        'xmlns:ctrl="http://clicon.org/controller" xmlns:s="http://clicon.org/ssh-users"/></get-config>'
    ))
    data = one(document, "rpc-reply", "data")
    made = 0
    for entry in elements(one(data, "services"), args.service):
        key = elements(entry)[0]
        if service != args.service or text(key) != instance:
            continue
        tag = f"{service}[{args.key or key.tagName}='{instance}']"
        if args.mode == "wrong-tag":
            tag = args.tag
        if args.mode == "untagged":
            tag = ""
        for u in elements(entry, "username"):
            for device in elements(one(data, "devices"), "device"):
                user(document, device, instance, *(escape(text(one(u, f))) for f in ("name", "ssh-key", "role")), tag)
                made += 1
    body = "".join(c.toxml() for c in elements(data) if c.tagName != "devices")
    for devices in elements(data, "devices"):
        body += f"<devices {CTRL}>" + "".join(d.toxml() for d in elements(devices, "device")) + "</devices>"
    call(
        f"<edit-config><target><actions {CTRL}/></target><default-operation>merge</default-operation><config>{body}</config></edit-config>",
        ' xmlns:cl="http://clicon.org/lib"',
    )
    say(f"made {made} for {service} {instance} diff={diff}")


def transaction(message):
    tid = re.search("<tid>(.*?)</tid>", message).group(1)
    diff = "<diff>true</diff>" in message
    header = f'<rpc {BASE} username="root" xmlns:nc="urn:ietf:params:xml:ns:netconf:base:1.0" message-id="42">'
    try:
        for service in re.findall("<service>(.*?)</service>", message):
            name, instance = re.match(r"(\S+)\[.+='(\S+)'\]", service).groups()
            run(tid, name, instance, diff)
    except RuntimeError as e:
        send(f"{header}<transaction-error {CTRL}><tid>{tid}</tid><origin>pyapi</origin><reason>{escape(str(e))}</reason></transaction-error></rpc>")
        return
    done = args.done
    send(f"{header}<{done} {CTRL}><tid>{tid}</tid><service>{name}</service></{done}></rpc>")


def main():
    global args, sock
    p = argparse.ArgumentParser()
    p.add_argument("socket")
    p.add_argument("--service", default="ssh-users")
    p.add_argument("--mode", default="good")
    p.add_argument("--select", default="/")
    p.add_argument("--claim", default="")
    p.add_argument("--stream", default="services-commit")
    p.add_argument("--done", default="transaction-actions-done")
    p.add_argument("--operation", default="merge")
    p.add_argument("--key", default="")
    p.add_argument("--tag", default="")
    args = p.parse_args()
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.connect(args.socket)
    send(
        f'<hello {BASE} cl:username="root" cl:transport="ctrl:services" xmlns:cl="http://clicon.org/lib">'
        "<capabilities><capability>urn:ietf:params:netconf:base:1.0</capability></capabilities></hello>"
    )
    if f"<hello {BASE}><session-id>" not in read():
        say("fault: no hello")
        sys.exit(5)
    for stream in (args.stream, "controller-transaction"):
        call(
            f'<create-subscription xmlns="urn:ietf:params:xml:ns:netmod:notification"><stream>{stream}</stream>'
            f'<filter type="xpath" select="{args.claim if stream == args.stream else ""}" xmlns:ctrl="http://clicon.org/controller"/></create-subscription>'
        )
    say("listening")
    while True:
        message = read()
        if "<services-commit" in message:
            transaction(message)
        elif "<controller-transaction" in message:
            say("result " + re.search("<result>(.*?)</result>", message).group(1))


main()
