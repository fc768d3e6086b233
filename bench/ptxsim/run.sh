#!/usr/bin/env bash
# How fast the libcuda stand-in runs the shipped kernels, with every check on: for each workload the median of some launches and the
# rate in millions of warp instructions a second. Needs artifacts/native/ptxsim (cmake --build build) and nothing else.
#   bench/ptxsim/run.sh [REPEATS] [WORD]   REPEATS launches of each workload whose name holds WORD (5, all)
#   PTXSIM=path/to/ptxsim bench/ptxsim/run.sh   another build, to compare
#   bench/ptxsim/run.sh --counters     what counting costs: seconds of each workload with the counters and compiled without them, turn by
#                                      turn on one thread (needs CMake and a compiler)
set -euo pipefail

root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..
tool=${PTXSIM:-$root/artifacts/native/ptxsim}
ptx=$root/native/cuda/ptx
repeats=${1:-5}
word=${2:-}
comparison=''
if [ "$repeats" = --counters ]; then
    comparison=$root/build/without-counters/ptxsim
    cmake -S "$root" -B "$root/build/without-counters" -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTING=OFF -DCMAKE_CXX_FLAGS=-DPTXSIM_WITHOUT_COUNTERS \
        -DPTXSIM_OUTPUT="$root/build/without-counters" >/dev/null
    cmake --build "$root/build/without-counters" --parallel 2 --target ptxsim >/dev/null
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# fastest OLD TOOL ARGUMENTS...: the smaller of OLD and the median of five launches on one thread.
fastest() {
    local old=$1 tool=$2
    shift 2
    "$tool" run "$@" --threads 1 --repeat 5 | awk -v old="$old" '$1 == "seconds" { print $2 < old ? $2 : old }'
}

# compare NAME ARGUMENTS...: turn by turn, so that whatever else runs slows both.
compare() {
    local name=$1 round counting=1e9 plain=1e9
    shift
    for round in 1 2 3 4 5 6 7 8 9; do
        counting=$(fastest "$counting" "$tool" "$@")
        plain=$(fastest "$plain" "$comparison" "$@")
    done
    awk -v name="$name" -v with="$counting" -v without="$plain" 'BEGIN { printf "%-28s %12.4f %12.4f %7.1f %%\n", name, with, without, 100 * (with / without - 1) }'
}

# measure NAME ARGUMENTS...: one line of the table.
measure() {
    local name=$1 output
    shift
    [[ $name == *"$word"* ]] || return 0
    if [ -n "$comparison" ]; then
        compare "$name" "$@"
        return
    fi
    output=$("$tool" run "$@" --repeat "$repeats")
    awk -v name="$name" '{ value[$1] = $2 }
        END { printf "%-28s %12.0f %9.4f %9.1f\n", name, value["warp_instructions"], value["seconds"], value["warp_instructions"] / value["seconds"] / 1e6 }' \
        <<<"$output"
}

# Matrix product of N x N bf16 matrices: the tensor cores' tiles.
matmul_bf16() {
    local n=$1 tiles=$(($1 / 64))
    measure "matmul bf16 $n" "$ptx/matmul.ptx" matmul_nn_small_bf16 --grid $((tiles * tiles)) --block 128 --shared 49152 \
        --arg random:bf16:$((n * n)) --arg random:bf16:$((n * n)) --arg out:$((n * n * 2)) --arg u64:0 --arg u32:"$n" --arg u32:"$n" \
        --arg u32:"$n" --arg u64:"$n" --arg u64:"$n" --arg u64:"$n" --arg u64:0 --arg u32:"$n" --arg u32:0
}

# The same of f32 matrices with fma.
matmul_f32() {
    local n=$1 tiles=$(($1 / 64))
    measure "matmul f32 fma $n" "$ptx/matmul_float32.ptx" matmul_nn_fma_small_f32 --grid $((tiles * tiles)) --block 256 --shared 17408 \
        --arg random:f32:$((n * n)) --arg random:f32:$((n * n)) --arg out:$((n * n * 4)) --arg u64:0 --arg u32:"$n" --arg u32:"$n" \
        --arg u32:"$n" --arg u64:"$n" --arg u64:"$n" --arg u64:"$n" --arg u64:0 --arg u32:"$n" --arg u32:0
}

# words VALUE...: the numbers as little-endian 32-bit words.
words() {
    local value
    for value; do
        printf "\\x$(printf %02x $((value & 255)))\\x$(printf %02x $((value >> 8 & 255)))\\x$(printf %02x $((value >> 16 & 255)))\\x00"
    done
}

# Causal attention of one sequence of T tokens, 4 heads of 64.
attention() {
    local t=$1 heads=4 elements=$(($1 * 4 * 64))
    words 0 "$t" 0 "$t" 0 0 0 0 >"$folder/segments"
    measure "attention $t x 4 x 64" "$ptx/attention.ptx" attention_forward_rows64_head64_bf16 --grid $((t / 64)),$heads --block 128 --shared 46080 \
        --arg out:$((elements * 2)) --arg out:$((t * heads * 4)) --arg random:bf16:$elements --arg random:bf16:$elements \
        --arg random:bf16:$elements --arg file:"$folder/segments" --arg ramp:u32:"$t" --arg u64:256 --arg u64:4 --arg u64:256 --arg u64:256 \
        --arg u64:256 --arg u32:1 --arg u32:64 --arg u32:1073741824 --arg f32:0.125 --arg u32:1
}

if [ -n "$comparison" ]; then
    printf '%-28s %12s %12s %9s\n' workload counting 'not counting' cost
else
    printf '%-28s %12s %9s %9s\n' workload instructions seconds 'M/s'
fi
matmul_bf16 256
matmul_bf16 512
matmul_f32 256
attention 256
