#!/bin/sh
# The tests drive the system's Chromium, whole and without its windows, watch the disk with strace, and run nginx and
# Caddy as a shop does: install what is missing, or name it. Other commands may be asked for instead:
# `ensure_tools.sh wrk`.
set -eu

PATH="$PATH:/usr/sbin" # where Debian keeps nginx, which few users' paths name
missing=""
quicker="" # what tests do without, if they must, and then take longer
for tool in ${*:-chromium chromium-headless-shell strace nginx caddy}; do
    command -v "$tool" >/dev/null 2>&1 && continue
    case "$tool" in
    chromium-headless-shell) quicker="$tool" ;;
    *) missing="$missing $tool" ;;
    esac
done
if [ -z "$missing" ] && { [ -z "$quicker" ] || [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; }; then
    exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "These commands are missing:$missing; on Debian: sudo tests/ensure_tools.sh $*" >&2
    exit 1
fi
echo "installing for the tests:$missing $quicker"
export DEBIAN_FRONTEND=noninteractive
packages=""
services=""
for tool in $missing; do
    case "$tool" in
    nginx) packages="$packages nginx-light" services="$services nginx" ;;
    caddy) packages="$packages caddy" services="$services caddy" ;;
    *) packages="$packages $tool" ;;
    esac
done
# Tests start web servers of their own: none of the system's is to run, now or after a restart.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
fi
if ! apt-get update -qq && [ -n "$missing" ]; then
    exit 1
fi
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086  # a list of names
    apt-get install -qq -y --no-install-recommends $packages >/dev/null
fi
if [ -n "$quicker" ] && ! apt-get install -qq -y --no-install-recommends "$quicker" >/dev/null 2>&1; then
    echo "$quicker is not to be had here: browser tests will take longer"
fi
if [ -n "$services" ] && [ -d /run/systemd/system ]; then
    # shellcheck disable=SC2086
    systemctl disable --quiet $services
fi
