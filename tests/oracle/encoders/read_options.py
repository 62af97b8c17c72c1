"""Reads NUL-ended options with virt-install's own parser, its guest and its XML writer; prints what they mean.

For each option two strings are printed: what the parser of options makes of it, and what libxml2 reads back from the XML
of a guest that was given it as `--metadata`.
"""
import sys

sys.path.insert(0, sys.argv[1])
import libxml2  # noqa: E402
from virtinst import Guest, cli  # noqa: E402

connection = cli.getConnection("test:///default")
options = sys.stdin.buffer.read().decode().split("\0")[:-1]
out = sys.stdout.buffer
for option in options:
    # Between two other options, so that one that leaks over its end is seen.
    parsed = cli.parse_optstr_tuples("type=x,description=%s,last=1" % option)
    whole = [key for key, _ in parsed] == ["type", "description", "last"] and parsed[2][1] == "1"
    out.write((parsed[1][1] if whole else "LEAKED").encode() + b"\0")
    guest = Guest(connection)
    cli.ParserMetadata("title=t,description=%s" % option, guest=guest).parse(guest)
    document = libxml2.parseDoc(guest.get_xml())
    found = document.xpathEval("/domain/description")
    out.write((found[0].content if found else "").encode() + b"\0")
    document.freeDoc()
