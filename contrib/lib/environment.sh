# shellcheck shell=sh
# Runs in a host: environment.sh FOLDER WHEELS PIP PROJECT..., with all that they need in WHEELS.
place=$1 wheels=$2 pip=$3
shift 3
rm -rf "$place"
python3 -m venv --without-pip "$place"
"$place/bin/python" "$pip" --disable-pip-version-check install --quiet \
    --root-user-action=ignore --no-index --find-links="$wheels" "$@"
