"""Reads a document with libxml2 and prints, NUL-ended, the attribute and the text of each child of the root."""
import sys

import libxml2

document = libxml2.parseDoc(sys.stdin.buffer.read().decode())
node = document.getRootElement().children
while node is not None:
    if node.type == "element":
        for text in (node.prop("v"), node.content):
            sys.stdout.buffer.write(text.encode() + b"\0")
    node = node.next
