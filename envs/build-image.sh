#!/usr/bin/env bash
# Build the Dockerfile with docker, podman or buildah, whichever works here, and write the image as a SIF for `make image`.
#
#   envs/build-image.sh REQUIREMENTS OUT.sif
#
# BUILDER names one of the three programs, BUILD_FLAGS holds further options for the build (a proxy, a mounted pip.conf),
# SQUASHFS_FLAGS options of mksquashfs, which writes the SIF, and NEED_GB is the least free disk space. OUT.sif is replaced only
# by a complete new image.
set -euo pipefail
cd "$(dirname "$0")/.."
requirements=$1 out=$(realpath -m "$2") tag=localhost/anytime-pruning

fail() { echo "error: $*" >&2; exit 2; }
works() {  # A docker without its daemon does not work.
  command -v "$1" >/dev/null || return 1
  case $1 in docker | podman) "$1" info >/dev/null 2>&1 ;; esac
}

[ -f "$requirements" ] || fail "REQUIREMENTS: $requirements does not exist; allowed: envs/requirements.lock (GPU), envs/requirements.txt (CPU)"
case $requirements in
  *.lock) machine=$(uname -s)-$(uname -m) need=${NEED_GB:-30}
    [ "$machine" = Linux-x86_64 ] \
      || fail "REQUIREMENTS: $requirements is for Linux on x86_64, but this machine is $machine; use make image REQUIREMENTS=envs/requirements.txt" ;;
  *) need=${NEED_GB:-6} ;;
esac
if [ -n "${BUILDER:-}" ]; then
  case $BUILDER in docker | podman | buildah) ;; *) fail "BUILDER: $BUILDER is not allowed; use docker, podman or buildah" ;; esac
  works "$BUILDER" || fail "BUILDER: $BUILDER does not work here (not installed, or its daemon does not answer)"
else
  for BUILDER in docker podman buildah none; do ! works "$BUILDER" || break; done
  [ "$BUILDER" != none ] || fail "make image needs docker (with its daemon), podman or buildah; none works here"
fi
command -v apptainer >/dev/null || command -v singularity >/dev/null \
  || fail "make image needs apptainer (or singularity), which is not installed, to write $out"
free=$(df --output=avail --block-size=1G "$(dirname "$out")" | tail -n 1 | tr -d ' ')
[ "$free" -ge "$need" ] \
  || fail "disk: $free GB are free in $(dirname "$out"), but an image of $requirements needs about $need GB; free some space, or set NEED_GB if less is enough"

work=$(mktemp -d "$(dirname "$out")/.build-image.XXXXXX")
trap 'rm -rf "$work"' EXIT
label() { git "$@" 2>/dev/null || echo unknown; }
source=$(label config --get remote.origin.url)
# The label holds only a public address, never the name or password of a user.
[[ $source == https://* ]] && source=$(sed -E 's#^(https://)[^/@]*@#\1#' <<<"$source") || source=unknown
arguments=(
  --build-arg "REQUIREMENTS=$requirements" --build-arg "SOURCE=$source"
  --build-arg "VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' anytime_pruning/__init__.py)"
  --build-arg "REVISION=$(label rev-parse HEAD)"
  --tag "$tag" --file Dockerfile
)
read -ra flags <<<"${BUILD_FLAGS:-}"
sif_flags=()
[ -z "${SQUASHFS_FLAGS:-}" ] || sif_flags=(--mksquashfs-args "$SQUASHFS_FLAGS")
build=("$BUILDER" build)
# Labels such as SHELL would be lost in buildah's own format.
[ "$BUILDER" != buildah ] || build=(buildah bud --layers --format docker)

echo "Building $tag of $requirements with $BUILDER ..."
if ! "${build[@]}" "${arguments[@]}" "${flags[@]}" . >"$work/log" 2>&1; then
  tail -n 20 "$work/log" >&2
  case $(<"$work/log") in
    *"No space left on device"*) fail "disk: the disk was full while the image was built; free some space and call make image again" ;;
    *"DO NOT MATCH THE HASHES"*) fail "REQUIREMENTS: pip found other files than $requirements locks (a CPU build of torch?); use make image REQUIREMENTS=envs/requirements.txt" ;;
    *"No matching distribution"*) fail "REQUIREMENTS: $requirements names a version that the package index does not have for this platform; see above" ;;
    *) fail "$BUILDER could not build the image; see above" ;;
  esac
fi
# apptainer compresses layers that are not compressed before it unpacks them, and takes much longer than buildah at its fastest.
kind=docker-archive
case $BUILDER in
  docker | podman) "$BUILDER" save --output "$work/image.tar" "$tag" ;;
  buildah) kind=oci-archive
    buildah push --quiet --compression-format gzip --compression-level 1 "$tag" "$kind:$work/image.tar:$tag" >/dev/null ;;
esac || fail "disk: the image could not be saved to $(dirname "$out"); check its free space"

echo "Writing $out ..."
mkdir "$work/tmp"
apptainer=$(command -v apptainer || command -v singularity)
# The temporary folder is not /tmp, which may be small. An image from an archive needs no cache. The relative name keeps paths of
# this machine out of the SIF.
(cd "$work" && APPTAINER_TMPDIR=$work/tmp APPTAINER_DISABLE_CACHE=1 \
  "$apptainer" --silent build "${sif_flags[@]}" image.sif "$kind:image.tar") >"$work/log" 2>&1 \
  || { tail -n 5 "$work/log" >&2; fail "$apptainer could not write $out; see above"; }
mv "$work/image.sif" "$out"
echo "$out: $(du -h "$out" | cut -f1), sha256 $(sha256sum "$out" | cut -d' ' -f1)"
