#!/usr/bin/env bash
# Measures localgrad on this machine's GPU within nine minutes; needs neither Node nor a network:
#   OUT=results ./run.sh
#   OUT=results ./run.sh tune      times the kernels' tilings instead; the same command continues
# Each stage has its own limit, and a stage that fails does not end the others. What it does is set by variables, below.
set -uo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
out="${OUT:-$here/results}"
backend="${GPU_BACKEND:-webgpu}"
backbone="${GPU_BACKBONE:-resnet32}"
modules="${GPU_MODULES:-16}"
batch="${GPU_BATCH:-128}"
repeats="${GPU_REPEATS:-10}"
methods="${GPU_METHODS:-greedy dgl(head:1c2f) mlaan(greedy)}"
budget="${GPU_BUDGET:-4GiB}"
image="${GPU_IMAGE:-32x32x3}"
peers="${GPU_PEERS:-ordinary,pytorch}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
log="$out/log.txt"
work="$(mktemp -d)"
: >"$log"

export LOCALGRAD_COMMIT="$(cat "$here/COMMIT" 2>/dev/null)"
# The bundle's loader comes last: a machine with a driver has its own.
[ -d "$here/lib" ] && export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib"
if [ -z "${VK_ICD_FILENAMES:-}${VK_DRIVER_FILES:-}" ]; then
  driver="$(find /etc/vulkan /usr/share/vulkan /usr/local -name nvidia_icd.json 2>/dev/null | head -1)"
  [ -n "$driver" ] && export VK_DRIVER_FILES="$driver" VK_ICD_FILENAMES="$driver"
fi
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"

node="$here/bin/node"
[ -x "$node" ] || node=node
localgrad() { "$node" "$here/node_modules/localgrad/dist/cli.js" "$@"; }
export -f localgrad
export node here

failed=0
stage() {
  local name=$1 seconds=$2
  shift 2
  echo "== $name (at most $seconds s): $*" | tee -a "$log"
  local start=$SECONDS
  timeout "$seconds" bash -c '"$@"' stage "$@" >>"$log" 2>&1
  local status=$?
  echo "== $name: exit status $status after $((SECONDS - start)) s" | tee -a "$log"
  [ $status -eq 0 ] || failed=$((failed + 1))
}

cd "$here"
nvidia-smi >>"$log" 2>&1
if [ "${1:-}" = tune ]; then
  stage tune 590 "$node" "$here/tune-kernels.js" "$out/tilings.csv" --seconds "${GPU_TUNE_SECONDS:-540}"
  rm -rf "$work"
  exit "$failed"
fi
network=(--backbone "$backbone" --image "$image" --modules "$modules" --backend "$backend")
stage doctor 30 localgrad doctor
stage numerics 60 "$node" "$here/numerics.js" "$backend"
stage verify "${GPU_VERIFY_SECONDS:-60}" localgrad verify fixtures/mini.safetensors fixtures/micro.safetensors --backend "$backend" --tolerance 5e-4
stage kernels "${GPU_KERNEL_SECONDS:-50}" localgrad bench kernels --backend "$backend" --batch "$batch" --repeats "$repeats" --output "$out/kernels.csv"
stage step 130 localgrad bench step "${network[@]}" --batch "$batch" --repeats "$repeats" --methods "$methods" --include "$peers" \
  --output "$out/step.csv" --figure "$work/step"
# The memory table of InfoPro (ICLR 2021), at its own size: ResNet-110 in 2, 3 and 4 modules that take as much memory as each other.
published_batch="${GPU_PUBLISHED_BATCH:-1024}"
for cut in 16,39 11,11,33 8,8,12,27; do
  name="published-k$(awk -F, '{ print NF }' <<<"$cut")"
  stage "$name" "${GPU_PUBLISHED_SECONDS:-60}" localgrad bench step --backend "$backend" --backbone resnet110 --image "$image" \
    --partition "$cut" --batch "$published_batch" --repeats 5 --warmup-steps 1 \
    --methods "infopro(preset: cifar10-resnet110-balanced, loss: contrast)" --output "$work/$name.csv"
done
awk 'FNR > 1 || !headed++' "$work"/published-k*.csv >"$out/published.csv" 2>/dev/null
stage memory 70 localgrad bench memory "${network[@]}" --budget "$budget" --methods "$methods" --measure-up-to "$batch" \
  --output "$out/memory.csv" --figure "$work/memory"
stage training 130 localgrad train --backend "$backend" --backbone resnet14 --width "${GPU_WIDTH:-16}" --modules 4 --method "dgl(head: 1c2f)" \
  --dataset fashion-mnist-subset --train-images "${GPU_TRAIN_IMAGES:-5000}" --test-images "${GPU_TEST_IMAGES:-1000}" --epochs "${GPU_EPOCHS:-3}" --output "$work/run"
cp "$work"/*.png "$out" 2>/dev/null
find "$work/run" -name summary.json -exec cp {} "$out/training.json" \; 2>/dev/null
rm -rf "$work"
echo "$failed stages failed; results in $out:" | tee -a "$log"
ls "$out"
[ "$failed" -eq 0 ]
