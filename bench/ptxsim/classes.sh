#!/usr/bin/env bash
# What each class of instruction costs the libcuda stand-in: millions of warp instructions per second of user time on one thread, every
# check on, of loops over one instruction. Needs artifacts/native/ptxsim (cmake --build build) and nothing else.
#   bench/ptxsim/classes.sh [REPEATS]   launches of each loop, of 25 600 instructions or more (100)
set -euo pipefail

root=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../..
tool=${PTXSIM:-$root/artifacts/native/ptxsim}
repeats=${1:-100}
TIMEFORMAT=%U
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# measure NAME INSTRUCTION: 32 of them a turn, of which a loop of 200 makes all but a tenth of what runs; four warps in one block.
measure() {
    local name=$1 instruction=$2 n seconds
    {
        printf '%s\n' .version\ 8.0 '.target sm_80' '.address_size 64' '.visible .entry k(.param .u64 out, .param .u64 in)' '{' \
            '.reg .pred %p<4>; .reg .b32 %r<32>; .reg .f32 %f<16>; .reg .b64 %rd<8>; .shared .align 128 .b8 tile[8192];' \
            'ld.param.u64 %rd1, [out]; ld.param.u64 %rd2, [in]; mov.u32 %r0, %tid.x; mul.wide.u32 %rd3, %r0, 16;' \
            'add.u64 %rd1, %rd1, %rd3; add.u64 %rd2, %rd2, %rd3; mov.u32 %r1, tile; shl.b32 %r2, %r0, 4; add.u32 %r2, %r1, %r2;' \
            'shl.b32 %r3, %r0, 2; add.u32 %r3, %r1, %r3; st.shared.v4.u32 [%r2], {%r0, %r0, %r0, %r0}; bar.sync 0; mov.u32 %r4, 0;' \
            'mov.u32 %r8, 0; mov.u32 %r9, 0; mov.u32 %r10, 0; mov.u32 %r11, 0; mov.f32 %f0, 0f00000000; mov.f32 %f1, 0f3F800000;' \
            'mov.f32 %f4, %f0; mov.f32 %f5, %f0; mov.f32 %f6, %f0; mov.f32 %f7, %f0;' 'again:'
        for ((n = 0; n < 32; n++)); do printf '%s\n' "$instruction"; done
        printf '%s\n' 'add.u32 %r4, %r4, 1; setp.lt.u32 %p1, %r4, 200; @%p1 bra again;' 'ret;' '}'
    } >"$folder/loop.ptx"
    seconds=$({ time "$tool" run "$folder/loop.ptx" k --block 128 --threads 1 --arg out:65536 --arg random:f32:16384 --repeat "$repeats" >"$folder/counters"; } 2>&1)
    awk -v name="$name" -v seconds="$seconds" -v repeats="$repeats" '$1 == "warp_instructions" { printf "%-34s %8.1f\n", name, $2 * repeats / seconds / 1e6 }' \
        "$folder/counters"
}

printf '%-34s %8s\n' instruction 'M/s'
measure 'fma.rn.f32' 'fma.rn.f32 %f2, %f0, %f1, %f2;'
measure 'add.u32' 'add.u32 %r5, %r5, %r0;'
measure 'setp and selp' 'setp.lt.u32 %p2, %r0, %r4; selp.b32 %r5, %r0, %r4, %p2;'
measure 'cvt.rn.bf16x2.f32' 'cvt.rn.bf16x2.f32 %r5, %f0, %f1;'
measure 'ex2.approx.f32' 'ex2.approx.f32 %f2, %f0;'
measure 'shfl.sync' 'shfl.sync.bfly.b32 %r5, %r0, 1, 31, 0xffffffff;'
measure 'bar.sync' 'bar.sync 0;'
measure 'ld.shared, side by side' 'ld.shared.u32 %r5, [%r3];'
measure 'ld.shared.v4, side by side' 'ld.shared.v4.u32 {%r8, %r9, %r10, %r11}, [%r2];'
measure 'st.shared, side by side' 'st.shared.u32 [%r3], %r0;'
measure 'ld.global.v4, side by side' 'ld.global.v4.u32 {%r8, %r9, %r10, %r11}, [%rd2];'
measure 'st.global.v4, side by side' 'st.global.v4.u32 [%rd1], {%r8, %r9, %r10, %r11};'
measure 'cp.async of 16 bytes and its wait' 'cp.async.ca.shared.global [%r2], [%rd2], 16; cp.async.wait_all;'
measure 'ldmatrix.x4' 'ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r8, %r9, %r10, %r11}, [%r2];'
measure 'mma.m16n8k16 of bf16' 'mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f4, %f5, %f6, %f7}, {%r8, %r9, %r10, %r11}, {%r8, %r9}, {%f4, %f5, %f6, %f7};'
