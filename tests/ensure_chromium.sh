#!/bin/sh
# The browser tests drive the system's Chromium: install it where that is possible, else say what is missing.
set -eu

if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The browser tests need Chromium as the command 'chromium'; on Debian: sudo apt-get install chromium" >&2
    exit 1
fi
echo "installing Chromium for the browser tests"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -qq -y --no-install-recommends chromium >/dev/null
