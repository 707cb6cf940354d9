#!/bin/sh
# The application: it greets whom it is given, or everybody.
set -e
cat "${0%/*}/greeting.txt"
echo "And hello to ${1:-everybody}."
