#!/bin/sh
# Makes configure from a checkout; a release tarball has it already.
set -e
cd "$(dirname "$0")"
mkdir -p contrib/build-aux contrib/m4
exec autoreconf --install --force
