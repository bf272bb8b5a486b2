#!/bin/sh
# Stands for the application: says which settings it would run with.
here=$(cd "$(dirname "$0")/../.." && pwd -P)
grep -E '^(name|release)' "$here/etc/settings.ini"
