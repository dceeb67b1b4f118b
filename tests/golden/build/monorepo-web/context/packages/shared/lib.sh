#!/bin/sh
hello() { echo "hello from $1"; }
