#!/bin/sh
# Installs edge as a service, or brings an installed one up to date; see deploy/README.md.
set -eu

usage() {
    cat <<'USAGE'
usage: sudo deploy/install.sh [--example NAME [--replace-config]] [--model-files DIR] [--venv DIR]
                              [--no-start]

  --example NAME      the configuration to begin with: audiomoth-reader (default), usb-microphone or
                      rtsp-camera; it opens the sandbox as far as needed
  --replace-config    put the example in the place of a configuration that is there, which is kept
                      as /etc/edge/edge.yaml.old
  --model-files DIR   copy DIR/<model>/*, files that models need and edge may not ship (yamnet)
  --venv DIR          use this virtual environment, with edge in it, instead of making one
  --no-start          enable the service, but leave the check and the start to you

Without --venv some 120 MB are downloaded into /opt/edge, which takes 460 MB on disk then.
Again, to upgrade: configuration, models and what was heard stay as they are.
USAGE
}

fail() {
    echo "install.sh: $1" >&2
    [ -z "${2:-}" ] || echo "  remedy: $2" >&2
    exit 1
}

example='' replace=no model_files='' venv='' start=yes
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
    --replace-config) replace=yes ;;
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
config=/etc/edge/edge.yaml

# All that can be wrong is looked for before anything is changed.
[ "$(id -u)" = 0 ] || fail "needs to be root" "sudo deploy/install.sh"
[ -d /run/systemd/system ] || fail "systemd does not run here" \
    "start \`edge run -c edge.yaml\` with what supervises services here"
[ -z "$example" ] || [ -f "$deploy/examples/$example.yaml" ] || fail "no example called $example" \
    "one of: $(cd "$deploy/examples" && echo ./*.yaml | sed 's|\./||g; s|\.yaml||g')"
[ "$replace" = no ] || [ -n "$example" ] || fail "--replace-config wants --example" \
    "say which example shall take the place of $config"
if [ -e "$config" ] && [ -n "$example" ] && [ "$replace" = no ] &&
    ! cmp -s "$deploy/examples/$example.yaml" "$config"; then
    fail "$config is there already, so the example $example would not be used" \
        "leave --example out to upgrade, or add --replace-config: the old one is kept beside it"
fi
[ -z "$model_files" ] || [ -d "$model_files" ] || fail "--model-files $model_files: is no folder"
if [ -n "$venv" ]; then
    [ -x "$venv/bin/python" ] || fail "--venv $venv: holds no bin/python" \
        "name a virtual environment, or leave --venv out"
    venv=$(cd "$venv" && pwd -P)
    [ "$venv" != /opt/edge/venv ] || fail "--venv $venv: is what the installer makes itself" \
        "leave --venv out to upgrade it"
fi
# Isolated (-I): what lies in the present folder, which may be anybody's, is never run as root.
[ -z "$venv" ] || "$venv/bin/python" -I -m edge --help >/dev/null ||
    fail "--venv $venv: edge does not run from it" "install edge into it, or leave --venv out"

python=${venv:+$venv/bin/python}
python=${python:-$(command -v python3 || true)}
[ -n "$python" ] || fail "no python3" "apt-get install python3-venv"
"$python" -I -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is older than 3.11" "upgrade the system to Debian 12 or newer"
for place in "$venv" \
    "$("$python" -I -c 'import os, sys; print(os.path.realpath(sys.executable))')"; do
    case $place in
    /home/* | /root/* | /run/user/*)
        fail "$place is in a home, and the service sees nobody's home" \
            "put the system's Python first: sudo env PATH=/usr/bin:/bin deploy/install.sh"
        ;;
    esac
done
[ -n "$venv" ] || "$python" -I -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is missing" "apt-get install python3-venv"

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
    echo "installing into /opt/edge/venv: some 120 MB to download, 460 MB on disk"
    "$python" -I -m venv /opt/edge/venv
    package=edge-bioacoustics
    if [ -f "$checkout/setup.cfg" ]; then
        # Built from a copy: root leaves nothing in somebody's checkout.
        package=$(mktemp -d)
        trap 'rm -rf "$package"' EXIT
        (cd "$checkout" && cp -R LICENSE README.md build edge models pyproject.toml setup.cfg "$package")
    fi
    /opt/edge/venv/bin/python -I -m pip --disable-pip-version-check install -q --upgrade "$package"
fi
[ -z "$model_files" ] || cp -R "$model_files/." /opt/edge/model-files/
chmod -R a+rX /opt/edge/models /opt/edge/model-files

cat >/usr/local/bin/edge <<'WRAPPER'
#!/bin/sh
EDGE_MODEL_FILES=${EDGE_MODEL_FILES:-/opt/edge/model-files}
# From 1.29 on, onnxruntime reports its use to its makers otherwise.
ORT_DISABLE_TELEMETRY=1
export EDGE_MODEL_FILES ORT_DISABLE_TELEMETRY
exec /opt/edge/venv/bin/python -I -m edge "$@"
WRAPPER
chmod 755 /usr/local/bin/edge

# It may hold a camera's password.
install -d -m 755 /etc/edge
if [ -e "$config" ] && [ "$replace" = yes ]; then
    mv --backup=numbered "$config" "$config.old"
    echo "the configuration that was there is now $config.old"
fi
if [ ! -e "$config" ]; then
    example=${example:-audiomoth-reader}
    install -m 640 -g edge "$deploy/examples/$example.yaml" "$config"
    rm -f "$units/edge.service.d/microphone.conf" "$units/edge.service.d/rtsp.conf"
fi
opened='' program='' next="edit $config, then: sudo systemctl restart edge"
case $example in
audiomoth-reader)
    install -d -m 755 /media/recorder
    next="copy recordings into /media/recorder; or edit $config, then: sudo systemctl restart edge"
    ;;
usb-microphone) opened=microphone program='arecord: apt-get install alsa-utils' ;;
rtsp-camera) opened=rtsp program='ffmpeg: apt-get install ffmpeg' ;;
esac
if [ -n "$opened" ]; then
    install -d "$units/edge.service.d"
    install -m 644 "$deploy/edge.service.d/$opened.conf" "$units/edge.service.d/"
fi
[ -z "$program" ] || command -v "${program%%:*}" >/dev/null ||
    echo "this example needs $program"

install -m 644 "$deploy/edge.service" "$units/edge.service"
systemctl daemon-reload
systemctl enable --quiet edge.service
if [ "$start" = yes ]; then
    # Not beside the service: a microphone can be opened once.
    systemctl stop edge.service
    install -d -m 750 -o edge -g edge /var/lib/edge
    echo "trying $config as the user edge:"
    (cd / && runuser -u edge -- /usr/local/bin/edge check -c "$config") || true
    systemctl restart edge.service ||
        fail "edge did not become ready" \
            "mend what was found above or by journalctl -u edge, then: sudo systemctl restart edge"
fi
echo "edge is installed: configuration $config, what was heard /var/lib/edge"
echo "next: $next"
echo "look: sudo edge status; systemctl status edge; journalctl -u edge -f"
