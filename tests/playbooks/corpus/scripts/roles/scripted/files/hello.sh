#!/bin/sh
echo "hello from a role"
