#!/bin/sh
echo there
