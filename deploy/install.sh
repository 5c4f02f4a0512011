#!/bin/sh
# Installs edge as a service, or brings an installed one up to date; see deploy/README.md.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo deploy/install.sh [--example NAME] [--model-files DIR] [--venv DIR] [--no-start]

  --example NAME      the configuration to begin with, where there is none yet: audiomoth-reader
                      (default), usb-microphone or rtsp-camera; it opens the sandbox as far as needed
  --model-files DIR   copy DIR/<model>/*, files that models need and edge may not ship (yamnet)
  --venv DIR          use this virtual environment, with edge in it, instead of making one
  --no-start          enable the service, but leave the start to the next boot

Again, to upgrade: configuration, models and what was heard stay as they are.
USAGE
}

fail() {
    echo "install.sh: $1" >&2
    [ -z "${2:-}" ] || echo "  remedy: $2" >&2
    exit 1
}

example=audiomoth-reader model_files='' venv='' start=yes
while [ $# -gt 0 ]; do
    case $1 in
    --example | --model-files | --venv)
        [ $# -ge 2 ] || fail "$1 wants a value" "deploy/install.sh --help"
        case $1 in
        --example) example=$2 ;;
        --model-files) model_files=$2 ;;
        --venv) venv=$2 ;;
        esac
        shift
        ;;
    --no-start) start=no ;;
    -h | --help)
        usage
        exit 0
        ;;
    *) fail "unknown argument: $1" "deploy/install.sh --help" ;;
    esac
    shift
done

deploy=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$deploy")
units=/etc/systemd/system

# All that can be wrong is looked for before anything is changed.
[ "$(id -u)" = 0 ] || fail "needs to be root" "sudo deploy/install.sh"
[ -d /run/systemd/system ] || fail "systemd does not run here" \
    "start \`edge run -c edge.yaml\` with what supervises services here"
[ -f "$deploy/examples/$example.yaml" ] || fail "no example called $example" \
    "one of: $(cd "$deploy/examples" && echo ./*.yaml | sed 's|\./||g; s|\.yaml||g')"
[ -z "$model_files" ] || [ -d "$model_files" ] || fail "--model-files $model_files: is no folder"
if [ -n "$venv" ]; then
    [ -x "$venv/bin/python" ] || fail "--venv $venv: holds no bin/python" \
        "name a virtual environment, or leave --venv out"
    venv=$(cd "$venv" && pwd -P)
fi
[ -z "$venv" ] || (cd / && "$venv/bin/python" -m edge --help >/dev/null) ||
    fail "--venv $venv: edge does not run from it" "install edge into it, or leave --venv out"

python=${venv:+$venv/bin/python}
python=${python:-$(command -v python3 || true)}
[ -n "$python" ] || fail "no python3" "apt-get install python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11" "upgrade the system to Debian 12 or newer"
for place in "$venv" \
    "$("$python" -c 'import os, sys; print(os.path.realpath(sys.executable))')"; do
    case $place in
    /home/* | /root/* | /run/user/*)
        fail "$place is in a home, and the service sees nobody's home" \
            "put the system's Python first: sudo env PATH=/usr/bin:/bin deploy/install.sh"
        ;;
    esac
done

if ! getent passwd edge >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/edge --shell /usr/sbin/nologin edge
fi
if getent group audio >/dev/null; then
    usermod --append --groups audio edge
fi

install -d -m 755 /opt/edge /opt/edge/models /opt/edge/model-files
if [ -n "$venv" ]; then
    rm -rf /opt/edge/venv
    ln -s "$venv" /opt/edge/venv
else
    [ ! -L /opt/edge/venv ] || rm /opt/edge/venv
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "Python's venv module is missing" "apt-get install python3-venv"
    "$python" -m venv /opt/edge/venv
    package=edge-bioacoustics
    if [ -f "$checkout/setup.cfg" ]; then
        # Built from a copy: root leaves nothing in somebody's checkout.
        package=$(mktemp -d)
        trap 'rm -rf "$package"' EXIT
        (cd "$checkout" && cp -R LICENSE README.md build edge models pyproject.toml setup.cfg "$package")
    fi
    /opt/edge/venv/bin/python -m pip --disable-pip-version-check install -q --upgrade "$package"
fi
[ -z "$model_files" ] || cp -R "$model_files/." /opt/edge/model-files/
chmod -R a+rX /opt/edge/models /opt/edge/model-files

cat >/usr/local/bin/edge <<'WRAPPER'
#!/bin/sh
EDGE_MODEL_FILES=${EDGE_MODEL_FILES:-/opt/edge/model-files}
export EDGE_MODEL_FILES
exec /opt/edge/venv/bin/python -m edge "$@"
WRAPPER
chmod 755 /usr/local/bin/edge

# It may hold a camera's password.
install -d -m 755 /etc/edge
if [ ! -e /etc/edge/edge.yaml ]; then
    install -m 640 -g edge "$deploy/examples/$example.yaml" /etc/edge/edge.yaml
    case $example in
    audiomoth-reader) install -d -m 755 /media/recorder ;;
    usb-microphone) opened=microphone ;;
    rtsp-camera) opened=rtsp ;;
    esac
    if [ -n "${opened:-}" ]; then
        install -d "$units/edge.service.d"
        install -m 644 "$deploy/edge.service.d/$opened.conf" "$units/edge.service.d/"
    fi
fi

install -m 644 "$deploy/edge.service" "$units/edge.service"
systemctl daemon-reload
systemctl enable --quiet edge.service
if [ "$start" = yes ]; then
    systemctl restart edge.service ||
        fail "edge did not become ready" "journalctl -u edge, then: systemctl restart edge"
fi
echo "edge is installed: configuration /etc/edge/edge.yaml, sound and results /var/lib/edge"
echo "look: sudo edge status -c /etc/edge/edge.yaml"
