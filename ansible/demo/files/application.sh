#!/bin/sh
# Stands for the application: says which settings it would run with.
here=$(cd -P "$(dirname "$0")/../.." && pwd)
grep -E '^(name|release)' "$here/etc/settings.ini"
