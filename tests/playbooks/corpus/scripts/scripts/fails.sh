#!/bin/sh
echo "to the error output" >&2
exit 7
