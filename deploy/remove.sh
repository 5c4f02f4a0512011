#!/bin/sh
# Takes the service away again; see deploy/README.md.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo deploy/remove.sh [--purge]

  --purge   also delete what was heard (/var/lib/edge), the configuration (/etc/edge), the models
            (/opt/edge) and the user edge
USAGE
}

fail() {
    echo "remove.sh: $1" >&2
    echo "  remedy: $2" >&2
    exit 1
}

purge=no
while [ $# -gt 0 ]; do
    case $1 in
    --purge) purge=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "unknown argument: $1" "deploy/remove.sh --help" ;;
    esac
    shift
done
[ "$(id -u)" = 0 ] || fail "needs to be root" "sudo deploy/remove.sh"

units=/etc/systemd/system
if [ -e "$units/edge.service" ]; then
    systemctl disable --quiet --now edge.service
    rm -f "$units/edge.service"
fi
systemctl reset-failed edge.service 2>/dev/null || true
# Without its link, a virtual environment that was given stays where it is.
rm -rf /opt/edge/venv /usr/local/bin/edge
if [ "$purge" = yes ]; then
    rm -rf "$units/edge.service.d" /opt/edge /etc/edge /var/lib/edge
    if getent passwd edge >/dev/null; then
        userdel edge
    fi
    echo "edge is removed, with all that it kept"
else
    echo "edge is removed; what was heard is in /var/lib/edge, the configuration in /etc/edge"
fi
systemctl daemon-reload
