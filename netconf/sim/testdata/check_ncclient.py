#!/usr/bin/python3
"""check_ncclient.py ADDR PORT KEY MODE: asks a device everything that ncclient knows to ask."""
import sys
from ncclient import manager
from ncclient.operations import RPCError
from ncclient.xml_ import to_ele

BASE = "urn:ietf:params:xml:ns:netconf:base:1.0"
SYSTEM = "http://openconfig.net/yang/system"
addr, port, key, mode = sys.argv[1:]
target = "candidate" if mode == "candidate" else "running"


def connect():
    return manager.connect(host=addr, port=int(port), username="noc", key_filename=key, hostkey_verify=False,
                           allow_agent=False, look_for_keys=False, timeout=30)


def config(inside):
    return '<config xmlns="%s"><system xmlns="%s">%s</system></config>' % (BASE, SYSTEM, inside)


def hostname(name):
    return config("<config><hostname>%s</hostname></config>" % name)


def running(m, name):
    data = m.get_config("running", filter=("subtree", '<system xmlns="%s"><config><hostname/></config></system>' % SYSTEM)).data_xml
    assert (">%s<" % name in data) if name else "hostname" not in data, data


def refused(tag, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except RPCError as e:
        assert e.tag == tag, (e.tag, e.message)
        return e
    raise AssertionError("%s was not refused" % call)


with connect() as m, connect() as other:
    assert m.session_id != other.session_id
    with m.locked(target):
        refused("lock-denied", other.lock, target)
        m.edit_config(target=target, config=hostname("one"), default_operation="merge", test_option="test-then-set", error_option="rollback-on-error")
        if mode == "candidate":
            m.validate("candidate")
            m.commit()
    running(other, "one")
    e = refused("invalid-value", m.edit_config, target=target, config=hostname("no good"))
    assert e.path.strip().endswith("/oc-sys:system/oc-sys:config/oc-sys:hostname"), e.path
    refused("unknown-element", m.edit_config, target=target, config=config("<nosuch/>"))
    refused("operation-not-supported", m.get_config, "running", filter=("xpath", "/system"))
    if mode == "candidate":
        m.edit_config(target="candidate", config=hostname("two"))
        m.commit(confirmed=True, timeout="60", persist="token")
        running(other, "two")
        refused("in-use", other.commit)
        other.dispatch(to_ele('<cancel-commit xmlns="%s"><persist-id>token</persist-id></cancel-commit>' % BASE))
        running(m, "one")
        m.edit_config(target="candidate", config=hostname("three"))
        m.discard_changes()
        m.commit()
        running(m, "one")
    else:
        m.copy_config(source="running", target="startup")
        assert ">one<" in m.get_config("startup").data_xml
        m.delete_config("startup")
        assert ">one<" not in m.get_config("startup").data_xml

    assert "module openconfig-system {" in m.get_schema("openconfig-system").data
    assert ">openconfig-interfaces<" in m.get(filter=("subtree", '<netconf-state xmlns="urn:ietf:params:xml:ns:yang:ietf-netconf-monitoring"><schemas/></netconf-state>')).data_xml
    other.create_subscription()
    m.edit_config(target=target, config=hostname("four"))
    if mode == "candidate":
        m.commit()
    n = other.take_notification(timeout=30).notification_xml
    assert "netconf-config-change" in n and "/oc-sys:system/oc-sys:config/oc-sys:hostname" in n, n
    running(other, "four")
    third = connect()
    m.kill_session(third.session_id)
    running(m, "four")
print("ok")
