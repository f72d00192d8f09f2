#!/usr/bin/env bash
# Looks at results/PROFILE/report.html in a real browser: check-report.sh PROFILE [REPORT]. Installs what it needs if it is
# not there: Chromium from the system's packages (Debian, Ubuntu), and under target/ a client of its DevTools protocol.
set -euo pipefail
cd "$(dirname "$0")/.."
report=${2:-results/${1:?which profile?}/report.html}

if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null; then
    as_root=$([ "$(id -u)" = 0 ] || echo sudo)
    $as_root apt-get update
    $as_root apt-get install -y chromium
fi
environment=target/report-environment
[ -x "$environment/bin/python" ] || python3 -m venv "$environment"
"$environment/bin/pip" install --quiet --requirement scripts/requirements.txt
"$environment/bin/python" scripts/check_report.py "$report" target/report-screenshots
