#!/usr/bin/env bash
# A software GPU (SwiftShader) for tests of the webgpu backend, from Debian's packages, in .cache/software-gpu:
#   eval "$(tools/webgpu/software-gpu.sh)"
# Prints the variables to set. Installs nothing into the system.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$PWD/.cache/software-gpu"
driver="$folder/root/usr/lib/chromium/vk_swiftshader_icd.json"

fail() {
  echo "software-gpu.sh: $1" >&2
  exit 1
}

if [ ! -f "$driver" ]; then
  command -v apt-get >/dev/null || fail "needs Debian's apt-get; elsewhere install SwiftShader and set VK_ICD_FILENAMES"
  mkdir -p "$folder/packages"
  download() { (cd "$folder/packages" && apt-get download -qq chromium-common libvulkan1) >"$folder/log" 2>&1; }
  # Lists of packages are often missing in containers.
  download || { apt-get update -qq >&2 && download; } || fail "$(tail -3 "$folder/log")"
  rm -rf "$folder/partial"
  for package in "$folder"/packages/*.deb; do dpkg -x "$package" "$folder/partial"; done
  rm -rf "$folder/root" "$folder/packages"
  mv "$folder/partial" "$folder/root"
fi
[ -f "$driver" ] || fail "the package chromium-common holds no vk_swiftshader_icd.json any more"

echo "export VK_ICD_FILENAMES='$driver'"
echo "export XDG_RUNTIME_DIR='${XDG_RUNTIME_DIR:-${TMPDIR:-/tmp}}'"
# The loader: the system's own goes first.
if ! ldconfig -p 2>/dev/null | grep -q libvulkan.so.1; then
  libraries=$(dirname "$(find "$folder/root/usr/lib" -path '*linux-gnu*' -name 'libvulkan.so.1' | head -1)")
  echo "export LD_LIBRARY_PATH='$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}'"
fi
