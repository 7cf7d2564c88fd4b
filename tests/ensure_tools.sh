#!/bin/sh
# The tests drive the system's Chromium and watch the disk with strace: install what is missing, or name it.
set -eu

missing=""
for tool in chromium strace; do
    command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
done
if [ -z "$missing" ]; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "The tests need these commands:$missing; on Debian: sudo apt-get install$missing" >&2
    exit 1
fi
echo "installing for the tests:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086  # a list of names
apt-get install -qq -y --no-install-recommends $missing >/dev/null
